//! Whether a variant is any good.

use super::{accuracy::Score, latency::span, sidecar::Profile};

/// Shares of whole counts differ by so much in how they are rounded.
const ROUNDING: f64 = 1e-9;
/// Why a variant is no good, with figures.
pub(super) fn reasons(
    profile: &Profile,
    loss_max: f64,
    is_judged: bool,
    new: Option<&Score>,
    old: Option<&Score>,
) -> Vec<String> {
    let Some(against) = &profile.against else { return Vec::new() };
    let mut reasons = Vec::new();
    for ratio in against.latency.iter().filter(|ratio| ratio.is_slower()) {
        let rows = if ratio.batch == 1 {
            "one question".to_owned()
        } else {
            format!("{} questions", ratio.batch)
        };
        reasons.push(format!(
            "it is slower: a run of {rows} takes {:.2} times as long ({:.2} to {:.2}; {}, not {}) in {}",
            ratio.median, ratio.low, ratio.high, span(ratio.new_us), span(ratio.old_us), against.backend
        ));
    }
    match (new, old) {
        (Some(new), Some(old)) => {
            let loss = old.top1() - new.top1();
            if loss > loss_max + ROUNDING {
                reasons.push(format!(
                    "it is too inaccurate: {:.2} % of {} answers are right, not {:.2} %: {:.2} points less, {:.2} are allowed",
                    100.0 * new.top1(), new.rows, 100.0 * old.top1(), 100.0 * loss, 100.0 * loss_max
                ));
            }
        }
        _ if is_judged => {
            let other = 1.0 - against.same;
            if other > loss_max + ROUNDING {
                reasons.push(format!(
                    "it is too inaccurate: {:.2} % of {} answers are other than the model's own, {:.2} % are allowed",
                    100.0 * other, against.rows, 100.0 * loss_max
                ));
            }
        }
        _ => {}
    }
    reasons
}

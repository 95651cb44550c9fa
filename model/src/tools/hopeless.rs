//! Why a cascade of models of speech could not be calibrated, and what to do.

use crate::calibrate::{Hopeless, cascade_groups_needed};

use super::{
    spoken::{HeardOf, SpokenOptions, Unit},
    trouble::Trouble,
};

pub(super) fn few_recordings(count: usize, options: &SpokenOptions) -> Trouble {
    let are = if count == 1 { "recording is" } else { "recordings are" };
    let message =
        format!("{count} {are} too few: some tune, some certify, and some tell what to expect");
    let (needed, what) = needed(options, true);
    let hint = format!("give three or more, with {needed} {what} in all");
    Trouble::refused(message, hint)
}

pub(super) fn wordless(names: &[String], of: &HeardOf) -> Trouble {
    let largest = names.last().map_or("", |name| name);
    let message = format!(
        "`{largest}` says no word of {} turns of speech, so that nothing can be judged",
        of.pieces
    );
    let hint = "see whether the file is a model with weights, and give what is said in texts";
    Trouble::refused(message, hint)
}

/// How many are needed of what counts for itself, and what that is.
fn needed(options: &SpokenOptions, is_single: bool) -> (usize, &'static str) {
    let [single, of_many] = cascade_groups_needed([options.loss, 1.0 - options.confidence]);
    let what = match options.unit {
        Unit::Turn => "turns of speech",
        Unit::Recording => "recordings",
    };
    (if is_single { single } else { of_many }, what)
}

/// A share in per cent, without the noise of its last digits.
fn percent(share: f64) -> f64 {
    (share * 1e4).round() / 1e2
}

/// Why nothing was written, and what to do.
pub(super) fn hopeless(
    why: &Hopeless,
    options: &SpokenOptions,
    of: &HeardOf,
    names: &[String],
) -> Trouble {
    let [loss, confidence] = [options.loss, options.confidence].map(percent);
    let largest = names.last().map_or("", |name| name);
    let head = format!(
        "nothing can be promised of a loss of at most {loss} % at {confidence} % confidence"
    );
    if of.pieces == 0 {
        let message = format!("nobody speaks in these {} recordings", of.recordings);
        let hint =
            "listen to them, or change what `speech` takes for speech in the graph: `threshold`";
        return Trouble::refused(message, hint);
    }
    match why {
        Hopeless::Groups(count) => {
            let message = format!(
                "somebody speaks in {} of the {} recordings, of {count} in all that count for themselves, which are too few",
                of.recordings - of.silent,
                of.recordings
            );
            return Trouble::refused(message, "give recordings of three speakers or more");
        }
        Hopeless::Cost([ours, alone]) => {
            let message = format!(
                "nothing is saved: with smaller models in front a turn takes {:.0} ms, and `{largest}` alone {:.0} ms",
                1e3 * ours,
                1e3 * alone
            );
            let hint = format!("name `{largest}` alone as `file`, or ask a larger `--loss`");
            return Trouble::refused(message, hint);
        }
        Hopeless::Promise(..) => {}
    }
    let (needed, what) = needed(options, of.pieces == of.groups);
    let count = of.groups;
    if count < needed {
        let message = format!("{head}: {count} {what} are too few");
        let or = match options.unit {
            Unit::Turn => "",
            Unit::Recording => {
                "; or, where the very people speak who were recorded, count turns: `--unit turn`"
            }
        };
        let hint = format!(
            "give {needed} {what} or more, or ask a larger `--loss` or a smaller `--confidence`{or}"
        );
        return Trouble::refused(message, hint);
    }
    match why {
        Hopeless::Promise(count, lost) if *lost <= options.loss => {
            let message = format!(
                "{head}: {count} {what} are too few to certify it, though they have lost {} %",
                percent(*lost)
            );
            Trouble::refused(message, format!("give more {what}; half of them certify"))
        }
        Hopeless::Promise(count, lost) => {
            let message = format!(
                "{head}: even of the surest answers of a smaller model too many are worse than those of `{largest}` alone; with \
                 the best of them {} % are lost of {count} {what}",
                percent(*lost)
            );
            let mut hint =
                "give more recordings, ask a larger `--loss`, or put a better model in front"
                    .to_owned();
            if options.listening.has_partials() {
                hint += "; what partials of the first model have told stands, too: without them, `partial_s = 0`, less is lost";
            }
            Trouble::refused(message, hint)
        }
        _ => Trouble::refused(head, "give more recordings"),
    }
}

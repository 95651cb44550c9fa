//! What events told besides beats: numbers over time, words by how often.

use crate::scope::{Events, Scope, Series};

use super::canvas::{LEFT, Page, Panel, range};

const HIGH: f64 = 80.0;
/// Fields of one output that are drawn, and of all.
const EACH_MAX: usize = 8;
const ALL_MAX: usize = 32;

pub(super) fn draw(page: &mut Page, scope: &Scope, end_s: f64) {
    let hearts = scope.hearts();
    let is_beats = |events: &Events| hearts.iter().any(|beats| beats.label == events.label);
    let mut room = ALL_MAX;
    // What one node passes on of another is drawn once.
    let mut drawn: Vec<&Series> = hearts.iter().flat_map(|beats| &beats.numbers).collect();
    for events in scope.events.iter().filter(|events| !is_beats(events)) {
        let is_new = |series: &&Series| !drawn.iter().any(|known| series.says_the_same(known));
        let worth = events.numbers.iter().filter(|series| is_worth(series)).filter(is_new);
        let mut kept: Vec<_> = worth.collect();
        kept.sort_by_key(|series| series.rank());
        kept.truncate(EACH_MAX.min(room));
        room -= kept.len();
        drawn.extend(&kept);
        for series in kept {
            let y = range(series.values().map(|(_, value)| value));
            let cut = if series.is_cut() { ", the newest" } else { "" };
            let head = format!("{} · {}{cut}", events.label, series.name());
            let panel = Panel::below(page, &head, HIGH, [0.0, end_s], y);
            panel.rule_y(page);
            panel.rule_time(page);
            let points = series.points();
            page.path("signal", points.map(|(s, value)| panel.at((s, value.unwrap_or(f64::NAN)))));
            // One alone between two without is no line.
            if series.len() <= 400 {
                for (x, y) in series.values().map(|at| panel.at(at)) {
                    page.put(format_args!(
                        "<circle class=\"dot\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2\"/>"
                    ));
                }
            }
        }
    }
    words(page, scope);
}

/// What changes, and is more than time or a number that goes on.
fn is_worth(series: &Series) -> bool {
    let values: Vec<f64> = series.values().map(|(_, value)| value).collect();
    let goes_on = values.is_sorted() && (series.is_count() || series.name().ends_with("_s"));
    let [low, high] = range(values.into_iter());
    high > low && !goes_on
}

fn words(page: &mut Page, scope: &Scope) {
    let fields = scope.events.iter().flat_map(|events| {
        let told = events.words.iter().filter(|words| !words.counts.is_empty());
        told.map(move |words| (format!("{} · {}", events.label, words.field), &words.counts))
    });
    let fields: Vec<_> = fields.collect();
    if fields.is_empty() {
        return;
    }
    page.text("head", LEFT, page.y + 16.0, "Words that were told");
    page.y += 20.0;
    for (field, counts) in fields {
        page.y += 17.0;
        let mut sorted: Vec<_> = counts.iter().collect();
        sorted.sort_by(|one, other| other.1.cmp(one.1).then(one.0.cmp(other.0)));
        let short = |word: &str| match word.chars().count() {
            0..=32 => word.to_owned(),
            _ => word.chars().take(31).chain(['…']).collect(),
        };
        let told: Vec<_> =
            sorted.iter().map(|(word, count)| format!("{} {count}", short(word))).collect();
        let line = format!("{field}: {}", told.join(" · "));
        let line: String = line.chars().take(150).collect();
        page.text("", LEFT, page.y, &line);
    }
    page.y += 24.0;
}

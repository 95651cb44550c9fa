//! Tables of figures for a person.

use std::fmt::Write;

use model::tools::{Accuracy, Against, Point, Profile, Ratio, batching, span};

use crate::{
    page::Page,
    status::bytes,
    terminal::{ascii, speaks_unicode},
};

/// Best economy from which on batching is said to pay.
const PAYS: f64 = 1.2;
/// Most classes whose confusions are shown as a table.
const CLASSES_MAX: usize = 12;
/// Most confusions listed where there are more classes.
const LISTED: usize = 10;

/// All of a profile.
pub(super) fn profile(profile: &Profile) -> String {
    let mut page = Page::of_stdout();
    head(&mut page, profile);
    latency(&mut page, profile);
    if let Some(accuracy) = &profile.accuracy {
        self::accuracy(&mut page, accuracy);
    }
    if let Some(against) = &profile.against {
        self::against(&mut page, profile, against);
    }
    end(page, profile)
}

/// The last lines, and the page as the terminal can show it.
pub(super) fn end(mut page: Page, profile: &Profile) -> String {
    if !profile.notes.is_empty() {
        page.line("");
    }
    for note in &profile.notes {
        page.paragraph(&format!("note: {note}"), "");
    }
    if speaks_unicode() { page.text } else { ascii(&page.text) }
}

fn head(page: &mut Page, profile: &Profile) {
    let machine = &profile.machine;
    page.line(&format!("{}  {}", profile.file, bytes(profile.bytes)));
    page.line(&format!("  takes  {}", profile.takes.join(", ")));
    page.line(&format!("  gives  {}", profile.gives.join(", ")));
    for memory in &profile.memory {
        page.line(&format!("  memory {} in {}", bytes(memory.bytes), memory.backend));
    }
    let count = machine.processors;
    page.line(&format!("  on     {}, {count} processors, {}", machine.processor, machine.system));
    if profile.asked == "noise" {
        page.line("  asked  noise from -1 to 1, the same in every run");
    }
}

fn latency(page: &mut Page, profile: &Profile) {
    page.title("Latency of a run");
    page.line("  backend      at once  batch       p50       p99  questions/s    gain  economy");
    // Throughput beside one question at a time on one worker, in the same backend.
    let mut base: Option<&Point> = None;
    for point in &profile.latency {
        if base.is_none_or(|base| base.backend != point.backend) {
            base = Some(point);
        }
        let gain = base.map_or(1.0, |base| point.per_s / base.per_s);
        page.line(&format!(
            "  {:12} {:>7}  {:>5}  {:>8}  {:>8}  {:>11.0}  {:>5.2}x  {:>7.2}",
            point.backend,
            point.workers,
            point.batch,
            span(point.p50_us),
            span(point.p99_us),
            point.per_s,
            gain,
            point.economy
        ));
    }
    page.line("");
    page.paragraph(&verdict(profile), "");
}

/// Whether batching pays, in words.
fn verdict(profile: &Profile) -> String {
    let Some(first) = profile.latency.first() else { return String::new() };
    let backend = &first.backend;
    match batching(profile) {
        None => "Batching was not measured: all runs are of one question.".to_owned(),
        Some((batch, economy)) if economy >= PAYS => format!(
            "Batching pays in {backend}: {batch} questions in one run are answered {economy:.1} times as fast as one after the other."
        ),
        Some((batch, economy)) => format!(
            "Batching does not pay in {backend}: at best, with {batch} in one run, questions are answered {economy:.2} times as fast as one \
             after the other, and the first waits for the last."
        ),
    }
}

pub(super) fn accuracy(page: &mut Page, accuracy: &Accuracy) {
    page.title("Accuracy");
    let Accuracy { data, backend, output, rows, top1, .. } = accuracy;
    page.line(&format!(
        "  {:.2} % of {rows} right, by `{output}` in {backend} on {data}",
        100.0 * top1
    ));
    let classes = accuracy.confusion.len();
    let name = |class: usize| accuracy.labels.get(class).cloned().unwrap_or(class.to_string());
    if classes <= CLASSES_MAX {
        let names: Vec<String> = (0..classes).map(name).collect();
        let wide = names.iter().map(|name| name.chars().count()).max().unwrap_or(1).max(6);
        let mut line = format!("  {:wide$}", "right");
        names.iter().for_each(|name| push(&mut line, format_args!("  {name:>wide$}")));
        page.line(&format!("{line}  (answered)"));
        for (name, counts) in names.iter().zip(&accuracy.confusion) {
            let mut line = format!("  {name:wide$}");
            counts.iter().for_each(|count| push(&mut line, format_args!("  {count:>wide$}")));
            page.line(&line);
        }
        return;
    }
    let cells = accuracy.confusion.iter().enumerate().flat_map(|(right, counts)| {
        counts.iter().enumerate().map(move |(answered, &count)| (count, right, answered))
    });
    let mut wrong: Vec<_> =
        cells.filter(|&(count, right, answered)| count > 0 && right != answered).collect();
    wrong.sort_by_key(|&(count, ..)| std::cmp::Reverse(count));
    for &(count, right, answered) in wrong.iter().take(LISTED) {
        page.line(&format!("  {count:>5} times {} for {}", name(answered), name(right)));
    }
    if wrong.len() > LISTED {
        page.line(&format!("  and {} other confusions; --json has them all", wrong.len() - LISTED));
    }
}

pub(super) fn against(page: &mut Page, profile: &Profile, against: &Against) {
    page.title(&format!("Beside {}", against.file));
    page.line(&format!(
        "  batch    {:>9}  {:>9}   time of this by the other (95 %)",
        "other", "this"
    ));
    for Ratio { batch, pairs, old_us, new_us, median, low, high } in &against.latency {
        page.line(&format!(
            "  {batch:>5}    {:>9}  {:>9}   {median:.3} ({low:.3} to {high:.3}), {pairs} pairs in {}",
            span(*old_us),
            span(*new_us),
            against.backend
        ));
    }
    let on = if against.asked == "noise" { " made up" } else { "" };
    page.line(&format!(
        "  {:.2} % of {}{on} questions answered the same; numbers differ by {:.2} % (RMS)",
        100.0 * against.same,
        against.rows,
        100.0 * against.error
    ));
    if let (Some(other), Some(own)) = (against.top1, &profile.accuracy) {
        page.line(&format!("  {:.2} % right, not {:.2} %", 100.0 * own.top1, 100.0 * other));
    }
}

fn push(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    text.write_fmt(arguments).expect("writing to a String cannot fail");
}

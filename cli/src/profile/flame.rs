//! The flame graph: who had the cores.

use engine::Load;

use crate::{
    markup::escaped,
    report::canvas::{LEFT, Page, RIGHT},
    status::span,
};

const HIGH: f64 = 24.0;
/// Narrower boxes have no name.
const NAMED: f64 = 26.0;
/// About as wide as a letter.
const LETTER: f64 = 6.6;

/// Narrower ones are one box together, which names so many of them.
const NARROW: f64 = 1.0;
const NAMES_MAX: usize = 8;

/// A box of the graph.
#[derive(Clone)]
struct Part {
    name: String,
    what: String,
    /// Of all cores' time.
    share: f64,
    /// As it is drawn: what was measured to be more than all of a core is not.
    drawn: f64,
    parts: Vec<Part>,
}

impl Part {
    fn shrink(&mut self, by: f64) {
        self.drawn *= by;
        self.parts.iter_mut().for_each(|part| part.shrink(by));
    }

    /// The parts that are to be seen, and one for all that are too narrow.
    fn visible(&self, wide: f64) -> Vec<Part> {
        let is_wide = |part: &&Part| part.drawn * wide >= NARROW;
        let mut parts: Vec<Part> = self.parts.iter().filter(is_wide).cloned().collect();
        let narrow = || self.parts.iter().filter(|part| !is_wide(part));
        if narrow().next().is_some() {
            let names: Vec<&str> = narrow().take(NAMES_MAX).map(|part| &*part.name).collect();
            let left = narrow().count() - names.len();
            let more = if left > 0 { format!(" and {left} more") } else { String::new() };
            parts.push(Part {
                name: format!("{}{more}", names.join(", ")),
                what: String::new(),
                share: narrow().map(|part| part.share).sum(),
                drawn: narrow().map(|part| part.drawn).sum(),
                parts: Vec::new(),
            });
        }
        parts
    }
}

/// Who was busy on which core, as shares of the time of all of them.
fn parts(load: &Load) -> Vec<Part> {
    let cores = load.cores.len().max(1) as f64;
    let spread = |node: &engine::NodeLoad| if node.core.is_none() { 1.0 / cores } else { 1.0 };
    let core = |core: usize| {
        let mut stages: Vec<Part> = Vec::new();
        let mut numbers: Vec<usize> = Vec::new();
        for (number, node) in load.nodes.iter().enumerate() {
            let Some(stage) = node.stage else { continue };
            if node.core.is_some_and(|own| own != core) {
                continue;
            }
            let share = load.share(number) * spread(node) / cores;
            let at = numbers.iter().position(|known| *known == stage).unwrap_or_else(|| {
                numbers.push(stage);
                stages.push(Part {
                    name: format!("stage {stage}"),
                    what: String::new(),
                    share: 0.0,
                    drawn: 0.0,
                    parts: Vec::new(),
                });
                stages.len() - 1
            });
            let what =
                format!("{} × {}", engine::counted(node.calls, "call"), span(node.mean_ns as i64));
            stages[at].share += share;
            stages[at].drawn += share;
            let name = node.name.clone();
            stages[at].parts.push(Part { name, what, share, drawn: share, parts: Vec::new() });
        }
        let inside: f64 = stages.iter().map(|stage| stage.share).sum();
        let busy = (load.cores[core] / cores).max(inside);
        let rest = busy - inside;
        if rest > 0.0 {
            let what = "moves frames, looks for work, wakes up".to_owned();
            let name = "runtime".to_owned();
            stages.push(Part { name, what, share: rest, drawn: rest, parts: Vec::new() });
        }
        let name = format!("core {core}");
        let mut part = Part { name, what: String::new(), share: busy, drawn: busy, parts: stages };
        part.shrink((1.0 / (busy * cores).max(1.0)).min(1.0));
        part
    };
    (0..load.cores.len()).map(core).collect()
}

pub(super) fn draw(page: &mut Page, load: &Load) {
    let cores = parts(load);
    let seconds = load.lasted_ns as f64 / 1e9;
    let head = format!(
        "Computing, % of {} in {seconds:.1} s; what is left white was free",
        engine::counted(load.cores.len() as u64, "data core")
    );
    page.text("head", LEFT, page.y + 16.0, &head);
    let top = page.y + 28.0;
    let busy: f64 = cores.iter().map(|core| core.drawn).sum();
    // Where little is done, all of that is shown larger.
    let zoom = if busy > 0.0 && busy < 0.5 { 1.0 / busy } else { 1.0 };
    let scale = Scale { wide: (RIGHT - LEFT) * zoom, load };
    let all = Part {
        name: match zoom > 1.0 {
            true => format!(
                "data cores: at work {} of the time, shown {zoom:.0} times as wide",
                percent(busy)
            ),
            false => format!("data cores: at work {} of the time", percent(busy)),
        },
        what: String::new(),
        share: if zoom > 1.0 { busy } else { 1.0 },
        drawn: if zoom > 1.0 { busy } else { 1.0 },
        parts: cores,
    };
    scale.draw(page, &all, LEFT, top, 0);
    page.y = top + 4.0 * HIGH + 24.0;
}

struct Scale<'a> {
    wide: f64,
    load: &'a Load,
}

impl Scale<'_> {
    fn draw(&self, page: &mut Page, part: &Part, left: f64, top: f64, level: usize) {
        let wide = part.drawn * self.wide;
        let what = if part.what.is_empty() { String::new() } else { format!(", {}", part.what) };
        let own = part.share * self.load.cores.len().max(1) as f64;
        let title = format!("{}: {} of a core{what}", part.name, percent(own));
        page.put(format_args!(
            "<g><title>{}</title><rect class=\"box f{level}\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{:.2}\" height=\"{:.1}\"/>",
            escaped(&title),
            wide.max(0.3),
            HIGH - 1.0
        ));
        if wide > NAMED {
            let room = ((wide - 8.0) / LETTER) as usize;
            let full = format!("{} {}", part.name, percent(own));
            let name =
                if level > 0 && full.chars().count() <= room { full } else { part.name.clone() };
            let short: String = match name.chars().count() > room {
                true => name.chars().take(room.saturating_sub(1)).chain(['…']).collect(),
                false => name,
            };
            page.text("label", left + 4.0, top + 16.0, &short);
        }
        page.put(format_args!("</g>"));
        let mut at = left;
        for inner in &part.visible(self.wide) {
            self.draw(page, inner, at, top + HIGH, (level + 1).min(3));
            at += inner.drawn * self.wide;
        }
    }
}

pub(super) fn percent(share: f64) -> String {
    match 100.0 * share {
        percent if percent >= 9.95 => format!("{percent:.0} %"),
        percent if percent >= 0.095 => format!("{percent:.1} %"),
        percent => format!("{percent:.2} %"),
    }
}

//! Pictures as SVG that needs nothing else: a page that grows downwards, and panels with axes on it.

use std::fmt::{Arguments, Write};

use crate::markup::escaped;

/// Width of a page, in its own units.
pub(crate) const WIDE: f64 = 1_000.0;
/// Where panels begin and end by default.
pub(crate) const LEFT: f64 = 76.0;
pub(crate) const RIGHT: f64 = 976.0;
/// Characters between them, in the widest of the fonts that are asked for.
const LINE: usize = 125;

/// No variables: of what draws SVG, browsers alone know them. A browser that is told so draws light on dark.
const STYLE: &str = "<style>\
svg{font:12px system-ui,'DejaVu Sans',sans-serif}.title{font-size:20px;font-weight:600}.head{font-size:14px;font-weight:600}\
.end{text-anchor:end}.middle{text-anchor:middle}.code{font:11px ui-monospace,'DejaVu Sans Mono',monospace;white-space:pre}\
.paper{fill:#fff}text{fill:#1d2433}.faint{fill:#6a7385}.grid{stroke:#e3e7ee;fill:none}.dot,.bar{fill:#1f5fbf}\
.signal{stroke:#1f5fbf;fill:none;stroke-linejoin:round}.whole{stroke:#1f5fbf;fill:#1f5fbf;stroke-width:.5}\
.mark{stroke:#c8283c;fill:none}.beat{fill:#c8283c}.more{stroke:#e07b00;fill:none;stroke-width:2}.gap{fill:#f4c7cd}\
.box{stroke:#fff;stroke-width:1}.f0{fill:#dfe5ee}.f1{fill:#b9cbe6}.f2{fill:#f2b36b}.f3{fill:#e88a4e}.wait{fill:#e0b3ba}.work{fill:#7ba6e0}.move{fill:#cfd6e2}\
@media(prefers-color-scheme:dark){.paper{fill:#14181f}text{fill:#e6e9ef}.faint{fill:#98a2b3}.grid{stroke:#2a313d}\
.dot,.bar{fill:#6fa8ff}.signal{stroke:#6fa8ff}.whole{stroke:#6fa8ff;fill:#6fa8ff}.mark{stroke:#ff6b7a}.beat{fill:#ff6b7a}\
.more{stroke:#ffb347}.gap{fill:#5b2730}.box{stroke:#14181f}.f0{fill:#2a313d}.f1{fill:#3c5170}.f2{fill:#8a5a24}.f3{fill:#a34a22}\
.wait{fill:#6e3a43}.work{fill:#2f5c9c}.move{fill:#3a4352}}</style>";

/// A page in the making.
pub(crate) struct Page {
    svg: String,
    /// Where the next panel may begin.
    pub(crate) y: f64,
}

impl Page {
    pub(crate) const fn new() -> Self {
        Self { svg: String::new(), y: 0.0 }
    }

    /// Puts an element on the page.
    pub(crate) fn put(&mut self, element: Arguments<'_>) {
        self.svg.write_fmt(element).expect("writing to a String cannot fail");
        self.svg.push('\n');
    }

    /// Text that begins at a place.
    pub(crate) fn text(&mut self, class: &str, x: f64, y: f64, text: &str) {
        self.put(format_args!(
            "<text xml:space=\"preserve\" class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>",
            escaped(text)
        ));
    }

    /// Text over the whole width, in as many lines below as it takes.
    pub(crate) fn paragraph(&mut self, class: &str, text: &str) {
        let mut line = String::new();
        for word in text.split(' ') {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > LINE {
                self.y += 16.0;
                self.text(class, LEFT, self.y, &line);
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        self.y += 16.0;
        self.text(class, LEFT, self.y, &line);
    }

    /// A line through points; where a point is not a number it breaks.
    pub(crate) fn path(&mut self, class: &str, points: impl Iterator<Item = (f64, f64)>) {
        let (mut path, mut draws) = (String::new(), false);
        for (x, y) in points {
            if x.is_finite() && y.is_finite() {
                let step = if draws { 'L' } else { 'M' };
                write!(path, "{step}{x:.1} {y:.1}").expect("writing to a String cannot fail");
                draws = true;
            } else {
                draws = false;
            }
        }
        if !path.is_empty() {
            self.put(format_args!("<path class=\"{class}\" d=\"{path}\"/>"));
        }
    }

    /// The whole, with what it is called.
    pub(crate) fn finish(self, title: &str) -> String {
        let (high, title) = (self.y.ceil(), escaped(title));
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDE} {high}\" width=\"{WIDE}\" height=\"{high}\" \
             role=\"img\">\n<title>{title}</title>\n{STYLE}\n<rect class=\"paper\" width=\"{WIDE}\" height=\"{high}\"/>\n{}</svg>\n",
            self.svg
        )
    }
}

/// A part of a page with axes: what its edges stand for.
pub(super) struct Panel {
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) top: f64,
    pub(super) bottom: f64,
    pub(super) x: [f64; 2],
    pub(super) y: [f64; 2],
}

impl Panel {
    /// A panel over the width of the page, so high, where the page ends; the page grows by it and its labels.
    pub(super) fn below(page: &mut Page, head: &str, high: f64, x: [f64; 2], y: [f64; 2]) -> Self {
        let (left, right) = (LEFT, RIGHT);
        page.text("head", left, page.y + 16.0, head);
        let top = page.y + 26.0;
        let panel = Self { left, right, top, bottom: top + high, x, y: apart(y) };
        page.y = panel.bottom + 40.0;
        panel
    }

    pub(super) fn at_x(&self, x: f64) -> f64 {
        self.left + (self.right - self.left) * (x - self.x[0]) / (self.x[1] - self.x[0])
    }

    pub(super) fn at_y(&self, y: f64) -> f64 {
        self.bottom - (self.bottom - self.top) * (y - self.y[0]) / (self.y[1] - self.y[0])
    }

    pub(super) fn at(&self, (x, y): (f64, f64)) -> (f64, f64) {
        (self.at_x(x), self.at_y(y))
    }

    /// Lines across at round values, with their numbers on the left.
    pub(super) fn rule_y(&self, page: &mut Page) {
        let room = ((self.bottom - self.top) / 18.0).clamp(3.0, 10.0);
        let (ticks, digits) = ticks(self.y, room);
        for tick in ticks {
            let at = self.at_y(tick);
            let (left, right) = (self.left, self.right);
            page.put(format_args!("<path class=\"grid\" d=\"M{left:.1} {at:.1}H{right:.1}\"/>"));
            page.text("faint end", self.left - 8.0, at + 4.0, &format!("{tick:.digits$}"));
        }
    }

    /// Lines down at round values, with their numbers below.
    pub(super) fn rule_x(&self, page: &mut Page) {
        let (ticks, digits) = ticks(self.x, self.room_x());
        self.rule_at(page, &ticks, |tick| format!("{tick:.digits$}"));
    }

    /// Lines down at round times, with clock times below.
    pub(super) fn rule_time(&self, page: &mut Page) {
        let rough_s = (self.x[1] - self.x[0]) / self.room_x();
        match TIMES_S.into_iter().find(|step_s| *step_s >= rough_s) {
            // Below a second as other numbers.
            Some(step_s) if step_s > rough_s && rough_s > 0.5 => {
                let (first, last) = ((self.x[0] / step_s).ceil(), (self.x[1] / step_s).floor());
                let ticks: Vec<f64> =
                    (first as i64..=last as i64).map(|n| n as f64 * step_s).collect();
                self.rule_at(page, &ticks, |tick| clock(tick, 0));
            }
            _ => {
                let (ticks, digits) = ticks(self.x, self.room_x());
                self.rule_at(page, &ticks, |tick| clock(tick, digits));
            }
        }
    }

    fn room_x(&self) -> f64 {
        ((self.right - self.left) / 80.0).clamp(2.0, 12.0)
    }

    fn rule_at(&self, page: &mut Page, ticks: &[f64], label: impl Fn(f64) -> String) {
        for &tick in ticks {
            let at = self.at_x(tick);
            let (top, bottom) = (self.top, self.bottom);
            page.put(format_args!("<path class=\"grid\" d=\"M{at:.1} {top:.1}V{bottom:.1}\"/>"));
            page.text("faint middle", at, self.bottom + 16.0, &label(tick));
        }
    }
}

/// Times that people count in, in seconds.
const TIMES_S: [f64; 18] = [
    1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1_800.0, 3_600.0, 7_200.0,
    14_400.0, 21_600.0, 43_200.0, 86_400.0,
];

/// Seconds as a clock shows them.
fn clock(seconds: f64, digits: usize) -> String {
    let (minutes, rest) = ((seconds / 60.0).floor(), seconds.rem_euclid(60.0));
    let wide = if digits == 0 { 2 } else { digits + 3 };
    match minutes as i64 {
        hours if hours >= 60 => format!("{}:{:02}:{rest:0wide$.digits$}", hours / 60, hours % 60),
        minutes => format!("{minutes}:{rest:0wide$.digits$}"),
    }
}

/// Round values within a range, about so many, and the digits that tell them apart.
fn ticks([low, high]: [f64; 2], about: f64) -> (Vec<f64>, usize) {
    let rough = (high - low) / about;
    let unit = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|n| n * unit).find(|step| *step >= rough);
    let step = step.unwrap_or(10.0 * unit);
    let digits = (-step.log10().floor()).max(0.0) as usize;
    let first = (low / step - 1e-9).ceil() as i64;
    let last = (high / step + 1e-9).floor() as i64;
    ((first..=last).map(|n| n as f64 * step).collect(), digits)
}

/// A range with something between its ends, and a little more than that.
fn apart([low, high]: [f64; 2]) -> [f64; 2] {
    let (low, high) = if low.is_finite() && high.is_finite() { (low, high) } else { (0.0, 1.0) };
    let margin = match high - low {
        span if span > f64::EPSILON * (low.abs() + high.abs()) => 0.06 * span,
        _ if low == 0.0 => 1.0,
        _ => 0.1 * low.abs(),
    };
    [low - margin, high + margin]
}

/// The least and the largest of some values.
pub(super) fn range(values: impl Iterator<Item = f64>) -> [f64; 2] {
    values.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], value| {
        if value.is_finite() { [low.min(value), high.max(value)] } else { [low, high] }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_within() {
        assert_eq!(
            ticks([0.0, 120.0], 12.0).0,
            (0..=12).map(|n| f64::from(n) * 10.0).collect::<Vec<_>>()
        );
        let (found, digits) = ticks([-0.31, 0.52], 4.0);
        assert_eq!((found.len(), digits), (2, 1), "{found:?}");
        let (found, digits) = ticks([0.0123, 0.0125], 4.0);
        let shown: Vec<String> = found.iter().map(|tick| format!("{tick:.digits$}")).collect();
        assert_eq!(shown, ["0.0123", "0.0124", "0.0125"]);
    }

    #[test]
    fn a_range_without_width_gets_some() {
        assert_eq!(apart([5.0, 5.0]), [4.5, 5.5]);
        assert_eq!(apart([0.0, 0.0]), [-1.0, 1.0]);
        let [low, high] = apart(range([].into_iter()));
        assert!(low < high, "nothing is something between 0 and 1");
    }

    #[test]
    fn clocks_show_what_is_needed() {
        assert_eq!(clock(75.0, 0), "1:15");
        assert_eq!(clock(3.25, 2), "0:03.25");
        assert_eq!(clock(3_675.0, 0), "1:01:15");
    }

    #[test]
    fn lines_break_where_nothing_is_known() {
        let mut page = Page::new();
        page.path("signal", [(0.0, 1.0), (1.0, f64::NAN), (2.0, 3.0), (3.0, 4.0)].into_iter());
        assert!(page.svg.contains("d=\"M0.0 1.0M2.0 3.0L3.0 4.0\""), "{}", page.svg);
    }

    #[test]
    fn a_paragraph_takes_as_many_lines_as_it_has_and_no_more_width() {
        let mut page = Page::new();
        page.paragraph("faint", &["word"; 100].join(" "));
        page.paragraph("faint", "short");
        let svg = page.finish("a page");
        let told: Vec<&str> = svg.split("<text").skip(1).collect();
        let lines = |text: &&&str| text.contains("word");
        assert_eq!((told.len(), told.iter().filter(lines).count()), (5, 4), "{svg}");
        assert_eq!(svg.matches("word").count(), 100);
    }
}

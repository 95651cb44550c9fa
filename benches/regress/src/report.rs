//! What is told in the end: a table for people, one object for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::{
    answer::Likeness,
    counts::Counted,
    judge::{FIGURES, Figure, Judged, Limits, Verdict},
    rounds::Series,
};

/// One case.
pub(crate) struct Row {
    pub(crate) case: &'static str,
    pub(crate) series: Series,
    pub(crate) counted: Option<Counted>,
    pub(crate) likeness: Likeness,
    pub(crate) varies: bool,
}

/// All of a run.
pub(crate) struct Report {
    pub(crate) old: String,
    pub(crate) new: String,
    pub(crate) profile: String,
    pub(crate) seed: u64,
    pub(crate) machine: String,
    /// Shares of the machine that others and the hypervisor had, in per cent.
    pub(crate) others_pct: (f64, f64),
    pub(crate) limits: Limits,
    pub(crate) equal_programs: bool,
    pub(crate) rows: Vec<Row>,
    pub(crate) left_out: Vec<(&'static str, String)>,
    /// Why there are no instructions.
    pub(crate) uncounted: Option<&'static str>,
}

impl Row {
    /// Whether anything of it got worse, or better.
    fn is(&self, verdict: Verdict) -> bool {
        let counted = self.counted.as_ref().map(Counted::verdict);
        self.series.is(verdict) || counted == Some(verdict)
    }
}

impl Report {
    /// Whether anything got worse.
    pub(crate) fn is_worse(&self) -> bool {
        self.rows.iter().any(|row| row.is(Verdict::More))
    }

    /// For people.
    pub(crate) fn table(&self) -> String {
        let mut text = format!("old: {}\nnew: {}\n", self.old, self.new);
        if self.equal_programs {
            text += "both programs are the same to the bit\n";
        }
        let (others, hypervisor) = self.others_pct;
        let _ = writeln!(
            text,
            "profile {}, seed {}; {}; others had {others:.0} % of it, the hypervisor {hypervisor:.0} %\n",
            self.profile, self.seed, self.machine
        );
        let _ = writeln!(
            text,
            "{:<12} {:<13} {:>9}  {:<17} {:>5}  verdict",
            "case", "figure", "new / old", "interval", "pairs"
        );
        for row in &self.rows {
            row.tell(&mut text, self.limits);
        }
        self.tell_rest(&mut text);
        text
    }

    fn tell_rest(&self, text: &mut String) {
        for (case, said) in &self.left_out {
            let said = said.lines().next().unwrap_or_default();
            let _ = writeln!(text, "\nLEFT OUT: the old program cannot run `{case}`: {said}");
        }
        if let Some(why) = self.uncounted {
            let _ = writeln!(text, "\nNOT COUNTED: instructions of no case: {why}");
        }
        let named = |verdict: Verdict| -> Vec<&str> {
            self.rows.iter().filter(|row| row.is(verdict)).map(|row| row.case).collect()
        };
        let (worse, better) = (named(Verdict::More), named(Verdict::Less));
        *text += "\n";
        *text += &match (worse.is_empty(), better.is_empty()) {
            (true, true) => "No case got slower or larger, none faster or smaller.\n".to_owned(),
            (true, false) => format!("Nothing got worse. Better: {}.\n", better.join(", ")),
            (false, true) => format!("WORSE: {}.\n", worse.join(", ")),
            (false, false) => {
                format!("WORSE: {}. Better: {}.\n", worse.join(", "), better.join(", "))
            }
        };
    }

    /// For programs.
    pub(crate) fn json(&self) -> Value {
        let left_out: Vec<Value> =
            self.left_out.iter().map(|(case, said)| json!({"case": case, "said": said})).collect();
        json!({
            "old": self.old,
            "new": self.new,
            "profile": self.profile,
            "seed": self.seed,
            "machine": self.machine,
            "others_pct": self.others_pct.0,
            "hypervisor_pct": self.others_pct.1,
            "margin": self.limits.margin,
            "sought": self.limits.sought,
            "equal_programs": self.equal_programs,
            "worse": self.is_worse(),
            "cases": self.rows.iter().map(Row::json).collect::<Vec<_>>(),
            "left_out": left_out,
            "uncounted": self.uncounted,
        })
    }
}

impl Row {
    fn tell(&self, text: &mut String, limits: Limits) {
        let mut case = self.case;
        let mut line = |figure: &str, ratio: f64, low: f64, high: f64, pairs: usize, said: &str| {
            let interval = if low.is_finite() && high.is_finite() && low > 0.0 {
                format!("[{low:.3} .. {high:.3}]")
            } else {
                "–".to_owned()
            };
            let _ = writeln!(
                text,
                "{case:<12} {figure:<13} {ratio:>9.3}  {interval:<17} {pairs:>5}  {said}"
            );
            case = "";
        };
        for (figure, judged) in FIGURES.iter().zip(self.series.judged.iter().flatten()) {
            let said = told(*figure, judged, limits);
            let Judged { ratio, low, high, pairs, .. } = *judged;
            line(figure.name(), ratio, low, high, pairs, &said);
        }
        if let Some(counted) = &self.counted {
            let said = word(counted.verdict(), "MORE", "fewer");
            let said = said.map_or("no difference", |said| said);
            let (low, high) = counted.range();
            line("instructions", counted.ratio(), low, high, counted.new.len(), said);
        }
        if self.likeness != Likeness::Same {
            let _ = writeln!(text, "{:<12} answers: {}", "", self.likeness);
        }
        if self.varies {
            let _ = writeln!(text, "{:<12} answers: vary from run to run of one program", "");
        }
    }

    fn json(&self) -> Value {
        let figures = FIGURES.iter().zip(self.series.judged.iter().flatten());
        let mut figures: Vec<Value> = figures
            .map(|(figure, judged)| {
                json!({
                    "figure": figure.name(),
                    "ratio": judged.ratio,
                    "low": judged.low,
                    "high": judged.high,
                    "pairs": judged.pairs,
                    "verdict": plain(judged.verdict),
                    "needs_pairs": judged.needs,
                })
            })
            .collect();
        if let Some(counted) = &self.counted {
            let (low, high) = counted.range();
            figures.push(json!({
                "figure": "instructions",
                "ratio": counted.ratio(),
                "low": low,
                "high": high,
                "pairs": counted.new.len(),
                "verdict": plain(counted.verdict()),
            }));
        }
        let answers = self.likeness.to_string();
        json!({"case": self.case, "answers": answers, "answers_vary": self.varies, "figures": figures})
    }
}

fn word(verdict: Verdict, more: &'static str, less: &'static str) -> Option<&'static str> {
    match verdict {
        Verdict::More => Some(more),
        Verdict::Less => Some(less),
        Verdict::Same | Verdict::Open => None,
    }
}

const fn plain(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::More => "more",
        Verdict::Less => "less",
        Verdict::Same => "no difference",
        Verdict::Open => "undecided",
    }
}

fn told(figure: Figure, judged: &Judged, limits: Limits) -> String {
    let (more, less) = match figure {
        Figure::Memory => ("LARGER", "smaller"),
        Figure::Cpu | Figure::Wall => ("SLOWER", "faster"),
    };
    match judged.verdict {
        Verdict::Same => format!("no difference of {:.0} %", 100.0 * limits.sought),
        Verdict::Open if judged.needs < 100_000 => {
            format!("undecided; some {} pairs would tell", rounded_up(judged.needs))
        }
        Verdict::Open => "undecided; too few pairs".to_owned(),
        verdict => word(verdict, more, less).unwrap_or_default().to_owned(),
    }
}

/// Two figures of it.
fn rounded_up(number: usize) -> usize {
    let step = 10_usize.pow(number.max(1).ilog10().saturating_sub(1));
    number.div_ceil(step) * step
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::judge;

    fn report(ratio: f64, counted: f64) -> Report {
        let ratios: [Vec<f64>; FIGURES.len()] = std::array::from_fn(|_| {
            (0..40).map(|n| ratio.ln() + f64::from(n % 2) * 1e-4).collect()
        });
        let look = *crate::looks::planned(40, 1e-3).last().expect("one");
        let judged = std::array::from_fn(|n| judge(&ratios[n], &look, Limits::USUAL));
        let row = Row {
            case: "join",
            series: Series::judged(ratios, judged),
            counted: Some(Counted { old: vec![1e6; 3], new: vec![1e6 * counted; 3] }),
            likeness: Likeness::Same,
            varies: false,
        };
        Report {
            old: "a1 one".to_owned(),
            new: "b2 two".to_owned(),
            profile: "release".to_owned(),
            seed: 7,
            machine: "2 cores".to_owned(),
            others_pct: (1.0, 0.0),
            limits: Limits::USUAL,
            equal_programs: false,
            rows: vec![row],
            left_out: vec![("model", "unknown kind\n  --> x".to_owned())],
            uncounted: None,
        }
    }

    #[test]
    fn a_slower_case_is_named_in_the_table_and_for_programs() {
        let report = report(1.1, 1.0);

        let table = report.table();
        assert!(table.contains("join         cpu               1.100"), "{table}");
        assert!(table.contains("SLOWER") && table.contains("\nWORSE: join.\n"), "{table}");
        assert!(table.contains("LEFT OUT: the old program cannot run `model`: unknown kind\n"));
        assert_eq!(report.json()["worse"], true);
        assert_eq!(report.json()["cases"][0]["figures"][0]["verdict"], "more");
    }

    #[test]
    fn more_instructions_alone_are_worse() {
        assert!(report(1.0, 1.01).is_worse());
        assert!(!report(1.0, 1.0).is_worse());
    }

    #[test]
    fn pairs_that_are_missing_are_told_roughly() {
        assert_eq!([7, 123, 99, 8_765].map(rounded_up), [7, 130, 99, 8_800]);
    }
}

//! What was measured, as a person or a program reads it.

use std::{fmt::Write, num::NonZero, thread::available_parallelism};

use serde_json::{Value, json};

use crate::{
    status::{grouped, span, times},
    terminal::Ink,
};

use super::{Measured, latency::Paced, memory::Memory, rounds::Round};

/// Rounds that differ by more were disturbed.
const QUIET: f64 = 0.1;

/// A figure over all rounds.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Spread {
    median: f64,
    least: f64,
    most: f64,
}

impl Spread {
    fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let (least, most) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median = match values.len() % 2 {
            0 => f64::midpoint(values[middle - 1], values[middle]),
            _ => values[middle],
        };
        Some(Self { median, least, most })
    }

    /// From the least to the most, as a share of the median.
    fn width(self) -> f64 {
        if self.median > 0.0 { (self.most - self.least) / self.median } else { 0.0 }
    }

    fn json(self) -> Value {
        json!({ "median": self.median, "least": self.least, "most": self.most })
    }
}

/// One node over all rounds.
struct Share {
    name: String,
    kind: &'static str,
    calls_per_s: f64,
    call_ns: Option<f64>,
    /// Of all that was computed in nodes.
    share: f64,
}

struct Figures {
    frames: Spread,
    samples: Spread,
    bytes: Spread,
    times: Option<Spread>,
    /// Nodes by what they take, the most first.
    shares: Vec<Share>,
    /// What nodes computed, as a share of the time of all cores.
    computing: f64,
}

impl Figures {
    fn of(measured: &Measured) -> Self {
        let rounds = &measured.rounds;
        let rate = |what: fn(&Round) -> f64| {
            let rates = rounds.iter().map(|round| what(round) / round.seconds.max(1e-9));
            Spread::of(rates).expect("there is a round")
        };
        let content = rounds.iter().map(|round| Some(round.content_s? / round.seconds.max(1e-9)));
        let content: Option<Vec<f64>> = content.collect();
        let computing = rounds.iter().map(|round| {
            let ns: f64 = round.nodes.iter().map(super::rounds::Worked::ns).sum();
            ns / (round.seconds.max(1e-9) * 1e9 * measured.cores as f64)
        });
        let count = rounds[0].nodes.len();
        let mut shares: Vec<Share> = (0..count).map(|number| share(rounds, number)).collect();
        shares.sort_by(|a, b| b.share.total_cmp(&a.share));
        Self {
            frames: rate(|round| round.frames as f64),
            samples: rate(|round| round.samples as f64),
            bytes: rate(|round| round.bytes as f64),
            times: content.and_then(|content| Spread::of(content.into_iter())),
            shares,
            computing: Spread::of(computing).map_or(0.0, |spread| spread.median),
        }
    }
}

fn share(rounds: &[Round], number: usize) -> Share {
    let works = || rounds.iter().map(|round| &round.nodes[number]);
    let median = |values: &mut dyn Iterator<Item = f64>| {
        Spread::of(values).map_or(0.0, |spread| spread.median)
    };
    let timed: Vec<f64> = works().filter_map(|work| work.call_ns).collect();
    let shares = rounds.iter().map(|round| {
        let all: f64 = round.nodes.iter().map(super::rounds::Worked::ns).sum();
        if all > 0.0 { round.nodes[number].ns() / all } else { 0.0 }
    });
    let calls = rounds.iter().map(|round| round.nodes[number].calls / round.seconds.max(1e-9));
    let first = &rounds[0].nodes[number];
    Share {
        name: first.name.clone(),
        kind: first.kind,
        calls_per_s: median(&mut { calls }),
        call_ns: (!timed.is_empty()).then(|| median(&mut timed.into_iter())),
        share: median(&mut { shares }),
    }
}

pub(super) fn text(measured: &Measured, ink: Ink) -> String {
    let mut text = String::new();
    written(measured, ink, &mut text).expect("writing to a String cannot fail");
    text
}

fn written(measured: &Measured, ink: Ink, text: &mut String) -> std::fmt::Result {
    let Ink { bold, off, .. } = ink;
    let figures = Figures::of(measured);
    let settings = &measured.settings;
    let (rounds, cores) = (measured.rounds.len(), measured.cores);
    writeln!(
        text,
        "{bold}{}{off} on {} of {} here · {} of {} s after {} s",
        measured.graph,
        engine::counted(cores as u64, "data core"),
        engine::counted(processors() as u64, "processor"),
        engine::counted(rounds as u64, "round"),
        settings.seconds,
        settings.warm_up,
    )?;
    writeln!(
        text,
        "\n{bold}throughput{off}       median          least …            most   spread"
    )?;
    let row = |text: &mut String, name: &str, spread: Spread, unit: &str| {
        let Spread { median, least, most } = spread;
        writeln!(
            text,
            "  {name:9} {:>12} {:>14} … {:>15} {:>6.0} %   {unit}",
            grouped(median),
            grouped(least),
            grouped(most),
            100.0 * spread.width(),
        )
    };
    row(text, "frames", figures.frames, "a second, into the graph")?;
    row(text, "samples", figures.samples, "a second and channel")?;
    row(text, "bytes", figures.bytes, "a second")?;
    if let Some(factor) = figures.times {
        row(text, "content", factor, "× real time")?;
    }
    nodes(&figures, measured, ink, text)?;
    for (number, line) in measured.limit.iter().enumerate() {
        let head = if number == 0 { "limit" } else { "     " };
        writeln!(text, "  {head}  {line}")?;
    }
    if let Some(paced) = &measured.paced {
        lateness(paced, ink, text)?;
    }
    writeln!(text, "\n{bold}memory{off}")?;
    match &measured.memory {
        Memory::Counted { frames, asked, seconds } => writeln!(
            text,
            "  asked for {} in {} on all edges, {:.3} a frame; {seconds} s of content after ten, on manual time",
            engine::counted(*asked, "time"),
            engine::counted(*frames, "frame"),
            *asked as f64 / *frames as f64,
        )?,
        Memory::Unknown(why) => writeln!(text, "  not counted: {why}")?,
    }
    let notes = notes(measured, &figures);
    if !notes.is_empty() {
        writeln!(text)?;
    }
    notes.iter().try_for_each(|note| writeln!(text, "note: {note}"))
}

fn nodes(figures: &Figures, measured: &Measured, ink: Ink, text: &mut String) -> std::fmt::Result {
    let Ink { bold, off, .. } = ink;
    let column = |of: fn(&Share) -> usize, least: usize| {
        figures.shares.iter().map(of).max().unwrap_or(0).max(least)
    };
    let name = column(|share| share.name.chars().count(), 8);
    let kind = column(|share| share.kind.chars().count(), 8);
    writeln!(
        text,
        "\n{bold}where the time goes{off}, by what was timed: about one turn in 256, without the look at the clock"
    )?;
    writeln!(text, "  {:name$}  {:kind$}   share      calls/s     ns a call", "node", "kind")?;
    for share in &figures.shares {
        let (part, call) = match share.call_ns {
            Some(ns) => (format!("{:.1} %", 100.0 * share.share), format!("{ns:.0}")),
            None => ("–".to_owned(), "–".to_owned()),
        };
        let calls = grouped(share.calls_per_s);
        writeln!(
            text,
            "  {:name$}  {:kind$} {part:>7} {calls:>12} {call:>13}",
            share.name, share.kind
        )?;
    }
    let cores = if measured.cores == 1 { "the core's" } else { "the cores'" };
    writeln!(
        text,
        "  all of them: {:.0} % of {cores} time; the rest moves frames, and waits",
        100.0 * figures.computing.min(1.0)
    )
}

fn lateness(paced: &Paced, ink: Ink, text: &mut String) -> std::fmt::Result {
    let Ink { bold, off, .. } = ink;
    writeln!(
        text,
        "\n{bold}latency{off} from the door to the sink, at {} real time, for {:.1} s",
        times(paced.pace),
        paced.seconds
    )?;
    let width = paced.sinks.iter().map(|sink| sink.name.chars().count()).max().unwrap_or(0).max(4);
    writeln!(
        text,
        "  {:width$}  {:>8} {:>9} {:>9} {:>9} {:>9}",
        "sink", "frames", "p50", "p90", "p99", "p99.9"
    )?;
    for sink in &paced.sinks {
        let figures = match sink.quantiles {
            Some(quantiles) => quantiles.map(|ns| format!(" {:>9}", span(ns))).concat(),
            None => "  none came".to_owned(),
        };
        let allowed = match (sink.deadline_ns, sink.quantiles) {
            (Some(deadline), Some([_, _, p99, _])) if p99 > deadline => {
                format!("   above the {} allowed", span(deadline))
            }
            (Some(deadline), _) => format!("   of {} allowed", span(deadline)),
            (None, _) => String::new(),
        };
        writeln!(
            text,
            "  {:width$}  {:>8}{figures}{allowed}",
            sink.name,
            grouped(sink.frames as f64)
        )?;
    }
    let sinks = paced.time.sinks.iter();
    let mut told = sinks.map(|sink| crate::profile::of_sink(&paced.time.nodes, sink));
    told.try_for_each(|line| writeln!(text, "  {line}"))
}

/// What keeps the figures from being better than they are.
fn notes(measured: &Measured, figures: &Figures) -> Vec<String> {
    let mut notes = measured.remarks.clone();
    let width = figures.frames.width();
    if measured.rounds.len() < 3 {
        notes.push("fewer than three rounds tell nothing about noise".to_owned());
    } else if width > QUIET {
        notes.push(format!(
            "rounds differ by {:.0} %: the machine does other things as well; a difference smaller than that \
             tells nothing",
            100.0 * width
        ));
    }
    if measured.rounds.iter().any(|round| round.is_short) {
        notes.push("the sources end before the warm-up does, so that starting and ending are measured, too".to_owned());
    }
    if let Some(paced) = &measured.paced {
        let few = paced.sinks.iter().filter(|sink| (1..1_000).contains(&sink.frames));
        let few: Vec<String> = few.map(|sink| format!("`{}`", sink.name)).collect();
        if !few.is_empty() {
            notes.push(format!(
                "{}: p99.9 of fewer than 1000 frames is the latest of them; `--pace-seconds` gives it more",
                few.join(", ")
            ));
        }
    }
    if processors() < measured.cores + 1 {
        notes.push("as many data cores as processors: what controls them shares one".to_owned());
    }
    if cfg!(debug_assertions) {
        notes.push("this is no release build; it checks more than what ships".to_owned());
    }
    notes
}

fn processors() -> usize {
    available_parallelism().map_or(1, NonZero::get)
}

pub(super) fn json(measured: &Measured) -> Value {
    let figures = Figures::of(measured);
    let nodes = figures.shares.iter().map(|share| {
        json!({
            "node": share.name, "kind": share.kind, "calls_per_s": share.calls_per_s,
            "ns_per_call": share.call_ns, "share": share.call_ns.map(|_| share.share),
        })
    });
    let latency = measured.paced.as_ref().map(|paced| {
        let sinks = paced.sinks.iter().map(|sink| {
            let mut one = json!({
                "node": sink.name, "frames": sink.frames, "deadline_ns": sink.deadline_ns,
            });
            for (n, name) in ["p50_ns", "p90_ns", "p99_ns", "p99_9_ns"].iter().enumerate() {
                one[*name] = json!(sink.quantiles.map(|all| all[n]));
            }
            one
        });
        json!({ "pace": paced.pace, "seconds": paced.seconds, "sinks": sinks.collect::<Vec<_>>() })
    });
    let memory = match &measured.memory {
        Memory::Counted { frames, asked, seconds } => json!({
            "frames": frames, "allocations": asked, "content_s": seconds,
            "allocations_per_frame": *asked as f64 / *frames as f64,
        }),
        Memory::Unknown(why) => json!({ "not_counted": why }),
    };
    json!({
        "graph": measured.graph,
        "data_cores": measured.cores,
        "processors": processors(),
        "rounds": measured.rounds.len(),
        "seconds": measured.settings.seconds,
        "warm_up_s": measured.settings.warm_up,
        "throughput": {
            "frames_per_s": figures.frames.json(),
            "samples_per_s": figures.samples.json(),
            "bytes_per_s": figures.bytes.json(),
            "times_real_time": figures.times.map(Spread::json),
        },
        "nodes": nodes.collect::<Vec<_>>(),
        "computing_share": figures.computing,
        "limit": measured.limit,
        "latency": latency,
        "memory": memory,
        "notes": notes(measured, &figures),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_the_middle_and_both_ends() {
        let of = |values: &[f64]| Spread::of(values.iter().copied());

        assert_eq!(of(&[3.0, 1.0, 2.0]), Some(Spread { median: 2.0, least: 1.0, most: 3.0 }));
        assert_eq!(of(&[4.0, 1.0]), Some(Spread { median: 2.5, least: 1.0, most: 4.0 }));
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[3.0, 1.0, 2.0]).map(Spread::width), Some(1.0));
    }
}

//! What limits a run: graphs of built-in kinds with one planted limit each, made by chance, run by the program
//! (`AFFERENT`, else the one built beside this bench), and what it says of them.
//!
//! ```text
//! --seeds N    so many graphs (200), from --first N on    --case CAUSE   of one cause only
//! --beside N   threads that take all of the processor they can get
//! --change     does what is advised, and runs the graph again
//! --words      shows every verdict, else only wrong ones; --graphs their graphs and all that was said
//! ```

#[path = "limits/causes.rs"]
mod causes;
#[path = "limits/change.rs"]
mod change;
#[path = "limits/cost.rs"]
mod cost;
#[path = "limits/planted.rs"]
mod planted;
#[path = "limits/told.rs"]
mod told;
#[path = "limits/world.rs"]
mod world;

use std::collections::BTreeMap;

use cost::Costs;
use planted::{CAUSES, Planted};
use told::Told;

fn main() {
    if told::program().is_none() {
        println!("  SKIPPED: build the program first: cargo build --release");
        return;
    }
    let asked = Asked::read();
    let costs = Costs::measure();
    let neighbours = world::Neighbours::start(asked.beside);
    let mut seen = Seen::default();
    for seed in asked.first..asked.first + asked.seeds {
        let cause = asked.causes[seed as usize % asked.causes.len()];
        let planted = causes::plant(cause, seed, &costs);
        let told = told::run(&planted);
        let is_right = planted.is_named_by(&told);
        seen.count(&planted, is_right);
        if !is_right || asked.words {
            show_verdict(seed, &planted, &told, is_right, asked.graphs);
        }
        if asked.change && is_right && !told.change.is_empty() {
            seen.changes.push(take_advice(seed, &planted, &told, &asked));
        }
    }
    drop(neighbours);
    seen.show(&asked);
    let _ = std::fs::remove_dir_all(told::folder());
}

/// What the words after the program's name ask for.
struct Asked {
    seeds: u64,
    first: u64,
    causes: Vec<&'static str>,
    beside: usize,
    change: bool,
    words: bool,
    graphs: bool,
}

impl Asked {
    fn read() -> Self {
        let words: Vec<String> = std::env::args().skip(1).collect();
        let has = |word: &str| words.iter().any(|given| given == word);
        let after = |word: &str| {
            let at = words.iter().position(|given| given == word)?;
            words.get(at + 1).cloned()
        };
        let number =
            |word: &str, other: u64| after(word).and_then(|n| n.parse().ok()).unwrap_or(other);
        let only = after("--case");
        let is_asked = |cause: &&str| only.as_ref().is_none_or(|only| only == cause);
        let causes: Vec<_> = CAUSES.into_iter().filter(is_asked).collect();
        assert!(!causes.is_empty(), "--case is one of {CAUSES:?}");
        Self {
            seeds: number("--seeds", if has("--test") { CAUSES.len() as u64 } else { 200 }),
            first: number("--first", 0),
            causes,
            beside: number("--beside", 0) as usize,
            change: has("--change"),
            words: has("--words"),
            graphs: has("--graphs"),
        }
    }
}

/// What came of all graphs.
#[derive(Default)]
struct Seen {
    /// Graphs and how many were right first time, by cause and variety.
    table: BTreeMap<(&'static str, &'static str), [u64; 2]>,
    /// Whether what was advised has helped.
    changes: Vec<bool>,
}

impl Seen {
    fn count(&mut self, planted: &Planted, is_right: bool) {
        let row = self.table.entry((planted.cause, planted.kind)).or_default();
        row[0] += 1;
        row[1] += u64::from(is_right);
    }

    fn show(&self, asked: &Asked) {
        for ((cause, kind), [graphs, right]) in &self.table {
            println!("  {cause:8} {kind:44} {right:3} of {graphs:3}");
        }
        let right: u64 = self.table.values().map(|row| row[1]).sum();
        println!("  right first time: {right} of {}, {} threads beside", asked.seeds, asked.beside);
        if asked.change {
            let helped = self.changes.iter().filter(|helped| **helped).count();
            println!("  what was advised helped: {helped} of {}", self.changes.len());
        }
    }
}

fn show_verdict(seed: u64, planted: &Planted, told: &Told, is_right: bool, all: bool) {
    let is = if is_right { "right" } else { "WRONG" };
    let Planted { cause, kind, nodes, words, text, .. } = planted;
    println!(
        "  {is} {seed}, {cause} ({kind}) at {}: {} `{}` after {:.0} ms: {}; {}",
        nodes.join(" or "),
        told.cause,
        told.node,
        told.lasted_ms,
        told.why,
        told.change
    );
    if all {
        println!("{words:?}\n{text}\n{}", told.text);
    }
}

/// Whether what is advised helps.
fn take_advice(seed: u64, planted: &Planted, told: &Told, asked: &Asked) -> bool {
    let after = change::changed(planted, told).map(|changed| (told::run(&changed), changed));
    let helped = after.as_ref().is_some_and(|(after, _)| change::is_less(told, after));
    if helped && !asked.words {
        return true;
    }
    let Planted { cause, kind, .. } = planted;
    let head = format!("  {} {seed}, {cause} ({kind})", if helped { "helped" } else { "NO HELP" });
    let Some((after, changed)) = after else {
        println!("{head}: nothing that can be done: {}", told.change);
        return false;
    };
    println!(
        "{head}: {}; {:.0} → {:.0} ms, p99 {:.1} → {:.1} ms, {} → {} dropped, then {} `{}`: {}",
        told.change,
        told.lasted_ms,
        after.lasted_ms,
        told.p99_ms,
        after.p99_ms,
        told.dropped,
        after.dropped,
        after.cause,
        after.node,
        after.why
    );
    if asked.graphs {
        println!("{:?}\n{}\n{}", changed.words, changed.text, after.text);
    }
    helped
}

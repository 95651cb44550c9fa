//! A measurement from the command line to the exit code.

use std::{
    path::PathBuf,
    process::ExitCode,
    sync::{Arc, atomic::AtomicBool},
};

use clap::Parser;

use crate::{
    beside::Beside,
    cases::{self, Case},
    chance,
    counts::{self, Counted},
    judge::Limits,
    measure::{self, Place},
    noise::{self, Noise},
    process,
    programs::{Sources, Workshop},
    progress::Progress,
    report::{Report, Row},
    rounds::{PAIRS, Rules, Trial, WRONG},
    trouble::Trouble,
};

/// Something got worse.
const WORSE: u8 = 1;
/// Nothing can be said.
const TROUBLE: u8 = 2;
/// As shells tell of Ctrl-C.
const INTERRUPTED: u8 = 130;
/// Counts of each program when noise is recorded.
const COUNTS_RECORDED: usize = 5;

/// Tells whether the working tree is slower than a commit: both are built and run in pairs.
///
/// Ends with 0 if nothing got worse, 1 if something did, 2 if that could not be measured.
#[derive(Debug, Parser)]
#[command(name = "regress")]
struct Asked {
    /// The commit to compare with: a branch, a tag, `HEAD~1`
    #[arg(long, value_name = "REV", required_unless_present = "list", default_value = "")]
    base: String,

    /// Say what cases there are, and run none
    #[arg(long)]
    list: bool,

    /// Pairs of runs that a case may have; it has fewer where they tell enough
    #[arg(long, value_name = "N", default_value_t = PAIRS, value_parser = pairs)]
    pairs: usize,

    /// Only these cases, with blanks or commas between them
    #[arg(long, value_name = "NAMES", default_value = "")]
    cases: String,

    /// Cargo's profile for both programs: `test` is built sooner, `release` is what ships
    #[arg(long, value_name = "NAME", default_value = "release")]
    profile: String,

    /// Write everything for programs as well; `-` is stdout, in place of the table
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Decides which program runs first in which pair [default: by chance]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// Run all pairs of equal programs, and keep how they differed as noise for tests
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
}

/// More than anybody waits for; a mistyped number must not run for a week.
const PAIRS_MOST: usize = 1_000;

fn pairs(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|pairs| (1..=PAIRS_MOST).contains(pairs));
    number.ok_or_else(|| format!("pairs are a number from 1 to {PAIRS_MOST}; 120 tell most"))
}

/// The program.
pub fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.first().is_some_and(|word| word == "one") {
        return one(&words[1..]);
    }
    let asked = Asked::parse();
    if asked.list {
        for Case { name, about, .. } in cases::CASES {
            println!("{name:<12} {about}");
        }
        return ExitCode::SUCCESS;
    }
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        // Without it Ctrl-C ends us at once, and what we started when it is through.
        let _ = signal_hook::flag::register(signal, Arc::clone(&interrupted));
    }
    match measured(&asked, &interrupted).and_then(|report| tell(&asked, &report)) {
        Ok(false) => ExitCode::SUCCESS,
        Ok(true) => ExitCode::from(WORSE),
        Err(trouble) => {
            eprintln!("regress: {trouble}");
            ExitCode::from(match trouble {
                Trouble::Interrupted => INTERRUPTED,
                _ => TROUBLE,
            })
        }
    }
}

/// The process between: `one TIMES OUTPUT PROGRAM WORDS…`.
fn one(words: &[String]) -> ExitCode {
    let [times, output, command @ ..] = words else { return ExitCode::from(TROUBLE) };
    let told = measure::one(times.parse().unwrap_or(1), output.as_ref(), command);
    match told {
        Ok(told) => {
            println!("{told}");
            ExitCode::SUCCESS
        }
        Err(said) => {
            eprintln!("{said}");
            ExitCode::FAILURE
        }
    }
}

fn measured(asked: &Asked, interrupted: &AtomicBool) -> Result<Report, Trouble> {
    let names: Vec<String> =
        asked.cases.split([' ', ',']).filter(|name| !name.is_empty()).map(str::to_owned).collect();
    let cases = cases::chosen(&names).map_err(Trouble::Asked)?;
    let workshop = Workshop::open(&asked.profile)?;
    let (old, new) = (workshop.base(&asked.base)?, workshop.present()?);
    let place = Place::new(&workshop.folder, interrupted)?;
    let programs = workshop.both(&place, &old, &new)?;
    let equal = programs[0] == programs[1];
    if asked.record.is_some() && !equal {
        let wrong = "noise is what equal programs do beside each other\n  hint: `--base HEAD`, with \
                    nothing changed since";
        return Err(Trouble::Asked(wrong.to_owned()));
    }
    eprintln!("regress: old: {}\nregress: new: {}", old.name, new.name);
    let beside = Beside::start(place, programs, &workshop.cases(), &cases)?;
    compared(asked, beside, [old, new], equal)
}

fn compared(
    asked: &Asked,
    mut beside: Beside<'_>,
    [old, new]: [Sources; 2],
    equal_programs: bool,
) -> Result<Report, Trouble> {
    let seed = asked.seed.unwrap_or_else(chance::seed);
    let limits = Limits::USUAL;
    let all = asked.record.is_some();
    let rules = Rules { pairs_most: asked.pairs, wrong: WRONG, limits, all };
    let (machine, began) = (process::machine(), process::Usage::now());
    let trial = run(&mut beside, rules, seed)?;
    let others_pct = began.others_pct();
    let keep = |counted: &[Option<Counted>]| match &asked.record {
        Some(file) => record(file, &remarks(asked, seed, &machine, others_pct), &beside, counted),
        None => Ok(()),
    };
    let can = counts::can();
    let nothing = vec![None; beside.ready.len()];
    // Counting takes as long again; what was measured is kept before.
    keep(&nothing)?;
    let counted = if can { count(&beside, all)? } else { nothing };
    keep(&counted)?;
    let rows =
        beside.ready.iter().zip(trial.cases).zip(counted).map(|((ready, series), counted)| {
            let (case, likeness, varies) = (ready.case.name, ready.likeness(), ready.varies);
            Row { case, series, counted, likeness, varies }
        });
    Ok(Report {
        old: old.name,
        new: new.name,
        profile: asked.profile.clone(),
        seed,
        machine,
        others_pct,
        limits,
        equal_programs,
        rows: rows.collect(),
        left_out: std::mem::take(&mut beside.left_out),
        uncounted: (!can).then_some("valgrind is not installed; apt-get install valgrind"),
    })
}

/// All rounds.
fn run(beside: &mut Beside<'_>, rules: Rules, seed: u64) -> Result<Trial, Trouble> {
    let mut trial = Trial::new(beside.ready.len(), rules, seed);
    let mut progress = Progress::start();
    let (first, all) = (beside.pair_s(), trial.pairs_left());
    while trial.pairs_left() > 0 {
        let done = all - trial.pairs_left();
        let pair_s = if done == 0 { first } else { progress.seconds() / done as f64 };
        let open = trial.open();
        let what = format!("{open} of {} cases are not settled", trial.cases.len());
        progress.tell(&what, trial.pairs_left() as f64 * pair_s);
        trial.round(beside)?;
    }
    Ok(trial)
}

/// Instructions of all cases.
fn count(beside: &Beside<'_>, recorded: bool) -> Result<Vec<Option<Counted>>, Trouble> {
    let runs = if recorded { COUNTS_RECORDED } else { counts::RUNS };
    let mut progress = Progress::start();
    let number = beside.ready.len();
    let counted = beside.ready.iter().enumerate().map(|(n, ready)| {
        // Until one is through nobody knows; some three seconds a run.
        let each_s = if n == 0 { 6.0 * runs as f64 } else { progress.seconds() / n as f64 };
        let case: &Case = ready.case;
        progress
            .tell(&format!("counts instructions of `{}`", case.name), each_s * (number - n) as f64);
        beside.count(case, runs)
    });
    counted.collect()
}

fn remarks(asked: &Asked, seed: u64, machine: &str, others_pct: (f64, f64)) -> Vec<String> {
    vec![
        "Noise: what equal programs did beside each other, second run over first, logarithms in 1e-5."
            .to_owned(),
        format!(
            "made by: regress --base {} --pairs {} --profile {} --seed {seed} --record FILE",
            asked.base, asked.pairs, asked.profile
        ),
        format!("on: {machine}; others had {:.0} % of it, the hypervisor {:.0} %", others_pct.0, others_pct.1),
    ]
}

fn record(
    file: &PathBuf,
    remarks: &[String],
    beside: &Beside<'_>,
    counted: &[Option<Counted>],
) -> Result<(), Trouble> {
    let of = beside.ready.iter().zip(counted).map(|(ready, counted)| {
        Noise::of(ready.case.name, &ready.second_over_first, counted.as_ref())
    });
    let text = noise::written(remarks, &of.collect::<Vec<_>>());
    std::fs::write(file, text)
        .map_err(|error| Trouble::Machine(format!("{}: {error}", file.display())))
}

/// Whether it got worse.
fn tell(asked: &Asked, report: &Report) -> Result<bool, Trouble> {
    match &asked.json {
        Some(file) if file.as_os_str() == "-" => println!("{:#}", report.json()),
        Some(file) => {
            std::fs::write(file, format!("{:#}\n", report.json()))
                .map_err(|error| Trouble::Machine(format!("{}: {error}", file.display())))?;
            print!("{}", report.table());
        }
        None => print!("{}", report.table()),
    }
    Ok(report.is_worse())
}

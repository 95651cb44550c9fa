//! Work of a muscle, beside neurokit2's (`emg_activation`, method "mixture", batch).

use afferent_suite::data::folder;
use engine::testing::Bench;
use operators::biosignal::emg;

use crate::tables::{column, heard, numbers};

#[test]
fn work_of_a_muscle_is_where_neurokit2_finds_it() {
    let Some(data) = folder() else { return };
    let golden = include_str!("../golden/recordings.json");
    let of = |key| numbers(&golden[golden.find("biosppy-emg").expect("a case")..], &[key]);
    let theirs: Vec<(f64, f64)> = of("onsets").into_iter().zip(of("offsets")).collect();
    let samples = column(&data.join("PIA-Group+BioSPPy/examples/emg.txt"), 0, 4);
    let mut bench = Bench::build(&emg::KIND, 1_000.0, "").expect("valid");
    let seen = heard(&mut bench, &samples, 1_000.0);
    let events: Vec<(f64, &str)> = seen
        .iter()
        .filter(|seen| seen.port == 0)
        .map(|seen| (seen.time().secs_f64(), seen.text("cue").expect("told")))
        .collect();
    let work: Vec<(f64, f64)> = events.chunks_exact(2).map(|pair| (pair[0].0, pair[1].0)).collect();
    assert!(events.chunks_exact(2).all(|pair| pair[0].1 == "onset" && pair[1].1 == "offset"));

    let overlap = |a: (f64, f64), b: (f64, f64)| (a.1.min(b.1) - a.0.max(b.0)).max(0.0);
    let length = |of: &[(f64, f64)]| of.iter().map(|(from, to)| to - from).sum::<f64>();
    let both: f64 = work.iter().flat_map(|a| theirs.iter().map(|b| overlap(*a, *b))).sum();
    // The signal is weak: at work it is 1.3 to 1.8 times rest, and between 35 and 58 s. What is
    // longer than 0.3 s is no chance.
    let long = theirs.iter().filter(|(from, to)| to - from > 0.3);
    let seen_of = |their: &&(f64, f64)| work.iter().any(|ours| overlap(*ours, **their) > 0.0);
    let (long, hit) = (long.clone().count(), long.filter(seen_of).count());
    let inside: f64 = work.iter().map(|ours| overlap(*ours, (33.0, 60.0))).sum();
    println!(
        "biosppy-emg: {} times work, {:.1} s; neurokit2 {} times, {:.1} s; {both:.1} s of both; {hit} of its \
         {long} longer than 0.3 s; {inside:.1} s of ours from 33 to 60 s",
        work.len(),
        length(&work),
        theirs.len(),
        length(&theirs)
    );
    // Four of five; 8.1 of 8.5 s.
    assert!(hit * 10 >= long * 8, "{hit} of {long}");
    assert!(inside > 0.85 * length(&work), "{inside} s of {}", length(&work));
}

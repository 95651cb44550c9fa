use engine::{
    Rate,
    testing::{Bench, Seen},
};

use super::*;
use crate::source::skin;

fn conductance(params: &str) -> (Vec<f32>, Vec<Seen>) {
    let params = format!("seconds = 300.0\n{params}");
    let mut source = Bench::build(&skin::KIND, 0.0, &params).expect("valid");
    while !source.pull(1_000) {}
    let (samples, truth): (Vec<Seen>, Vec<Seen>) =
        source.take().into_iter().partition(|seen| seen.port == 0);
    (samples.iter().flat_map(|seen| seen.frame.samples().to_vec()).collect(), truth)
}

fn bench(params: &str) -> Bench {
    Bench::build(&KIND, 20.0, params).expect("valid")
}

/// What came by a port.
fn signal(seen: &[Seen], port: usize) -> Vec<f32> {
    let of_port = seen.iter().filter(|seen| seen.port == port);
    of_port.flat_map(|seen| seen.frame.samples().to_vec()).collect()
}

#[test]
fn both_parts_add_up_and_responses_are_where_they_are() {
    let (samples, truth) = conductance("");
    let mut eda = bench("");
    samples.chunks(7).for_each(|frame| drop(eda.feed(frame)));
    eda.flush();
    let seen = eda.take();

    let (tonic, phasic, valid) = (signal(&seen, 1), signal(&seen, 2), signal(&seen, 3));
    assert_eq!([tonic.len(), phasic.len(), valid.len()], [samples.len(); 3]);
    for ((tonic, phasic), sample) in tonic.iter().zip(&phasic).zip(&samples) {
        // Each is rounded to f32 below 8: half of 2^-21 each, and once more where they are added.
        assert!((tonic + phasic - sample).abs() <= 1e-6, "{tonic} + {phasic} is not {sample}");
    }
    assert!(valid.iter().all(|valid| *valid == 1.0));
    let responses: Vec<&Seen> = seen.iter().filter(|seen| seen.port == 0).collect();
    let near = |truth: &&Seen| {
        responses.iter().any(|seen| seen.time().since(truth.time()).abs() < 500_000_000)
    };
    let hit = truth.iter().filter(near).count();
    assert!(hit * 10 >= truth.len() * 9, "{hit} of {}", truth.len());
    assert!(responses.len() * 10 <= truth.len() * 11, "{} of {}", responses.len(), truth.len());
    assert_eq!(eda.late(), 0);
}

#[test]
fn an_electrode_that_comes_off_is_no_response() {
    let (mut samples, _) = conductance("responses_per_min = 0.01\ndrift_microsiemens = 0.0");
    // Off for a second and for ten; then on again at another level.
    samples[1_000..1_020].fill(0.0);
    samples[3_000..3_200].fill(0.0);
    samples[3_200..].iter_mut().for_each(|sample| *sample += 3.0);
    let mut eda = bench("");
    eda.feed(&samples);
    eda.flush();
    let seen = eda.take();

    let (tonic, phasic, valid) = (signal(&seen, 1), signal(&seen, 2), signal(&seen, 3));
    assert!(seen.iter().all(|seen| seen.port != 0), "no response");
    assert!(phasic.iter().all(|phasic| phasic.abs() < 0.05), "held, or begun anew");
    assert!((tonic[3_100] - 5.0).abs() < 0.05, "what was last: {}", tonic[3_100]);
    assert!((tonic[3_300] - 8.0).abs() < 0.05, "the new level: {}", tonic[3_300]);
    // Five seconds are 100 samples. The long one is a gap, behind which nothing is held against the
    // signal.
    let invalid = |from: usize, to: usize| valid[from..to].iter().all(|valid| *valid == 0.0);
    let fine = |from: usize, to: usize| valid[from..to].iter().all(|valid| *valid == 1.0);
    assert!(fine(0, 1_000) && invalid(1_000, 1_120) && fine(1_121, 3_000) && invalid(3_000, 3_200));
    assert!(fine(3_400, 6_000));
}

#[test]
fn a_response_near_what_cannot_be_believed_is_not_valid() {
    let (mut samples, truth) = conductance("");
    let first = truth.iter().find(|truth| truth.time().secs_f64() > 60.0).expect("some");
    let at = (first.time().secs_f64() * 20.0) as usize - 60;
    samples[at] = 100.0;
    let mut eda = bench("");
    eda.feed(&samples);
    let seen = eda.take();
    let responses = seen.iter().filter(|seen| seen.port == 0);
    let near = responses.min_by_key(|seen| seen.time().since(first.time()).abs()).expect("some");
    let format = near.format.as_event().expect("events");
    let event = engine::EventReader::new(format, &near.frame);
    assert_eq!(event.field(3), Some(engine::FieldValue::Bool(false)));
}

#[test]
fn other_units_are_explained() {
    let rate = Rate::new(20.0).expect("a rate");
    let of = |unit: &str| {
        let input = engine::Format::signal(1, Unit::named(unit), rate, 100);
        Bench::with(&KIND, &[("in", input)], "")
    };
    assert!(of("uS").is_ok() && of("").is_ok());
    let siemens = of("S").err().expect("refused").to_string();
    assert!(siemens.contains("in S, not in uS"), "{siemens}");
    assert!(siemens.contains("1000000"), "{siemens}");
    assert!(of("mV").err().expect("refused").to_string().contains("skin conductance"));
}

#[test]
fn limits_that_cross_are_a_problem_of_the_graph() {
    let problem = Bench::build(&KIND, 20.0, "min_microsiemens = 60.0\nmax_microsiemens = 0.05")
        .err()
        .expect("refused");
    assert!(
        problem
            .to_string()
            .contains("`min_microsiemens` = 60.0 is not below `max_microsiemens` = 0.05")
    );
}

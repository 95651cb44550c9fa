//! `transcribe` on manual time, which waits for answers.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use engine::{
    Channel, EventFormat, EventWriter, Field, Format, Frame, Header, Rate, Service, Services,
    SignalFormat, Timestamp, Unit,
    testing::{Bench, MemoryFiles, Refused, Seen},
};
use model::{
    kinds::transcribe::KIND,
    transcription::{Cascade, Decoder, Pool, SpeechModel, mock::MockDecoder},
};

pub(crate) fn turns_format() -> EventFormat {
    let fields = vec![
        Field::text("what", 16),
        Field::i64("turn"),
        Field::f64("start_s"),
        Field::f64("end_s"),
        Field::f64("probability"),
    ];
    EventFormat { fields, rate_max: 20.0 }
}

fn signal(rate_hz: f64) -> Format {
    let channels = vec![Channel { name: "left".to_owned(), unit: Unit::UNKNOWN }];
    let rate = Rate::new(rate_hz).expect("a rate");
    Format::Signal(SignalFormat { channels, rate, frame_len: 1 << 14 }.into())
}

fn services(model: Arc<dyn Decoder>) -> Services {
    let speech = SpeechModel::new(Cascade::single(model), Pool::new(1));
    Services::new([("voice".to_owned(), Arc::new(speech) as Arc<dyn Service>)])
}

fn try_bench(rate_hz: f64, turns: Option<Format>, params: &str) -> Result<Bench, Refused> {
    let model = Arc::new(MockDecoder::counting(0.5));
    let mut inputs = vec![("audio", signal(rate_hz))];
    inputs.extend(turns.map(|turns| ("turns", turns)));
    let params = format!("model = \"voice\"\n{params}");
    Bench::in_world(&KIND, &inputs, &params, Arc::new(MemoryFiles::new()), services(model))
}

fn turns() -> Option<Format> {
    Some(Format::event(turns_format().fields, 20.0))
}

/// Half a second is a word, whose number is in every sample. Frames of so many samples.
fn audio(from_s: f64, to_s: f64, len: usize) -> Vec<Frame> {
    let (from, to) = ((from_s * 16e3) as usize, (to_s * 16e3) as usize);
    let frame = |at: usize| {
        let samples: Vec<f32> = (at..(at + len).min(to)).map(|at| (at / 8_000) as f32).collect();
        Frame::signal(Timestamp::from_nanos(at as i64 * 62_500), 1, &samples)
    };
    (from..to).step_by(len).map(frame).collect()
}

pub(crate) fn turn(what: &str, at_s: f64, start_s: f64, end_s: f64) -> Frame {
    let event = EventWriter::new(&turns_format()).text(0, what).i64(1, 3).f64(2, start_s);
    let header = Header::at(Timestamp::from_nanos((at_s * 1e9).round() as i64));
    Frame::new(header, event.f64(3, end_s).f64(4, 0.9).finish())
}

/// Two turns, the first of which is thought to end once when it does not.
fn play(bench: &mut Bench, len: usize) -> Vec<Seen> {
    let events = [
        turn("start", 0.6, 0.5, 0.5),
        turn("speculate", 2.2, 0.5, 2.0),
        turn("resume", 2.3, 0.5, 2.3),
        turn("speculate", 4.2, 0.5, 4.0),
        turn("end", 4.5, 0.5, 4.0),
        turn("start", 6.1, 6.0, 6.0),
        turn("end", 8.0, 6.0, 7.5),
    ];
    let mut events = events.into_iter().peekable();
    for frame in audio(0.0, 9.0, len) {
        let end = frame.header.time.nanos() + frame.len() as i64 * 62_500;
        bench.push(0, frame);
        while let Some(event) = events.next_if(|event| event.header.time.nanos() <= end) {
            bench.push(1, event);
        }
        bench.promise(1, Timestamp::from_nanos(end));
        bench.run();
    }
    bench.flush();
    wait(bench);
    bench.take()
}

/// Until all answers are there.
fn wait(bench: &mut Bench) {
    let began = Instant::now();
    while bench.bound(0) < Timestamp::MAX {
        bench.run();
        assert!(began.elapsed() < Duration::from_secs(60), "answers are missing");
        std::thread::yield_now();
    }
}

fn words(range: std::ops::Range<usize>) -> String {
    range.map(|n| format!("w{n}")).collect::<Vec<_>>().join(" ")
}

fn finals(seen: &[Seen]) -> Vec<&Seen> {
    seen.iter().filter(|it| it.port == 0 && it.text("what") == Some("final")).collect()
}

#[test]
fn turns_become_text_and_words() {
    let mut bench = try_bench(16e3, turns(), "").unwrap_or_else(|why| panic!("{why}"));
    let seen = play(&mut bench, 320);
    let finals = finals(&seen);
    let texts: Vec<&str> = finals.iter().filter_map(|it| it.text("text")).collect();
    assert_eq!(texts, [words(1..8), words(12..15)]);
    let first = finals[0];
    // It is told at the moment of its decision.
    assert_eq!(first.time(), Timestamp::from_nanos(4_500_000_000));
    assert_eq!((first.number("turn"), first.number("start_s")), (Some(3.0), Some(0.5)));
    assert_eq!(first.number("end_s"), Some(4.0));
    assert_eq!((first.text("language"), first.text("model")), (Some("en"), Some("mock")));
    assert!((first.number("confidence").unwrap() - 0.9).abs() < 1e-9, "one rounding");
    let told: Vec<&str> =
        seen.iter().filter(|it| it.port == 1).filter_map(|it| it.text("word")).collect();
    assert_eq!(told.join(" "), format!("{} {}", words(1..8), words(12..15)));
    for word in seen.iter().filter(|it| it.port == 1) {
        assert!(word.number("start_s").unwrap() < word.number("end_s").unwrap());
    }
}

#[test]
fn finals_are_the_same_however_long_frames_are() {
    let said = |len| {
        let params = "partial_s = 0.0";
        let mut bench = try_bench(16e3, turns(), params).unwrap_or_else(|why| panic!("{why}"));
        let seen = play(&mut bench, len);
        // Ports are taken in the order of their frames, which depends on how long those are.
        let mut said: Vec<_> = seen
            .iter()
            .map(|it| {
                let text = it.text("text").or(it.text("word")).unwrap_or_default().to_owned();
                (it.port, it.time(), text, it.number("start_s").map(f64::to_bits))
            })
            .collect();
        said.sort_by_key(|(port, time, ..)| (*port, *time));
        said
    };
    let short = said(160);
    assert!(short.len() > 10);
    for len in [320, 333, 4_000] {
        assert_eq!(said(len), short, "{len}");
    }
}

#[test]
fn without_turns_a_live_source_is_told_in_windows_by_a_model_that_is_busy() {
    let open = Arc::new(AtomicBool::new(false));
    let (gate, counting) = (open.clone(), MockDecoder::counting(0.5));
    let slow = MockDecoder::new("slow", move |task| {
        while !gate.load(Ordering::Relaxed) {
            std::thread::yield_now();
        }
        counting.open()?.decode(task, &|| false).map(Option::unwrap_or_default)
    });
    let files = Arc::new(MemoryFiles::new());
    let inputs = [("audio", signal(16e3))];
    let bench =
        Bench::in_world(&KIND, &inputs, "model = \"voice\"", files, services(Arc::new(slow)));
    let mut bench = bench.unwrap_or_else(|why| panic!("{why}"));
    // What it did not take in while a window is understood would pile up in front of it.
    for frame in audio(0.0, 100.0, 1_600) {
        bench.push(0, frame);
        bench.run();
    }
    assert!(bench.take().is_empty());
    open.store(true, Ordering::Relaxed);
    bench.flush();
    wait(&mut bench);
    let seen = bench.take();
    let texts: Vec<&str> = finals(&seen).iter().filter_map(|it| it.text("text")).collect();
    assert!(texts.len() > 2);
    assert_eq!(texts.join(" "), words(0..200));
    assert!(seen.iter().all(|it| it.text("what") != Some("partial")));
}

#[test]
fn what_does_not_fit_is_told() {
    let said = |rate_hz, turns, params| match try_bench(rate_hz, turns, params) {
        Ok(_) => panic!("it fits"),
        Err(refused) => refused.to_string(),
    };
    let wrong_rate = said(44_100.0, None, "");
    assert!(wrong_rate.contains("16000 samples a second, not 44100"), "{wrong_rate}");
    assert!(wrong_rate.contains("resample"), "{wrong_rate}");
    let beats = Format::event(vec![Field::f64("rr_ms")], 10.0);
    let no_turns = said(16e3, Some(beats), "");
    assert!(no_turns.contains("`what`") && no_turns.contains("op = \"speech\""), "{no_turns}");
    let language = said(16e3, None, "language = \"german\"");
    assert!(language.contains("is no language") && language.contains("\"de\""), "{language}");
    let language = said(16e3, None, "language = \"xx\"");
    assert!(language.contains("is no language"), "{language}");
}

#[test]
fn a_model_of_english_alone_is_asked_for_no_other_language() {
    let english = MockDecoder::counting(0.5).of_english();
    let bench = |language: &str| {
        let services = services(Arc::new(english.clone()));
        let params = format!("model = \"voice\"\nlanguage = {language:?}");
        let files = Arc::new(MemoryFiles::new());
        Bench::in_world(&KIND, &[("audio", signal(16e3))], &params, files, services).err()
    };
    let told = bench("de").expect("refused").to_string();
    assert!(
        told.contains("`mock` of the model `voice` knows English alone") && told.contains(".en"),
        "{told}"
    );
    assert!(bench("en").is_none() && bench("auto").is_none());
}

/// What a plan with that model of speech says.
fn plan_says(model: impl Into<Option<SpeechModel>>, params: &str) -> String {
    let text = format!(
        "[graph]\nname = \"voice\"\n[node.audio]\nop = \"tone\"\nrate_hz = 16000.0\nseconds = 1.0\n\
         [node.text]\nop = \"transcribe\"\nfrom = \"audio\"\nmodel = \"voice\"\n{params}\n\
         [node.out]\nop = \"jsonl\"\nfrom = \"text\"\n"
    );
    let spec = engine::GraphSpec::parse(&engine::SourceText::new("voice.toml", &text));
    let mut options = engine::PlanOptions::new(Arc::new(MemoryFiles::new()));
    let service = |model| ("voice".to_owned(), Arc::new(model) as Arc<dyn Service>);
    options.services = Services::new(model.into().map(service));
    let catalog = engine::Catalog::new(&[operators::CATALOG, model::CATALOG]);
    match spec.expect("it parses").plan(&catalog, &options) {
        Ok(plan) => engine::Diagnostics(plan.warnings().to_vec()).to_string(),
        Err(problems) => problems.to_string(),
    }
}

#[test]
fn a_model_that_is_not_described_is_missed_with_a_file_of_speech() {
    let told = plan_says(None, "");
    assert!(told.contains("has no `[model.voice]`"), "{told}");
    assert!(told.contains("[model.voice] with file = \"ggml-tiny.bin\""), "{told}");
}

#[test]
fn a_language_that_changes_nothing_is_told_and_one_that_a_part_of_a_model_does_not_know_refused() {
    let english = || {
        SpeechModel::new(
            Cascade::single(Arc::new(MockDecoder::counting(0.5).of_english())),
            Pool::new(1),
        )
    };
    for (params, param) in [
        ("language = \"auto\"", "`language` = \"auto\""),
        ("translate = true", "`translate` = true"),
    ] {
        let told = plan_says(english(), params);
        assert!(told.contains("warning[no-effect]") && told.contains("voice.toml:11:"), "{told}");
        assert!(told.contains(&format!("{param} changes nothing: the model `voice`")), "{told}");
        assert!(told.contains("leave `") && told.contains("ggml-tiny.bin"), "{told}");
    }
    for params in ["", "language = \"en\""] {
        assert_eq!(plan_says(english(), params), "", "{params:?} says what is so");
    }
    let several = || {
        let (small, large) = (MockDecoder::counting(0.5).of_english(), MockDecoder::counting(0.5));
        let cascade = Cascade::new(vec![Arc::new(small), Arc::new(large)], vec![0.5]);
        SpeechModel::new(cascade.expect("it fits"), Pool::new(1))
    };
    assert_eq!(plan_says(several(), "language = \"en\""), "");
    let told = plan_says(several(), "language = \"de\"");
    assert!(told.contains("error[out-of-range]"), "{told}");
    assert!(told.contains("`mock` of the model `voice` knows English alone"), "{told}");
}

#[test]
fn nothing_at_the_start_of_a_turn_is_clipped_however_long_its_pre_roll_is() {
    let mut bench =
        try_bench(16e3, turns(), "partial_s = 0.0").unwrap_or_else(|why| panic!("{why}"));
    // As early as `speech` may tell it: 10 s of pre-roll, and 5 s that must be speech.
    let mut events =
        [turn("start", 25.0, 10.0, 10.0), turn("end", 28.0, 10.0, 27.0)].into_iter().peekable();
    for frame in audio(0.0, 30.0, 16_000) {
        let end = frame.header.time.nanos() + frame.len() as i64 * 62_500;
        bench.push(0, frame);
        while let Some(event) = events.next_if(|event| event.header.time.nanos() <= end) {
            bench.push(1, event);
        }
        bench.promise(1, Timestamp::from_nanos(end));
        bench.run();
    }
    bench.flush();
    wait(&mut bench);
    let seen = bench.take();
    let texts: Vec<&str> = finals(&seen).iter().filter_map(|it| it.text("text")).collect();
    assert_eq!(texts, [words(20..54)]);
}

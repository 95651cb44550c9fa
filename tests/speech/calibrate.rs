//! Cascades of models of speech that are calibrated: with models whose every word is known, and which are sure of themselves
//! in their own way.

use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use engine::{Catalog, Disk, GraphSpec, PlanOptions, RunOptions, Service, Services, SourceText};
use model::{
    calibrate::{Logistic, Sure},
    tools::{Listening, SpokenExits, SpokenOptions, Trouble, Unit, Watch, calibrate_speech},
    transcription::{
        Cascade, Decoder, Pool, SpeechModel, Task,
        exits::SpeechExits,
        mock::{MockDecoder, hypothesis},
    },
};

fn catalog() -> Catalog {
    Catalog::new(&[operators::CATALOG, model::CATALOG])
}

fn folder(name: &str) -> PathBuf {
    let folder =
        std::env::temp_dir().join(format!("afferent-calibrate-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("room for a folder");
    folder
}

fn run(text: &str, services: Services) {
    let spec = GraphSpec::parse(&SourceText::new("run.toml", text)).expect("it parses");
    let mut options = PlanOptions::new(Arc::new(Disk));
    options.services = services;
    let plan = spec.plan(&catalog(), &options).unwrap_or_else(|why| panic!("{why}"));
    let running = Arc::new(plan)
        .start(&RunOptions { speed: None, ..RunOptions::default() })
        .expect("bodies can be built");
    let outcome = running.wait_for(Duration::from_secs(120)).expect("it ends");
    assert_eq!(outcome.fault, None);
}

/// Puts so many recordings of what is like speech into a folder.
fn record(folder: &Path, count: usize) {
    record_turns(folder, count, "speech_s = 0.8\npause_s = 0.9");
}

/// The same, spoken like that.
fn record_turns(folder: &Path, count: usize, how: &str) {
    for seed in 0..count {
        let file = folder.join(format!("r{seed:03}.wav"));
        run(
            &format!(
                "[node.says]\nop = \"speech_like\"\nrate_hz = 16000.0\nseconds = 16.0\nseed = {seed}\n\
                 {how}\n\
                 [node.out]\nop = \"audio\"\nfrom = \"says\"\nfile = {:?}\n",
                file.display().to_string()
            ),
            Services::default(),
        );
    }
}

/// Three numbers from 0 to 1 that a piece of audio alone decides.
fn drawn(task: &Task) -> [f64; 3] {
    let mut hash = DefaultHasher::new();
    task.audio.iter().for_each(|x| x.to_bits().hash(&mut hash));
    [0, 1, 2].map(|n: u8| {
        n.hash(&mut hash);
        (hash.finish() >> 11) as f64 / (1_u64 << 53) as f64
    })
}

/// What the smaller model's confidence is worth: it boasts.
const WORTH: Logistic = Logistic { slope: 2.0, offset: -1.0 };

/// A smaller model that is right as often as its confidence is worth, and a larger one.
fn models() -> [Arc<MockDecoder>; 2] {
    let small = MockDecoder::new("small", |task| {
        let [sure, is_right, _] = drawn(task);
        let text = if is_right < WORTH.of(sure) { "it is right" } else { "it is wrong" };
        Ok(hypothesis(text, 0.2, sure))
    });
    let large = MockDecoder::new("large", |_| Ok(hypothesis("It is right.", 0.2, 0.9)));
    [Arc::new(small), Arc::new(large.taking(Duration::from_millis(6)))]
}

fn options(folder: &Path) -> SpokenOptions {
    SpokenOptions {
        name: "voice".to_owned(),
        exits: None,
        listening: Listening::default(),
        data: folder.to_owned(),
        loss: 0.15,
        confidence: 0.9,
        unit: Unit::Turn,
        seed: 1,
        out: Some(folder.join("voice.exits.toml")),
    }
}

fn calibrate(options: &SpokenOptions, models: &[Arc<MockDecoder>]) -> Result<SpokenExits, Trouble> {
    let models = models.iter().map(|model| model.clone() as Arc<dyn Decoder>).collect();
    let interrupted = AtomicBool::new(false);
    calibrate_speech(
        options,
        models,
        &catalog(),
        &Watch { interrupted: &interrupted, says: &|_| () },
    )
}

#[test]
fn what_is_promised_of_a_cascade_holds_for_recordings_to_come() {
    let (tuning, coming) = (folder("tuning"), folder("coming"));
    record(&tuning, 36);
    let usual = SpokenOptions { listening: without_partials(), ..options(&tuning) };
    let told = calibrate(&usual, &models()).unwrap_or_else(|why| panic!("{why}"));

    assert_eq!((told.heard.recordings, told.heard.unknown, told.heard.silent), (36, 36, 0));
    assert!(told.heard.pieces > 150, "{:?}", told.heard);
    let expected = &told.found.expected;
    assert!(expected.shares[0] > 0.2 && expected.saved > 0.1, "{expected:?}");
    let [seen, least, most] = expected.lost;
    assert!(least < seen && seen < most, "{expected:?}");
    let gate = told.found.gates[0];
    let worth = gate.worth.expect("it was fitted");
    // Some sixty pieces tune: what half a confidence is worth is known to half a logit.
    assert!((worth.of(0.5) - WORTH.of(0.5)).abs() < 0.2, "{worth:?}");

    let text = fs::read_to_string(&told.written).expect("it was written");
    let exits = SpeechExits::parse(&text).unwrap_or_else(|why| panic!("{why}: {text}"));
    assert_eq!(exits.gates, told.found.gates);
    assert_eq!(exits.models, ["small", "large"]);

    // A run asks the larger one where the smaller one is not sure enough, and nowhere else.
    record(&coming, 24);
    let (mut finals, mut wrong, mut small) = (0, 0, 0);
    for entry in fs::read_dir(&coming).expect("it is there") {
        let recording = entry.expect("it is there").path();
        let all: Vec<Arc<dyn Decoder>> = models().map(|model| model as _).into();
        let cascade = Cascade::gated(all, exits.gates.clone()).expect("one gate");
        let speech = SpeechModel::new(cascade, Pool::awaited());
        let services = Services::new([("voice".to_owned(), Arc::new(speech) as Arc<dyn Service>)]);
        let said = recording.with_extension("jsonl");
        run(
            &format!(
                "[node.audio]\nop = \"audio\"\nfile = {:?}\n[node.speech]\nop = \"speech\"\nfrom = \"audio\"\n\
                 [node.text]\nop = \"transcribe\"\nmodel = \"voice\"\npartial_s = 0.0\nspeculate = false\nwedge_ms = 1e6\n\
                 from = {{ audio = \"audio\", turns = \"speech.turns\" }}\n\
                 [node.out]\nop = \"jsonl\"\nfrom = \"text\"\nfile = {:?}\n",
                recording.display().to_string(),
                said.display().to_string()
            ),
            services,
        );
        let said = fs::read_to_string(said).expect("it was written");
        for line in said.lines().filter(|line| line.contains("\"final\"")) {
            finals += 1;
            wrong += usize::from(line.contains("it is wrong"));
            let is_small = line.contains("\"model\":\"small\"");
            let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
            let sure = line["confidence"].as_f64().expect("it has words");
            assert!(!is_small || gate.takes(Sure::Of(sure + 1e-9)), "{line}");
            small += usize::from(is_small);
        }
    }
    assert!(finals > 100, "{finals}");
    // Three standard deviations of so many above what is promised.
    let most = 0.15 + 3.0 * (0.15 * 0.85 / f64::from(finals)).sqrt();
    assert!((wrong as f64) < most * f64::from(finals), "{wrong} of {finals}");
    // And it is the smaller one that answers as many as was told, and errs: else this could not fail.
    let share = small as f64 / f64::from(finals);
    assert!((share - told.found.expected.shares[0]).abs() < 0.15, "{share}: {expected:?}");
    assert!(wrong > 0, "{wrong} of {finals}");
    for folder in [tuning, coming] {
        let _ = fs::remove_dir_all(folder);
    }
}

#[test]
fn what_is_said_in_a_recording_judges_both_models() {
    let folder = folder("texts");
    record(&folder, 12);
    // The larger one is wrong everywhere, so that the smaller one's word is never worse.
    for entry in fs::read_dir(&folder).expect("it is there").collect::<Vec<_>>() {
        let text = entry.expect("it is there").path().with_extension("txt");
        fs::write(text, "it was wrong ".repeat(6)).expect("room for a text");
    }
    let told = calibrate(&SpokenOptions { loss: 0.3, ..options(&folder) }, &models());
    let told = told.unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(told.heard.unknown, 0);
    assert!(told.found.alone[0] > 0.95, "{:?}", told.found.alone);
    assert!(told.found.expected.shares[0] > 0.9, "{:?}", told.found.expected);
    let _ = fs::remove_dir_all(folder);
}

/// The same words from the smaller one, but for partials: these it begins otherwise.
fn hasty() -> [Arc<MockDecoder>; 2] {
    let small = MockDecoder::new("small", |task| {
        // Partials come with every whole second of audio, as turns do not end.
        let is_partial = task.audio.len().is_multiple_of(16_000);
        let text = if is_partial { "well so is it" } else { "it is right" };
        Ok(hypothesis(text, 0.2, 0.9))
    });
    [Arc::new(small), models()[1].clone()]
}

#[test]
fn what_partials_have_told_and_nobody_takes_back_counts() {
    let folder = folder("hasty");
    record_turns(&folder, 12, "speech_s = 4.0\npause_s = 1.2");
    let loose = SpokenOptions { loss: 0.1, confidence: 0.6, ..options(&folder) };
    let none = calibrate(&loose, &hasty()).expect_err("every turn begins with what is wrong");
    assert!(none.message.contains("too many are worse"), "{none}");
    assert!(none.hint.contains("`partial_s = 0`"), "{}", none.hint);

    let told = calibrate(&SpokenOptions { listening: without_partials(), ..loose }, &hasty());
    let told = told.unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(told.found.expected.lost[0], 0.0, "{:?}", told.found.expected);
    let _ = fs::remove_dir_all(folder);
}

/// As a node hears that tells nothing before a turn has ended.
fn without_partials() -> Listening {
    let graph = "[model.voice]\nfile = \"x.bin\"\n[node.audio]\nop = \"audio\"\n[node.speech]\nop = \"speech\"\nfrom = \"audio\"\n\
                 [node.text]\nop = \"transcribe\"\nmodel = \"voice\"\npartial_s = 0\n\
                 from = { audio = \"audio\", turns = \"speech.turns\" }\n";
    let spec = GraphSpec::parse(&SourceText::new("g.toml", graph)).expect("it parses");
    Listening::of(&spec, "voice", None).expect("it hears turns")
}

#[test]
fn a_model_that_takes_longer_than_a_body_may_is_waited_for() {
    let folder = folder("slow");
    record_turns(&folder, 3, "speech_s = 4.0\npause_s = 1.2");
    let [small, large] = models();
    let large = Arc::new(MockDecoder::clone(&large).taking(Duration::from_millis(1_200)));
    let loose = SpokenOptions { loss: 0.9, confidence: 0.5, ..options(&folder) };
    let told = calibrate(&loose, &[small.clone(), large.clone()]);
    let told = told.unwrap_or_else(|why| panic!("{why}; {}", why.hint));
    assert!(told.heard.pieces > 3, "{:?}", told.heard);
    // Each once, alone and with the others; the smaller one hears partials, too.
    assert_eq!(large.begun(), told.heard.pieces);
    assert!(small.begun() > told.heard.pieces, "{} of {}", small.begun(), told.heard.pieces);
    let _ = fs::remove_dir_all(folder);
}

#[test]
fn recordings_of_one_speaker_count_once() {
    let folder = folder("speakers");
    record(&folder, 9);
    let list: String = (0..9).map(|n| format!("r{n:03}.wav,s{}\n", n % 3)).collect();
    fs::write(folder.join("all.csv"), format!("file,speaker\n{list}")).expect("room");
    let usual = SpokenOptions {
        unit: Unit::Recording,
        loss: 0.4,
        confidence: 0.6,
        data: folder.join("all.csv"),
        ..options(&folder)
    };
    let told = calibrate(&usual, &models()).expect_err("three speakers are too few");
    assert!(told.message.contains("3 recordings are too few"), "{told}");
    let told = calibrate(&SpokenOptions { data: folder.clone(), ..usual }, &models());
    let told = told.unwrap_or_else(|why| panic!("{why}; {}", why.hint));
    assert_eq!((told.heard.groups, told.found.groups.iter().sum::<usize>()), (9, 9));
    let _ = fs::remove_dir_all(folder);
}

#[test]
fn what_cannot_be_calibrated_is_told_and_nothing_is_written() {
    let folder = folder("bad");
    record(&folder, 4);
    let said = |options: &SpokenOptions, models: &[Arc<MockDecoder>]| {
        let told = calibrate(options, models).expect_err("it cannot be");
        assert!(!folder.join("voice.exits.toml").exists(), "{told}");
        format!("{}; {}", told.message, told.hint)
    };
    let usual = options(&folder);
    let strict = SpokenOptions { loss: 0.05, confidence: 0.95, ..usual.clone() };
    let few = said(&strict, &models());
    assert!(few.contains("turns of speech are too few"), "{few}");
    assert!(few.contains("give 119 turns of speech or more"), "{few}");
    let recordings = SpokenOptions { unit: Unit::Recording, ..strict };
    let few = said(&recordings, &models());
    assert!(few.contains("4 recordings are too few") && few.contains("`--unit turn`"), "{few}");
    let failing = MockDecoder::new("small", |_| Err(engine::Fault::new("no memory")));
    let failed = said(&usual, &[Arc::new(failing), models()[1].clone()]);
    assert!(failed.contains("r000.wav") && failed.contains("no memory"), "{failed}");
    let slow = MockDecoder::new("small", |_| Ok(hypothesis("it is right", 0.2, 0.8)));
    let slow = slow.taking(Duration::from_millis(30));
    let loose = SpokenOptions { loss: 0.9, confidence: 0.5, ..usual.clone() };
    let none = said(&loose, &[Arc::new(slow), models()[1].clone()]);
    assert!(none.contains("nothing is saved") && none.contains("`large` alone"), "{none}");
    let wrong = MockDecoder::new("small", |_| Ok(hypothesis("it is wrong", 0.2, 0.99)));
    let loose = SpokenOptions { loss: 0.4, confidence: 0.5, ..usual.clone() };
    let none = said(&loose, &[Arc::new(wrong), models()[1].clone()]);
    assert!(none.contains("too many are worse than those of `large`"), "{none}");
    fs::write(folder.join("long.txt"), "").expect("room");
    fs::write(folder.join("r001.txt"), "far more than anybody says ".repeat(200)).expect("room");
    let long = said(&usual, &models());
    assert!(long.contains("r001.wav") && long.contains("1000 words, and hardly any"), "{long}");
    fs::write(folder.join("r001.txt"), "").expect("room");
    fs::write(folder.join("r002.wav"), b"RIFF, or not").expect("room");
    let broken = said(&usual, &models());
    assert!(broken.contains("r002.wav"), "{broken}");
    for name in ["r002.wav", "r003.wav"] {
        fs::remove_file(folder.join(name)).expect("it is there");
    }
    let two = said(&usual, &models());
    assert!(two.contains("2 recordings are too few"), "{two}");
    let _ = fs::remove_dir_all(&folder);
}

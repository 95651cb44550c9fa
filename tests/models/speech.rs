//! `speech` over recordings, by the net in the program and by Silero, beside Silero's own segments.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Duration,
};

use afferent_suite::{data, kinds as suite, kinds::tally, sound};
use engine::{
    Catalog, Diagnostics, Disk, EventFormat, EventReader, Fault, Field, FieldValue, GraphSpec,
    Plan, PlanOptions, Running, Service, Services, SourceText,
};
use model::{
    backend::{Array, Loaded, Options, Runner, Values, load, onnxruntime},
    host::{Model, ModelService, Workers},
    kinds::absent::AbsentModel,
    signature::{Element, Signature, Slot},
};
use serde_json::Value;

use crate::{cold, run_plan};

/// A recording with Silero's segments.
struct Recording {
    path: PathBuf,
    seconds: f64,
    segments: Vec<(f64, f64)>,
}

/// All of 16 kHz that there are references for.
fn recordings() -> Option<Vec<Recording>> {
    let folder = data::folder()?;
    let text = fs::read_to_string(folder.join("reference/vad.json")).expect("the references");
    let Value::Object(all) = serde_json::from_str(&text).expect("JSON") else { panic!("a table") };
    let pair = |pair: &Value| (pair[0].as_f64().expect("s"), pair[1].as_f64().expect("s"));
    let of = |(name, told): (String, Value)| {
        let path = folder.join(name.strip_prefix("dev/")?);
        let is_read = path.extension().is_some_and(|it| it == "wav" || it == "raw");
        // Those of 44.1 kHz would have to be resampled first, which is another matter.
        let is_fast = name.contains("Uberi");
        (is_read && !is_fast).then(|| Recording {
            path,
            seconds: told["seconds"].as_f64().expect("s"),
            segments: told["segments_s"].as_array().expect("a list").iter().map(pair).collect(),
        })
    };
    let found: Vec<_> = all.into_iter().filter_map(of).collect();
    assert!(found.len() >= 21, "{}", found.len());
    Some(found)
}

fn file(name: &str) -> Option<PathBuf> {
    let path = data::folder()?.join(name);
    assert!(path.exists(), "{}", path.display());
    Some(path)
}

fn jfk() -> Option<PathBuf> {
    file("ggml-org+whisper.cpp/samples/jfk.wav")
}

fn silero(backend: &str) -> Option<Arc<dyn Loaded>> {
    let path = file("snakers4+silero-vad/src/silero_vad/data/silero_vad.onnx")?;
    let bytes = fs::read(path).expect("readable");
    Some(load(backend, bytes, &Options::default()).expect("Silero"))
}

fn backends() -> impl Iterator<Item = &'static str> {
    let ort = onnxruntime::is_there().then_some("onnxruntime");
    if ort.is_none() {
        eprintln!("SKIPPED: no ONNX Runtime (set ORT_DYLIB_PATH)");
    }
    ["rten"].into_iter().chain(ort)
}

fn model(name: &str, loaded: Arc<dyn Loaded>, batch_max: usize, workers: &Workers) -> Arc<Model> {
    Model::new(name, loaded, batch_max, workers)
}

fn service(model: &Arc<Model>) -> Arc<dyn Service> {
    Arc::new(ModelService::new(model.clone(), Vec::new()))
}

/// Streams side by side: `speech0` hears the first recording, and `key` with its number keeps what its ports say.
fn graph(paths: &[&Path], key: &str, frame_ms: f64, speech: &str) -> String {
    let mut text = String::from("[graph]\nname = \"speech\"\n");
    for (n, path) in paths.iter().enumerate() {
        let path = path.display();
        let _ = write!(
            text,
            "[node.sound{n}]\nop = \"sound\"\nfile = {:?}\nframe_ms = {frame_ms:?}\n\
             [node.speech{n}]\nop = \"speech\"\nfrom = \"sound{n}\"\n{speech}\n",
            path.to_string()
        );
        for port in ["out", "turns", "probability"] {
            let _ = write!(
                text,
                "[node.{port}{n}]\nop = \"tally\"\nfrom = \"speech{n}.{port}\"\nkey = \"{key} {port} {n}\"\n"
            );
        }
    }
    text
}

fn plan(text: &str, services: Services) -> Result<Arc<Plan>, Diagnostics> {
    let spec = GraphSpec::parse(&SourceText::new("speech.toml", text))?;
    let own: &[&'static engine::Kind] = &[&sound::SOUND];
    let catalog = Catalog::new(&[operators::CATALOG, model::CATALOG, suite::KINDS, own]);
    let options = PlanOptions { services, ..PlanOptions::new(Arc::new(Disk)) };
    spec.plan(&catalog, &options).map(Arc::new)
}

fn run(text: &str, services: Services) -> Running {
    let plan = plan(text, services).unwrap_or_else(|problems| panic!("{problems}"));
    run_plan(&plan, 1).0
}

#[derive(Clone, Debug, PartialEq)]
struct Turn {
    what: String,
    at_s: f64,
    turn: i64,
    start_s: f64,
    end_s: f64,
}

/// What one stream said.
#[derive(Clone, Debug, PartialEq)]
struct Heard {
    segments: Vec<(f64, f64)>,
    turns: Vec<Turn>,
    probability: Vec<f32>,
}

impl Heard {
    fn take(key: &str, n: usize) -> Self {
        let fields = ["start_s", "end_s"].map(Field::f64);
        let out = [&fields[..], &[Field::i64("segment"), Field::f64("probability")]].concat();
        let out = EventFormat { fields: out, rate_max: 1.0 };
        let turns = [&[Field::text("what", 9), Field::i64("turn")], &fields[..]].concat();
        let turns = EventFormat { fields: [turns, vec![Field::f64("p")]].concat(), rate_max: 1.0 };
        let segments = tally(&format!("{key} out {n}")).into_iter().enumerate();
        let segments = segments.map(|(number, (_, frame))| {
            let event = EventReader::new(&out, &frame);
            assert_eq!(event.field(2), Some(FieldValue::I64(number as i64)));
            assert!((0.0..=1.0).contains(&event.f64(3).expect("a mean")));
            let [start_s, end_s] = [0, 1].map(|field| event.f64(field).expect("seconds"));
            assert_eq!(frame.header.time.secs_f64(), end_s, "stamped with its end");
            (start_s, end_s)
        });
        let turns = tally(&format!("{key} turns {n}")).into_iter().map(|(_, frame)| {
            let event = EventReader::new(&turns, &frame);
            let (Some(FieldValue::Text(what)), Some(FieldValue::I64(turn))) =
                (event.field(0), event.field(1))
            else {
                panic!("an event of turns")
            };
            Turn {
                what: what.to_owned(),
                at_s: frame.header.time.secs_f64(),
                turn,
                start_s: event.f64(2).expect("seconds"),
                end_s: event.f64(3).expect("seconds"),
            }
        });
        let (segments, turns) = (segments.collect(), turns.collect());
        let probability = tally(&format!("{key} probability {n}"));
        let probability = probability.iter().flat_map(|(_, frame)| frame.samples().to_vec());
        Self { segments, turns, probability: probability.collect() }
    }

    fn starts(&self) -> impl Iterator<Item = &Turn> {
        self.turns.iter().filter(|turn| turn.what == "start")
    }
}

/// What every recording says, all of them side by side.
fn heard(recordings: &[Recording], key: &str, speech: &str, services: Services) -> Vec<Heard> {
    let paths: Vec<&Path> = recordings.iter().map(|it| &*it.path).collect();
    run(&graph(&paths, key, 20.0, speech), services);
    (0..paths.len()).map(|n| Heard::take(key, n)).collect()
}

fn is_inside(segments: &[(f64, f64)], s: f64) -> bool {
    segments.iter().any(|(start, end)| (*start..*end).contains(&s))
}

/// Share of the time in which segments agree with the reference, by hundredths of a second.
fn agreement(recordings: &[Recording], heard: &[Heard]) -> f64 {
    let (mut same, mut all) = (0, 0);
    for (recording, heard) in recordings.iter().zip(heard) {
        for n in 0..(recording.seconds * 100.0) as usize {
            let s = (n as f64 + 0.5) / 100.0;
            let [want, got] = [&recording.segments, &heard.segments].map(|it| is_inside(it, s));
            same += usize::from(want == got);
            all += 1;
        }
    }
    same as f64 / all as f64
}

/// An onset is told within that; times are read from decimals.
const SOON_S: f64 = 0.064 + 1e-6;
/// Pauses in a reference that end no turn.
const PAUSE_S: f64 = 0.55;

/// How turns that begin behind silence were told.
#[derive(Debug)]
struct Onsets {
    /// How long after the reference's first chunk of speech `start` is told, in seconds, the latest last; those that
    /// were missed are infinitely late.
    after_s: Vec<f64>,
    /// How many were missed: nothing is told before the reference's speech has ended.
    missed: usize,
    /// Turns that begin where nobody speaks, and for how long nobody does, in seconds.
    wrong: usize,
    quiet_s: f64,
}

impl Onsets {
    fn of(recordings: &[Recording], heard: &[Heard]) -> Self {
        let (mut after_s, mut wrong) = (Vec::new(), 0);
        for (recording, heard) in recordings.iter().zip(heard) {
            let mut before = -1.0;
            for &(start, end) in &recording.segments {
                if start - before > PAUSE_S && start > 0.1 {
                    let told = heard.starts().find(|turn| (start..end).contains(&turn.at_s));
                    // Silero moves the beginning out by 30 ms.
                    after_s.push(told.map_or(f64::INFINITY, |told| told.at_s - (start + 0.03)));
                }
                before = end;
            }
            let near =
                |s: f64| recording.segments.iter().any(|it| it.0 - 0.15 < s && s < it.1 + 0.05);
            wrong += heard.starts().filter(|turn| !near(turn.at_s)).count();
        }
        after_s.sort_by(f64::total_cmp);
        let missed = after_s.iter().filter(|after_s| after_s.is_infinite()).count();
        let spoken_s = |it: &Recording| it.segments.iter().map(|it| it.1 - it.0).sum::<f64>();
        let quiet_s = recordings.iter().map(|it| it.seconds - spoken_s(it)).sum::<f64>();
        Self { after_s, missed, wrong, quiet_s }
    }

    /// False starts, a minute without speech.
    fn wrong_a_minute(&self) -> f64 {
        60.0 * self.wrong as f64 / self.quiet_s
    }

    /// So late or sooner are this share of them.
    fn late_s(&self, share: f64) -> f64 {
        self.after_s[((self.after_s.len() - 1) as f64 * share) as usize]
    }
}

/// Every turn is start, any number of speculate and resume by turns, end; and is told in order.
fn assert_well_formed(heard: &Heard) {
    let mut before = "end";
    for (n, turn) in heard.turns.iter().enumerate() {
        let follows: &[&str] = match &*turn.what {
            "start" => &["end"],
            "speculate" => &["start", "resume"],
            "resume" => &["speculate"],
            _ => &["start", "speculate", "resume"],
        };
        assert!(follows.contains(&before), "{before}, then {turn:?}");
        assert!(turn.start_s < turn.end_s && turn.end_s <= turn.at_s, "{turn:?}");
        assert!(n == 0 || heard.turns[n - 1].at_s <= turn.at_s, "{turn:?}");
        before = &turn.what;
    }
    assert_eq!(before, "end");
}

#[test]
fn the_net_in_the_program_agrees_with_silero() {
    let Some(recordings) = recordings() else { return };
    let heard = heard(&recordings, "own", "", Services::default());
    heard.iter().for_each(assert_well_formed);
    let agreement = agreement(&recordings, &heard);
    let onsets = Onsets::of(&recordings, &heard);
    let told = format!("{agreement:.4}, {onsets:?}");
    // No more and no less than what the manual says of it beside Silero.
    let doc = model::kinds::speech::KIND.doc;
    let stated = |before: &str, behind: &str| -> f64 {
        let at = doc.find(before).expect("it says so") + before.len();
        let number = doc[at..].split(behind).next().expect("a number");
        number.trim().parse().unwrap_or_else(|_| panic!("{number:?} is no number"))
    };
    assert_eq!((100.0 * agreement).floor(), stated("agree with them in ", "%"), "{told}");
    let heard = (onsets.after_s.len() - onsets.missed) as f64;
    assert_eq!(heard, stated("and it tells ", "of"), "{told}");
    let all = format!(" of {} turns that begin behind silence", onsets.after_s.len());
    assert!(doc.contains(&all), "{told}");
    assert!(onsets.wrong_a_minute() <= 1.0 && onsets.late_s(0.5) <= 0.064, "{told}");
    let said = format!(" with one false start in {:.0} s without speech", onsets.quiet_s);
    assert!(onsets.wrong == 1 && doc.contains(&said), "{told}");
    let soon = onsets.after_s.iter().filter(|after_s| **after_s <= SOON_S).count();
    assert!(doc.contains(&format!("{soon} of them within 64 ms of the beginning")), "{told}");
    let latest = onsets.after_s.iter().rfind(|after_s| after_s.is_finite()).expect("turns");
    assert!(*latest <= 0.1, "{told}");
    eprintln!("the net in the program: {told}");
}

#[test]
fn silero_agrees_with_itself_on_both_backends() {
    let Some(recordings) = recordings() else { return };
    for backend in backends() {
        let workers = cold(2);
        let Some(loaded) = silero(backend) else { return };
        let silero = model("silero", loaded, 32, &workers);
        let services = Services::new([("silero".to_owned(), service(&silero))]);
        let heard = heard(&recordings, backend, "model = \"silero\"", services);
        heard.iter().for_each(assert_well_formed);
        for (recording, heard) in recordings.iter().zip(&heard) {
            let path = recording.path.display();
            assert_eq!(heard.segments.len(), recording.segments.len(), "{backend}: {path}");
            for (got, want) in heard.segments.iter().zip(&recording.segments) {
                // The reference is rounded to milliseconds.
                let off = (got.0 - want.0).abs().max((got.1 - want.1).abs());
                assert!(off <= 0.001, "{backend}: {path}: {got:?} is not {want:?}");
            }
        }
        // The references are Silero's: its own agreement with them is all of the time.
        assert!(agreement(&recordings, &heard) >= 1.0 - 0.01, "{backend}");
        let onsets = Onsets::of(&recordings, &heard);
        assert!(onsets.missed == 0 && onsets.late_s(1.0) <= SOON_S, "{backend}: {onsets:?}");
        assert!(onsets.wrong_a_minute() <= 1.0, "{backend}: {onsets:?}");
        let tally = silero.tally();
        assert_eq!((tally.answered, tally.failed, tally.late), (tally.asked, 0, 0));
    }
}

#[test]
fn streams_that_run_together_hear_what_each_hears_alone() {
    let Some(recordings) = recordings() else { return };
    for backend in backends() {
        let Some(loaded) = silero(backend) else { return };
        let alone = cold(1);
        let single = model("silero", loaded.clone(), 1, &alone);
        let node = "model = \"silero\"";
        let few = &recordings[..8];
        let services = Services::new([("silero".to_owned(), service(&single))]);
        let want = heard(few, "single", node, services);
        assert_eq!(single.tally().runs, single.tally().asked, "one by one");

        let workers = cold(1);
        let many = model("silero", Arc::new(Dear(loaded)), 32, &workers);
        let services = Services::new([("silero".to_owned(), service(&many))]);
        let got = heard(few, "many", node, services);
        let tally = many.tally();
        assert!(2 * tally.runs < tally.asked, "{} runs for {}", tally.runs, tally.asked);
        for (got, want) in got.iter().zip(&want) {
            assert_eq!(got.probability.len(), want.probability.len());
            // Kernels round otherwise in other places of a batch.
            for (got, want) in got.probability.iter().zip(&want.probability) {
                assert!((got - want).abs() < 1e-5, "{backend}: {got} is not {want}");
            }
            assert_eq!(got.segments, want.segments);
            assert_eq!(got.turns, want.turns);
        }
    }
}

#[test]
fn the_length_of_frames_changes_nothing() {
    let Some(path) = jfk() else { return };
    let workers = cold(1);
    let Some(loaded) = silero("rten") else { return };
    let silero = model("silero", loaded, 8, &workers);
    for node in ["", "model = \"silero\""] {
        let heard = [3.0, 20.0, 32.0, 700.0].map(|frame_ms| {
            let services = Services::new([("silero".to_owned(), service(&silero))]);
            run(&graph(&[&path], "frames", frame_ms, node), services);
            Heard::take("frames", 0)
        });
        assert!(heard[0].segments.len() >= 4 && heard[0].turns.len() >= 8, "{:?}", heard[0]);
        assert!(heard.iter().all(|other| *other == heard[0]), "{node}");
    }
}

/// A model whose runs take so long besides that many questions are best asked in one, on every machine.
struct Dear(Arc<dyn Loaded>);

struct DearRunner(Box<dyn Runner>);

impl Loaded for Dear {
    fn backend(&self) -> &'static str {
        self.0.backend()
    }

    fn signature(&self) -> &Signature {
        self.0.signature()
    }

    fn runner(&self) -> Result<Box<dyn Runner>, Fault> {
        Ok(Box::new(DearRunner(self.0.runner()?)))
    }
}

impl Runner for DearRunner {
    #[expect(clippy::disallowed_methods, reason = "a run that takes its time is what is wanted")]
    fn run(&mut self, inputs: &[Array], outputs: &mut [Vec<f32>]) -> Result<(), Fault> {
        thread::sleep(Duration::from_millis(2));
        self.0.run(inputs, outputs)
    }
}

/// A model of turns that says the same whatever it hears, or fails.
struct Says(Option<f32>);

impl Loaded for Says {
    fn backend(&self) -> &'static str {
        "says"
    }

    fn signature(&self) -> &Signature {
        static SIGNATURE: std::sync::LazyLock<Signature> = std::sync::LazyLock::new(|| {
            let slot = |name: &str, len| Slot {
                name: name.to_owned(),
                element: Element::F32,
                shape: vec![None, len],
            };
            Signature {
                inputs: vec![slot("audio", Some(32_000))],
                outputs: vec![slot("end", Some(1))],
            }
        });
        &SIGNATURE
    }

    fn runner(&self) -> Result<Box<dyn Runner>, Fault> {
        Ok(Box::new(Says(self.0)))
    }
}

impl Runner for Says {
    fn run(&mut self, inputs: &[Array], outputs: &mut [Vec<f32>]) -> Result<(), Fault> {
        let Values::F32(samples) = &inputs[0].values else { panic!("samples") };
        // The sound up to the pause, and the pause itself: louder before its end than at it.
        let power = |part: &[f32]| part.iter().map(|x| x * x).sum::<f32>() / part.len() as f32;
        assert!(power(&samples[..30_000]) > power(&samples[30_500..]));
        let says = self.0.ok_or_else(|| Fault::new("it says nothing"))?;
        outputs[0].clear();
        outputs[0].resize(inputs[0].shape[0], says);
        Ok(())
    }
}

#[test]
fn a_model_of_turns_ends_them_sooner_or_later() {
    let Some(path) = jfk() else { return };
    let Some(loaded) = silero("rten") else { return };
    let workers = cold(1);
    let silero = model("silero", loaded, 8, &workers);
    for node in ["", "model = \"silero\""] {
        let ends = [Some(0.9), Some(0.1), None].map(|says| {
            let turns = model("turns", Arc::new(Says(says)), 8, &workers);
            let services = Services::new([
                ("silero".to_owned(), service(&silero)),
                ("turns".to_owned(), service(&turns)),
            ]);
            let node = format!("{node}\nturn_model = \"turns\"");
            run(&graph(&[&path], "turns", 20.0, &node), services);
            let heard = Heard::take("turns", 0);
            assert_well_formed(&heard);
            assert_eq!(turns.tally().asked, turns.tally().answered + turns.tally().failed);
            assert!(turns.tally().asked >= 1);
            heard
        });
        let count = |heard: &Heard| heard.starts().count();
        // Sure of the end, it is told 200 ms (a chunk more) into each pause; sure of none, only at the end of the file.
        let pause = |turn: &&Turn| turn.what == "end" && turn.at_s - turn.end_s < 0.24;
        assert!(ends[0].turns.iter().filter(pause).count() >= 3, "{node}: {:?}", ends[0].turns);
        assert_eq!(count(&ends[1]), 1, "{node}");
        // One that says nothing leaves it to the rules.
        run(
            &graph(&[&path], "rules", 20.0, node),
            Services::new([("silero".to_owned(), service(&silero))]),
        );
        assert_eq!(ends[2], Heard::take("rules", 0), "{node}");
    }
}

/// Silero that fails from the run of this number on.
struct Breaks(Arc<dyn Loaded>, usize);

impl Loaded for Breaks {
    fn backend(&self) -> &'static str {
        "breaks"
    }

    fn signature(&self) -> &Signature {
        self.0.signature()
    }

    fn runner(&self) -> Result<Box<dyn Runner>, Fault> {
        Ok(Box::new(Broken(self.0.runner()?, self.1)))
    }
}

struct Broken(Box<dyn Runner>, usize);

impl Runner for Broken {
    fn run(&mut self, inputs: &[Array], outputs: &mut [Vec<f32>]) -> Result<(), Fault> {
        self.1 = self.1.checked_sub(1).ok_or_else(|| Fault::new("it is broken"))?;
        self.0.run(inputs, outputs)
    }
}

#[test]
fn a_model_that_fails_ends_what_is_open_and_the_rest_goes_on() {
    let Some(path) = jfk() else { return };
    let Some(loaded) = silero("rten") else { return };
    let workers = cold(1);
    // In the middle of the first segment, at 1.28 s.
    let silero = model("silero", Arc::new(Breaks(loaded, 40)), 8, &workers);
    let services = Services::new([("silero".to_owned(), service(&silero))]);
    let running = run(&graph(&[&path], "broken", 20.0, "model = \"silero\""), services);
    let heard = Heard::take("broken", 0);
    assert_eq!(heard.probability.len(), 344, "a value a chunk");
    assert!(heard.probability[40..].iter().all(|value| value.is_nan()));
    assert_eq!(heard.segments.len(), 1);
    assert!(heard.turns.iter().map(|turn| &*turn.what).eq(["start", "end"]), "{:?}", heard.turns);
    assert!(heard.turns[1].at_s < 2.5, "{:?}", heard.turns);
    let told = format!("{:?}", running.report().remarks);
    assert!(told.contains("not answered"), "{told}");
}

#[test]
fn what_is_no_model_of_silero_and_other_rates_are_refused() {
    let workers = cold(1);
    let turns = model("turns", Arc::new(Says(None)), 1, &workers);
    let services = || Services::new([("m".to_owned(), service(&turns))]);
    let text = |rate_hz: f64, node: &str| {
        format!(
            "[graph]\nname = \"g\"\n[node.count]\nop = \"count\"\nsamples = 10\nrate_hz = {rate_hz:?}\n\
             [node.ask]\nop = \"speech\"\nfrom = \"count\"\n{node}\n[node.t]\nop = \"tally\"\nfrom = \"ask\""
        )
    };
    let refused = |rate_hz, node: &str| {
        plan(&text(rate_hz, node), services()).err().map(|problems| problems.to_string())
    };
    let told = refused(44_100.0, "").expect("another rate");
    assert!(told.contains("hears 16000.0 samples per second"), "{told}");
    assert!(told.contains("op = \"resample\", from = \"count\", rate_hz = 16000.0"), "{told}");
    let told = refused(16_000.0, "model = \"m\"").expect("another model");
    assert!(told.contains("is no model of Silero VAD"), "{told}");
    let told = refused(16_000.0, "model = \"other\"").expect("no such model");
    assert!(told.contains("[model.other]"), "{told}");
    let told = refused(16_000.0, "hysteresis = 0.6").expect("cannot fall so far");
    assert!(told.contains("is not below"), "{told}");
    assert_eq!(refused(16_000.0, "turn_model = \"m\""), None);
    assert_eq!(refused(16_000.0, ""), None);
}

#[test]
fn without_a_model_that_need_not_be_there_the_net_in_the_program_hears() {
    let Some(path) = jfk() else { return };
    let absent: Arc<dyn Service> =
        Arc::new(AbsentModel { why: "it is not there".to_owned(), remedy: "bring it".to_owned() });
    let services = Services::new([("silero".to_owned(), absent)]);
    let text = graph(&[&path], "absent", 20.0, "model = \"silero\"");
    let plan = plan(&text, services.clone()).unwrap_or_else(|problems| panic!("{problems}"));
    let warned = plan.warnings().iter().map(|it| it.message.clone()).collect::<Vec<_>>().join(" ");
    assert!(warned.contains("hears with the net in the program"), "{warned}");
    run(&text, services);
    let got = Heard::take("absent", 0);
    run(&graph(&[&path], "present", 20.0, ""), Services::default());
    assert_eq!(got, Heard::take("present", 0));
}

#[test]
fn sound_that_is_late_is_waited_for_and_not_longer_than_it_pays() {
    let Some(loaded) = silero("rten") else { return };
    let workers = cold(1);
    let silero = model("silero", loaded, 32, &workers);
    let Some(path) = jfk() else { return };
    let services = Services::new([("silero".to_owned(), service(&silero))]);
    // One stream alone: nobody is waited for, however long one might.
    let text = graph(&[&path], "patient", 20.0, "model = \"silero\"\ngather_ms = 1000.0");
    let began = std::time::Instant::now();
    run(&text, services);
    assert_eq!(Heard::take("patient", 0).probability.len(), 344);
    assert!(began.elapsed() < Duration::from_secs(100), "344 chunks waited a second each");
}

#[test]
fn the_graph_of_voice_activity_finds_what_was_said() {
    let text = include_str!("../../graphs/voice_activity.toml");
    let sets = ["out.op=tally", "out.key=activity out 0"];
    let plan = afferent_suite::plan_with("graphs/voice_activity.toml", text, &sets, 1);
    run_plan(&plan, 1);
    let got = Heard::take("activity", 0).segments;

    let params = "seconds = 60.0";
    let mut source =
        engine::testing::Bench::build(&operators::source::speech_like::KIND, 16_000.0, params)
            .unwrap_or_else(|problem| panic!("{problem}"));
    while !source.pull(100) {}
    let truth: Vec<(f64, f64)> = source
        .take()
        .iter()
        .filter(|seen| seen.port == 1)
        .map(|seen| (seen.number("start_s").expect("s"), seen.number("end_s").expect("s")))
        .collect();
    let same = (0..6_000).filter(|n| {
        let s = (*n as f64 + 0.5) / 100.0;
        is_inside(&got, s) == is_inside(&truth, s)
    });
    // Syllables fade: where an utterance begins and ends is a matter of opinion by a tenth of a second.
    let (same, said) = (same.count(), truth.len());
    assert!(same > 5_400, "{same} of 6000 hundredths of a second: {got:?}, {truth:?}");
    assert!(got.len().abs_diff(said) <= said / 4, "{got:?}, {truth:?}");
}

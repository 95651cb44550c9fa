//! The graphs of speech with a model: random weights, so that what comes out makes no sense, but comes, in order and at
//! times that lie in the sound.

use std::{fs, path::PathBuf, sync::Arc, time::Duration};

use afferent_suite::{data, kinds};
use engine::{Catalog, Disk, GraphSpec, Override, PlanOptions, RunOptions, Services, SourceText};
use model::{section, transcription::SpeechModel};
use serde_json::Value;

use crate::talkative;

const JFK: &str = "ggml-org+whisper.cpp/samples/jfk.wav";
/// Seconds of it.
const JFK_S: f64 = 11.0;

/// A graph as it is shipped, with that model in place of those it names.
struct Shipped {
    name: String,
    spec: GraphSpec,
    services: Services,
    folder: PathBuf,
}

/// Nothing without the data.
fn shipped(name: &str, models: &[&str], more: &str) -> Option<Shipped> {
    let folder =
        std::env::temp_dir().join(format!("afferent-graphs-{name}-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("room for a folder");
    let own = folder.join("talkative.bin");
    talkative::write(&own).then_some(())?;
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let path = root.join("graphs").join(format!("{name}.toml")).display().to_string();
    let mut text = fs::read_to_string(&path).expect("it is shipped");
    for model in models {
        assert!(text.contains(model), "{name} names no {model}");
        let quoted = |file: &str| format!("\"{file}\"");
        text = text.replace(&quoted(model), &quoted(&own.display().to_string()));
    }
    text.push_str(more);
    let spec =
        GraphSpec::parse(&SourceText::new(&path, &text)).unwrap_or_else(|why| panic!("{why}"));
    let (services, problems) = section::services(&spec, Arc::new(Disk), Some(path), |_| ());
    assert!(problems.to_string().is_empty(), "{problems}");
    Some(Shipped { name: name.to_owned(), spec, services, folder })
}

impl Drop for Shipped {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Shipped {
    fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// Runs it on the recording, with these overrides; all that went in must have come out.
    fn run(&self, sets: &[String]) {
        let mut spec = self.spec.clone();
        let recording = data::folder().expect("it was there").join(JFK);
        let recording = format!("audio.file={}", recording.display());
        let all = std::iter::once(&recording).chain(sets);
        let overrides: Vec<_> = all.map(|set| Override::parse(set).expect("an override")).collect();
        spec.apply(&overrides);
        let mut options = PlanOptions::new(Arc::new(Disk));
        options.services = self.services.clone();
        let catalog = Catalog::new(&[operators::CATALOG, model::CATALOG, kinds::KINDS]);
        let plan = spec.plan(&catalog, &options).unwrap_or_else(|why| panic!("{why}"));
        let running = Arc::new(plan)
            .start(&RunOptions { speed: None, ..RunOptions::default() })
            .expect("bodies can be built");
        let outcome = running.wait_for(Duration::from_secs(120)).expect("it ends");
        assert_eq!(outcome.fault, None, "{}", self.name);
        for edge in &running.report().edges {
            assert_eq!(edge.frames.dropped_in_all(), 0, "{}: {edge:?}", self.name);
        }
    }

    fn lines(&self, name: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.file(name)).expect("it was written");
        text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
    }

    fn decodes(&self) -> u64 {
        let model = self.services.find::<SpeechModel>("voice").expect("a model of speech");
        let done = model.pool.done();
        assert_eq!((done.failed, done.panicked), (0, 0));
        done.decodes
    }
}

/// Ends of turns, as they are heard.
const TURNS: &str = "
[node.turns]
op   = \"jsonl\"
from = \"speech.turns\"
[node.words]
op   = \"jsonl\"
from = \"text.words\"
";

fn number(line: &Value, field: &str) -> f64 {
    line[field].as_f64().unwrap_or_else(|| panic!("no {field} in {line}"))
}

/// Finals: one for every turn that has ended, in order, with text, within the sound; partials take nothing back.
fn assert_told(out: &[Value], turns: &[Value], words: &[Value]) {
    let of = |what: &'static str| move |line: &&Value| line["what"] == what;
    let finals: Vec<&Value> = out.iter().filter(of("final")).collect();
    let ended: Vec<f64> = turns.iter().filter(of("end")).map(|line| number(line, "turn")).collect();
    assert!(ended.len() >= 2, "{turns:?}");
    assert_eq!(finals.iter().map(|line| number(line, "turn")).collect::<Vec<_>>(), ended);
    let mut before_s = 0.0;
    for line in &finals {
        let (start_s, end_s) = (number(line, "start_s"), number(line, "end_s"));
        assert!(before_s <= start_s && start_s < end_s && end_s <= JFK_S + 0.5, "{line}");
        before_s = end_s;
        assert!(!line["text"].as_str().unwrap().is_empty(), "{line}");
        assert_eq!(line["text"], line["stable"], "{line}");
        assert_eq!(line["language"], "en", "{line}");
    }
    for turn in ended {
        let of_turn = |line: &&Value| number(line, "turn") == turn;
        let told: Vec<&str> =
            out.iter().filter(of_turn).filter_map(|line| line["stable"].as_str()).collect();
        assert!(told.windows(2).all(|pair| pair[1].starts_with(pair[0])), "{told:?}");
        let words: Vec<&Value> = words.iter().filter(of_turn).collect();
        let joined: String = words.iter().filter_map(|line| line["word"].as_str()).collect();
        let plain = |text: &str| text.split_whitespace().collect::<String>();
        assert_eq!(plain(&joined), plain(told.last().unwrap()), "turn {turn}");
        assert!(words.iter().all(|line| number(line, "end_s") <= JFK_S + 0.5), "{words:?}");
    }
}

#[test]
fn transcribe_tells_every_turn() {
    let Some(graph) = shipped("transcribe", &["ggml-tiny.bin"], TURNS) else { return };
    let sets = ["out", "turns", "words"].map(|name| format!("{name}.file={}", graph.file(name)));
    graph.run(&sets);
    assert_told(&graph.lines("out"), &graph.lines("turns"), &graph.lines("words"));
    // As subtitles, too.
    for kind in ["srt", "vtt"] {
        let file = graph.file(&format!("talk.{kind}"));
        graph.run(&[
            "out.op=subtitles".to_owned(),
            format!("out.file={file}"),
            format!("turns.file={}", graph.file("turns")),
            format!("words.file={}", graph.file("words")),
        ]);
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(" --> ") && text.starts_with("WEBVTT") == (kind == "vtt"), "{text}");
    }
}

#[test]
fn commands_are_told_and_known_the_second_time() {
    let models = ["ggml-tiny.en.bin", "ggml-base.en.bin"];
    let Some(graph) = shipped("commands", &models, TURNS) else { return };
    let sets = ["out", "turns", "words"].map(|name| format!("{name}.file={}", graph.file(name)));
    graph.run(&sets);
    let told = graph.lines("out");
    assert_told(&told, &graph.lines("turns"), &graph.lines("words"));
    assert!(told.iter().all(|line| line["what"] == "final"), "without partials");
    let decodes = graph.decodes();
    assert!(decodes >= told.len() as u64);
    // The same sound, sample for sample: nothing is understood again, and what is told is the same.
    graph.run(&sets);
    assert_eq!(graph.decodes(), decodes);
    let texts = |lines: &[Value]| lines.iter().map(|line| line["text"].clone()).collect::<Vec<_>>();
    assert_eq!(texts(&graph.lines("out")), texts(&told));
}

/// Seconds of `00:00:01,250`.
fn moment(text: &str) -> f64 {
    let (clock, thousandths) = text.split_once(',').expect("a comma");
    let parts: Vec<f64> = clock.split(':').map(|part| part.parse().expect("a number")).collect();
    assert_eq!((clock.len(), thousandths.len()), (8, 3), "{text}");
    3_600.0 * parts[0] + 60.0 * parts[1] + parts[2] + thousandths.parse::<f64>().unwrap() / 1e3
}

#[test]
fn a_meeting_becomes_subtitles() {
    let Some(graph) = shipped("meeting", &["ggml-base.bin"], TURNS) else { return };
    let file = graph.file("meeting.srt");
    graph.run(&[
        format!("out.file={file}"),
        format!("turns.file={}", graph.file("turns")),
        format!("words.file={}", graph.file("words")),
    ]);
    let text = fs::read_to_string(&file).unwrap();
    let mut before_s = 0.0;
    let blocks: Vec<&str> = text.trim().split("\n\n").collect();
    for (n, block) in blocks.iter().enumerate() {
        let lines: Vec<&str> = block.lines().collect();
        assert_eq!(lines[0], (n + 1).to_string(), "{block}");
        let (from, to) = lines[1].split_once(" --> ").expect("a span");
        let (from_s, to_s) = (moment(from), moment(to));
        assert!(before_s <= from_s + 2e-3 && from_s < to_s && to_s <= JFK_S + 1.5, "{block}");
        before_s = to_s;
        assert!((3..=4).contains(&lines.len()), "{block}");
        assert!(lines[2..].iter().all(|line| !line.trim().is_empty()), "{block}");
    }
    let ends = graph.lines("turns").iter().filter(|line| line["what"] == "end").count();
    assert!(ends > 0 && blocks.len() >= ends, "{ends} turns: {text}");
    assert!(graph.decodes() >= ends as u64);
}

#[test]
fn hybrid_voice_hears_and_tells_where_all_of_it_runs_here() {
    let Some(graph) = shipped("hybrid_voice", &["ggml-tiny.bin"], TURNS) else { return };
    let names = ["out", "turns", "words", "segments"];
    graph.run(&names.map(|name| format!("{name}.file={}", graph.file(name))));
    assert_told(&graph.lines("out"), &graph.lines("turns"), &graph.lines("words"));
    assert!(graph.lines("segments").len() >= 2);
}

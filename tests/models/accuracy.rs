//! The table of `graphs/models/README.md`: what the delivered graph finds in people's hearts is what it says.

use afferent_suite::{data::folder, kinds::tally, plan_with};
use engine::{EventFormat, EventReader, Field, FieldValue, Frame, ManualRun, Timestamp};

const GRAPH: &str = include_str!("../../graphs/biofeedback.toml");
const README: &str = include_str!("../../graphs/models/README.md");
/// How far a beat may lie from the one that people marked, as in `train/beats_data.py`.
const REACH_S: f64 = 0.1;
/// What annotations call a beat that comes when it should.
const NORMAL: &str = "NLRBejn/fFQ";
const CLASSES: [&str; 3] = ["normal", "premature", "artefact"];

/// What is told of the beats that are truly normal, premature, and none.
type Counts = [[usize; 3]; 3];

/// Record, lead and counts of each row between the marks of the table.
fn rows() -> Vec<(String, String, Counts)> {
    let table = README.split("<!-- recordings -->").nth(1).expect("a table of recordings");
    let table = table.split("<!-- end -->").next().expect("its end");
    let rows = table.lines().filter(|line| line.starts_with('|')).skip(2);
    let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let row = |line: &str| {
        let cells = cells(line);
        let count = |n: usize| cells[n + 3].parse().expect("a count");
        let counts = [0, 1, 2].map(|truth| [0, 1, 2].map(|told| count(3 * truth + told)));
        (cells[1].clone(), cells[2].clone(), counts)
    };
    rows.map(row).collect()
}

fn text(format: &EventFormat, frame: &Frame, field: &str) -> String {
    let event = EventReader::new(format, frame);
    match event.field(event.index(field).expect("a field")) {
        Some(FieldValue::Text(text)) => text.to_owned(),
        other => panic!("`{field}` is {other:?}"),
    }
}

/// The counts of a record's lead, run through the delivered graph.
fn counted(record: &str, lead: &str, key: &str) -> Counts {
    let data = folder().expect("looked for before");
    let file = match record {
        "100" => data.join("MIT-LCP+wfdb-python/sample-data/100.hea"),
        _ => data.join(format!("derived-mitdb-wfdb/{record}.hea")),
    };
    let graph = GRAPH
        .replace("op   = \"jsonl\"", &format!("op = \"tally\"\nkey = \"{key}\""))
        .replace("from = [\"beats\", \"hrv\", \"kind\"]", "from = \"kind\"");
    let graph = format!(
        "{graph}\n[node.marked]\nop = \"tally\"\nkey = \"{key}_marked\"\nfrom = \"ecg.annotations\"\n"
    );
    let sets = [
        "ecg.op=wfdb".to_owned(),
        format!("ecg.file={}", file.display()),
        format!("clean.from=ecg[{lead}]"),
        format!("level.from=ecg[{lead}]"),
    ];
    let sets: Vec<&str> = sets.iter().map(String::as_str).collect();
    let plan = plan_with("graphs/biofeedback.toml", &graph, &sets, 1);
    let mut run = ManualRun::new(&plan, 1, None).expect("bodies can be built");
    assert!(run.run_until(Timestamp::from_nanos(i64::MAX - 1)), "the graph waits for ever");
    assert_eq!(run.faults, []);
    let (kinds, marks) = (tally(key), tally(&format!("{key}_marked")));

    let labels = EventFormat { fields: vec![Field::text("label", 128)], rate_max: 1.0 };
    let fields = vec![
        Field::text("class", 8),
        Field::bool("is_beat"),
        Field::i64("sample"),
        Field::text("aux", 64),
    ];
    let annotations = EventFormat { fields, rate_max: 1.0 };
    let is_beat = |frame: &Frame| {
        EventReader::new(&annotations, frame).field(1) == Some(FieldValue::Bool(true))
    };
    let marked: Vec<(f64, bool)> = marks
        .iter()
        .filter(|(_, frame)| is_beat(frame))
        .map(|(_, frame)| {
            let is_normal = NORMAL.contains(&text(&annotations, frame, "class"));
            (frame.header.time.secs_f64(), !is_normal)
        })
        .collect();
    let mut counts = Counts::default();
    for (_, frame) in &kinds {
        let at_s = frame.header.time.secs_f64();
        let off_s = |(marked_s, _): &(f64, bool)| (marked_s - at_s).abs();
        let nearest = marked.iter().min_by(|a, b| off_s(a).total_cmp(&off_s(b)));
        let truth = match nearest.filter(|marked| off_s(marked) <= REACH_S) {
            Some((_, is_early)) => usize::from(*is_early),
            None => 2,
        };
        let label = text(&labels, frame, "label");
        let told = CLASSES.iter().position(|class| *class == label).expect("a class");
        counts[truth][told] += 1;
    }
    counts
}

#[test]
fn the_table_says_what_the_graph_finds() {
    let Some(_) = folder() else { return };
    let rows = rows();
    assert_eq!(rows.len(), 6, "a row for each lead of the records");
    for (n, (record, lead, want)) in rows.into_iter().enumerate() {
        let got = counted(&record, &lead, &format!("accuracy_{n}"));
        println!("{record} {lead}: {got:?}");
        assert!(got.iter().flatten().sum::<usize>() > 1_000, "{record} {lead}: {got:?}");
        assert_eq!(got, want, "{record} {lead}: make the table anew with `train.py figures`");
    }
}

//! What several files become.

use std::sync::Arc;

use crate::{
    graph::{Code, GraphSpec, Override, SourceText},
    testing::MemoryFiles,
};

use super::{PlanOptions, kinds, load, plan};

const LOW: &str = "\
>>> parts/low.toml
[param.cutoff_hz]
default = 40.0
[input.signal]
op = \"sine\"
rate_hz = 100.0
[output.out]
from = \"low\"
[output.raw]
from = \"signal\"
[node.low]
op = \"low\"
from = \"signal\"
cutoff_hz = \"$cutoff_hz\"
stage = \"filters\"
[[test]]
name = \"of its own\"
[[test.expect]]
from = \"low\"
count = 3
";

/// `node ← source, source` of every node.
fn edges(spec: &GraphSpec) -> Vec<String> {
    let sources = |node: &crate::graph::NodeSpec| {
        let sources = node.from.iter().map(|input| input.source.value.to_string());
        sources.collect::<Vec<_>>().join(", ")
    };
    spec.nodes.iter().map(|node| format!("{} ← {}", node.name.value, sources(node))).collect()
}

fn param(spec: &GraphSpec, node: &str, name: &str) -> String {
    let node = spec.find(node).unwrap_or_else(|| panic!("no {node}: {:?}", edges(spec)));
    node.param(name).expect("written").value.to_string()
}

fn loaded(text: &str) -> GraphSpec {
    let spec = load(text).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(spec.problems(), []);
    spec
}

#[test]
fn nodes_have_whole_names_and_edges_lead_through_inputs_and_outputs() {
    let spec = loaded(&format!(
        ">>> g.toml
[node.ecg]
op = \"sine\"
channels = \"a b c\"
[include.left]
file = \"parts/low.toml\"
from = \"ecg[c,a]\"
cutoff_hz = 8
[include.right]
file = \"parts/low.toml\"
from = \"left.raw[1]\"
[node.out]
op = \"eat\"
from = [\"left\", \"right.out\", \"left/low\", \"right.raw\"]
{LOW}"
    ));

    let edges = edges(&spec);
    assert_eq!(
        edges,
        [
            "ecg ← ",
            "out ← left/low, right/low, left/low, ecg[a]",
            "left/low ← ecg[c,a]",
            "right/low ← ecg[a]",
        ]
    );
    assert_eq!(param(&spec, "left/low", "cutoff_hz"), "8");
    assert_eq!(param(&spec, "right/low", "cutoff_hz"), "40.0");
    let stage = |name: &str| spec.find(name).and_then(|node| node.options.stage.clone());
    assert_eq!(stage("left/low").expect("written").value, "left/filters");
    assert!(spec.tests.is_empty(), "tests of an included file are its own");
}

#[test]
fn a_file_with_inputs_runs_by_itself_with_what_stands_in() {
    let alone = LOW.replace(">>> parts/low.toml", ">>> low.toml");
    let spec = loaded(&alone);

    assert_eq!(edges(&spec), ["low ← signal", "signal ← "]);
    assert_eq!(spec.tests.len(), 1);
    let plan = plan(&alone).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(plan.warnings(), [], "its outputs are for others");
}

#[test]
fn includes_stand_within_includes_and_are_changed_from_outside() {
    let text = format!(
        ">>> g.toml
#! --set body.cutoff_hz=9
#! --set body/hand.cutoff_hz=11
#! --set include.body/foot.cutoff_hz=12
#! --set body/foot/low.shape=steep
#! --set body/foot/low.op=low
[node.ecg]
op = \"sine\"
[include.body]
file = \"parts/body.toml\"
from = {{ signal = {{ node = \"ecg\", capacity_ms = 300, on_full = \"latest\" }} }}
[node.out]
op = \"eat\"
from = [\"body.hand\", \"body/foot/low\", \"body/toe.out\"]
>>> parts/body.toml
[param.cutoff_hz]
default = 1.0
[input.signal]
[output.hand]
from = \"hand.out\"
[include.hand]
file = \"low.toml\"
from = \"signal\"
cutoff_hz = \"$cutoff_hz\"
[include.foot]
file = \"low.toml\"
from = \"signal\"
[include.toe]
file = \"low.toml\"
from = \"signal\"
cutoff_hz = \"$cutoff_hz\"
{LOW}"
    );
    let spec = loaded(&text);

    assert_eq!(param(&spec, "body/hand/low", "cutoff_hz"), "11");
    assert_eq!(param(&spec, "body/foot/low", "cutoff_hz"), "12");
    assert_eq!(param(&spec, "body/foot/low", "shape"), "\"steep\"");
    assert_eq!(param(&spec, "body/toe/low", "cutoff_hz"), "9");
    assert_eq!(edges(&spec)[1], "out ← body/hand/low, body/foot/low, body/toe/low");
    let input = &spec.find("body/toe/low").expect("there").from[0];
    assert_eq!(input.capacity_ms.as_ref().expect("of the include").value, 300.0);
    plan(&text).unwrap_or_else(|problems| panic!("{problems}"));
}

#[test]
fn an_input_may_have_several_sources_or_none() {
    let spec = loaded(
        ">>> g.toml
[node.a]
op = \"sine\"
[node.b]
op = \"sine\"
[include.all]
file = \"sum.toml\"
from = [\"a.truth\", \"b.truth\"]
[node.out]
op = \"eat\"
from = \"all\"
>>> sum.toml
[input.events]
[input.more]
optional = true
[output.sum]
from = \"sum\"
[node.sum]
op = \"merge\"
from = [\"events\", \"more\"]
",
    );

    assert_eq!(edges(&spec)[3], "all/sum ← a.truth, b.truth");
}

#[test]
fn hosts_are_named_for_all_of_an_include_and_by_its_nodes() {
    let spec = loaded(
        ">>> g.toml
[host.edge]
[host.cloud]
address = [\"127.0.0.1:1\"]
[include.far]
file = \"two.toml\"
on = \"cloud\"
[node.out]
op = \"eat\"
from = \"far\"
>>> two.toml
[host.elsewhere]
[output.out]
from = \"b\"
[node.a]
op = \"sine\"
on = \"edge\"
[node.b]
op = \"copy\"
from = \"a\"
",
    );

    let on = |name: &str| spec.find(name).map(|node| node.options.on[0].value.clone());
    assert_eq!((on("far/a").as_deref(), on("far/b").as_deref()), (Some("edge"), Some("cloud")));
    assert_eq!(spec.hosts.len(), 2, "hosts are those of the whole");
}

#[test]
fn models_are_looked_for_in_the_file_first_and_then_around_it() {
    let spec = loaded(
        ">>> g.toml
[model.shared]
file = \"s.onnx\"
[model.mine]
file = \"m.onnx\"
[cache.answers]
entries = 3
[include.a]
file = \"part.toml\"
which = \"mine\"
[node.out]
op = \"eat\"
from = \"a/one\"
>>> part.toml
[param.which]
default = \"mine\"
[model.mine]
file = \"own.onnx\"
cache = \"answers\"
[cache.answers]
entries = 5
[node.one]
op = \"sine\"
model = \"mine\"
turn_model = \"shared\"
other = \"mine\"
[node.two]
op = \"sine\"
model = \"$which\"
",
    );

    assert_eq!(param(&spec, "a/one", "model"), "\"a/mine\"");
    assert_eq!(param(&spec, "a/one", "turn_model"), "\"shared\"");
    assert_eq!(param(&spec, "a/one", "other"), "\"mine\"", "names no model");
    assert_eq!(param(&spec, "a/two", "model"), "\"mine\"", "written outside, so it means there");
    let names: Vec<_> = spec.models.iter().map(|section| section.name.value.as_str()).collect();
    assert_eq!(names, ["shared", "mine", "a/mine"]);
    let own = spec.models[2].param("cache").expect("written");
    assert_eq!(own.value.as_text(), Some("a/answers"));
}

#[test]
fn parameters_of_the_graph_itself_are_set() {
    let text = ">>> g.toml
#! --set param.rate_hz=500
[param.rate_hz]
default = 250.0
[node.ecg]
op = \"sine\"
rate_hz = \"$rate_hz\"
unit = \"$$rate_hz\"
[node.out]
op = \"eat\"
from = \"ecg\"
";
    let spec = loaded(text);

    assert_eq!(param(&spec, "ecg", "rate_hz"), "500");
    assert_eq!(param(&spec, "ecg", "unit"), "\"$rate_hz\"");
    let default = loaded(&text.replace("#! --set param.rate_hz=500", ""));
    assert_eq!(param(&default, "ecg", "rate_hz"), "250.0");
}

/// What a graph built in Rust includes is put in its place when it is planned.
#[test]
fn a_graph_in_code_includes_files() {
    let files = MemoryFiles::new().with("low.toml", LOW.split_once('\n').expect("a name").1);
    let spec = GraphSpec::new("g")
        .node("ecg", "sine", |n| n)
        .include("left", |i| i.set("file", "low.toml").set("from", "ecg"))
        .node("out", "eat", |n| n.from("left"));
    let mut changed = spec.clone();
    changed.apply(&[Override::parse("left/low.cutoff_hz=30").expect("an override")]);
    let options = PlanOptions::new(Arc::new(files.clone()));

    let plan = spec.plan(&kinds::catalog(), &options).unwrap_or_else(|all| panic!("{all}"));
    assert!(plan.node_names().eq(["ecg", "left/low", "out"]), "{:?}", plan.node_names().count());
    assert_eq!(param(&changed.expanded(&files, None), "left/low", "cutoff_hz"), "30");
}

fn refused(text: &str) -> Vec<Code> {
    let spec = load(text).unwrap_or_else(|problems| panic!("{problems}"));
    spec.problems().iter().map(|problem| problem.code).collect()
}

#[test]
fn graphs_do_not_grow_without_end() {
    // Each file includes the next twice: 2^15 files, were there no limit.
    let mut deep = ">>> f0.toml\n[include.a]\nfile = \"f1.toml\"\n".to_owned();
    for n in 1..16 {
        let next = n + 1;
        deep += &format!(
            ">>> f{n}.toml\n[include.a]\nfile = \"f{next}.toml\"\n[include.b]\nfile = \"f{next}.toml\"\n"
        );
    }
    deep += ">>> f16.toml\n[node.a]\nop = \"sine\"\n";
    assert_eq!(refused(&deep), [Code::TooLarge]);

    // Seventeen files in each other.
    let mut chain = String::new();
    for n in 0..18 {
        chain += &format!(">>> f{n}.toml\n[include.a]\nfile = \"f{}.toml\"\n", n + 1);
    }
    assert_eq!(refused(&(chain + ">>> f18.toml\n[node.a]\nop = \"sine\"\n")), [Code::TooLarge]);

    let many: String = (0..9_000).map(|n| format!("[node.n{n}]\nop=\"sine\"\n")).collect();
    let wide = ["a", "b", "c"].map(|name| format!("[include.{name}]\nfile = \"m.toml\"\n"));
    let wide = format!(">>> g.toml\n{}>>> m.toml\n{many}", wide.concat());
    assert_eq!(refused(&wide), [Code::TooLarge]);
}

#[test]
fn a_place_in_an_included_file_knows_who_included_it() {
    let spec = loaded(&format!(
        ">>> g.toml\n[include.left]\nfile = \"parts/low.toml\"\nfrom = \"ecg\"\n[node.ecg]\nop = \"sine\"\n{LOW}"
    ));
    let place = spec.find("left/low").and_then(|node| node.op.place.clone()).expect("of a file");

    assert_eq!(place.file.name(), "parts/low.toml");
    assert_eq!(place.file.included_as(), Some("left"));
    assert_eq!(crate::files::path_from("a.onnx", &Some(place), Some("g.toml")), "parts/a.onnx");
    let text = SourceText::new("g.toml", "");
    assert_eq!(text.included_as(), None);
}

/// A kind whose parameters name its inputs is told what its own file calls them.
#[test]
fn inputs_are_called_as_the_file_of_their_node_has_it() {
    let plan = plan(&format!(
        ">>> g.toml
[node.ecg]
op = \"sine\"
[include.left]
file = \"parts/low.toml\"
from = \"ecg\"
[node.out]
op = \"eat\"
from = [\"left.raw\", \"left/low\", \"ecg.truth\"]
{LOW}"
    ));
    let plan = plan.unwrap_or_else(|problems| panic!("{problems}"));

    let named = |name: &str| {
        let node = plan.nodes.iter().find(|node| node.name == name).expect("a node");
        let inputs = node.inputs.iter();
        inputs.map(|input| format!("{} = {}", input.named, input.label)).collect::<Vec<_>>()
    };
    assert_eq!(named("left/low"), ["signal = ecg"]);
    assert_eq!(named("out"), ["left.raw = ecg", "left/low = left/low", "ecg.truth = ecg.truth"]);
}

/// Whatever becomes of the texts, there is an answer, and in bounded time.
#[test]
fn damaged_files_never_panic() {
    let whole = format!(
        ">>> g.toml
[param.cut]
default = 9
[node.ecg]
op = \"sine\"
[include.body]
file = \"parts/body.toml\"
from = {{ signal = \"ecg[0]\" }}
cutoff_hz = \"$cut\"
[include.low]
file = \"parts/low.toml\"
from = \"body.hand\"
[node.out]
op = \"eat\"
from = [\"body.hand\", \"low/low\", \"low.raw\"]
>>> parts/body.toml
[param.cutoff_hz]
type = \"number\"
[input.signal]
[output.hand]
from = \"hand.out\"
[include.hand]
file = \"low.toml\"
from = \"signal\"
cutoff_hz = \"$cutoff_hz\"
{LOW}"
    );
    plan(&whole).unwrap_or_else(|problems| panic!("{problems}"));
    const PIECES: [&str; 16] = [
        "left",
        "ecg",
        "body",
        "low",
        "signal",
        "hand",
        "parts/low.toml",
        "parts/body.toml",
        "g.toml",
        "$cutoff_hz",
        "$",
        "[input.x]\n",
        "[output.x]\nfrom = \"low\"\n",
        "optional = true\n",
        "/",
        ".",
    ];
    let mut state = 11_u64;
    let mut below = |limit: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % limit
    };
    let mut planned = 0;
    for _ in 0..3_000 {
        let mut text = whole.clone();
        for _ in 0..=below(3) {
            // Not within the marks between files.
            let at = text.ceil_char_boundary(12 + below(text.len() - 12));
            let end = text.ceil_char_boundary((at + below(9)).min(text.len()));
            let piece = if below(3) == 0 { "" } else { PIECES[below(PIECES.len())] };
            if !text[at..end].contains('>') {
                text.replace_range(at..end, piece);
            }
        }
        match plan(&text) {
            Ok(_) => planned += 1,
            Err(problems) => assert!(!problems.render(false).is_empty(), "{text}"),
        }
    }
    assert!((20..2_900).contains(&planned), "{planned} of 3000 were sound");
}

#[test]
fn outputs_are_found_as_they_are_written_and_by_their_nodes() {
    let graph = ">>> g.toml
[node.ecg]
op = \"sine\"
rate_hz = 100.0
[include.left]
file = \"parts/low.toml\"
from = \"ecg\"
[node.out]
op = \"eat\"
from = \"left.raw\"
[node.other]
op = \"eat\"
from = \"left\"
";
    let plan = plan(&format!("{graph}{LOW}")).unwrap_or_else(|problems| panic!("{problems}"));
    let found = |label| plan.output(label).map(|output| output.node.to_owned());
    for label in ["left", "left.out", "left/low"] {
        assert_eq!(found(label).as_deref(), Some("left/low"), "{label}");
    }
    assert_eq!(found("left.raw").as_deref(), Some("ecg"), "what feeds it");
    for none in ["left.rwa", "right", "left/raw", "not a name"] {
        assert_eq!(found(none), None, "{none}");
    }
}

//! What the plan says about nodes, edges and joins.

use crate::{
    graph::{OnFault, OnFull},
    kind::Policy,
};

use super::{check, node, plan, planned};

const LINE: &str = r#"
[node.ecg]
op = "sine"
[node.clean]
op = "late"
delay_ms = 30.0
from = "ecg"
[node.beats]
op = "detect"
from = "clean"
[node.out]
op = "file"
file = "beats.csv"
from = ["beats", "ecg.truth"]
"#;

#[test]
fn a_format_has_one_name_in_both_directions() {
    let plan = planned(LINE);

    assert!(node(&plan, "out").kind.is_sink());
}

#[test]
fn delays_add_up_along_edges() {
    let plan = planned(LINE);

    let delays: Vec<i64> = plan.edges.iter().map(|edge| edge.delay_ns / 1_000_000).collect();
    assert_eq!(delays, [0, 30, 30, 0]);
    assert_eq!(node(&plan, "out").inputs[0].delay_ns, 30_000_000);
    assert_eq!(node(&plan, "out").inputs[1].label, "ecg.truth");
}

#[test]
fn a_join_and_all_above_it_are_watched() {
    let plan = planned(&format!("{LINE}[node.screen]\nop = \"eat\"\nfrom = \"clean\"\n"));

    let watched = plan.nodes.iter().filter(|node| node.watched).map(|node| &node.name[..]);
    assert_eq!(watched.collect::<Vec<_>>(), ["ecg", "clean", "beats", "out"]);
    let timed = planned(
        "[node.a]\nop = \"sine\"\n[node.b]\nop = \"tick\"\nfrom = \"a\"\n\
         [node.c]\nop = \"eat\"\nfrom = \"b\"\n",
    );
    assert!(node(&timed, "a").watched && node(&timed, "b").watched && !node(&timed, "c").watched);
}

#[test]
fn nodes_are_in_topological_order_and_otherwise_in_that_of_the_file() {
    let plan = planned(
        "[node.out]\nop = \"eat\"\nfrom = [\"b\", \"a\"]\n[node.b]\nop = \"copy\"\nfrom = \"a\"\n\
         [node.z]\nop = \"sine\"\n[node.a]\nop = \"sine\"\n",
    );

    check(&plan);
    assert_eq!(plan.node_names().collect::<Vec<_>>(), ["z", "a", "b", "out"]);
    let sources: Vec<u32> = plan.nodes.iter().map(|node| node.source).collect();
    assert_eq!(sources, [0, 1, 0, 0]);
}

#[test]
fn lines_are_in_the_order_of_ports_whatever_the_order_in_the_file() {
    let plan = planned(
        "[node.slow]\nop = \"sine\"\nrate_hz = 30.0\n[node.fast]\nop = \"sine\"\n\
         [node.both]\nop = \"join\"\nfrom = { other = \"slow\", base = \"fast\" }\n\
         [node.out]\nop = \"eat\"\nfrom = \"both\"\n",
    );

    let both = node(&plan, "both");
    let ports: Vec<_> = both.inputs.iter().map(|input| (input.port, &input.label[..])).collect();
    assert_eq!(ports, [("base", "fast"), ("other", "slow")]);
    assert!(both.in_edges.iter().enumerate().all(|(line, &edge)| plan.edges[edge].to.1 == line));
    // Half of 1/30 s, rounded up.
    assert_eq!(both.align.expect("two inputs").tolerance_ns, 16_666_667);
}

#[test]
fn a_kind_may_choose_how_its_inputs_meet() {
    let graph = |by: &str| {
        format!(
            "[node.a]\nop = \"sine\"\n[node.both]\nop = \"join\"\n{by}\nmax_wait_ms = 20\n\
             from = {{ base = \"a\", other = \"a\" }}\n[node.out]\nop = \"eat\"\nfrom = \"both\"\n"
        )
    };
    let align = |by: &str| node(&planned(&graph(by)), "both").align.expect("two inputs");

    assert_eq!((align("").policy, align("").max_wait_ns), (Policy::Nearest, Some(20_000_000)));
    assert_eq!(align("by = \"hold\"").tolerance_ns, i64::MAX);
    assert_eq!(align("by = \"exact\"").tolerance_ns, 1_000);
    assert_eq!(align("tolerance_ms = 3").tolerance_ns, 3_000_000);
}

#[test]
fn channels_are_picked_by_number_name_and_range() {
    let graph = |pick: &str| {
        format!(
            "[node.eeg]\nop = \"sine\"\nchannels = \"Fz Cz Pz Oz\"\n\
             [node.out]\nop = \"eat\"\nfrom = \"eeg[{pick}]\"\n"
        )
    };
    let picked = |pick: &str| {
        let plan = planned(&graph(pick));
        let edge = &plan.edges[0];
        let signal = edge.format.as_signal().expect("a signal");
        let names: Vec<&str> = signal.channels.iter().map(|channel| &channel.name[..]).collect();
        (edge.pick.as_deref().map(<[u16]>::to_vec), names.join(" "))
    };

    assert_eq!(picked("Pz,0"), (Some(vec![2, 0]), "Pz Fz".to_owned()));
    assert_eq!(picked("1..3,Oz"), (Some(vec![1, 2, 3]), "Cz Pz Oz".to_owned()));
    assert_eq!(picked("0..4"), (None, "Fz Cz Pz Oz".to_owned()), "all of them");
}

#[test]
fn a_disabled_node_leaves_lists_and_is_not_checked() {
    let plan = planned(
        "[node.a]\nop = \"sine\"\n[node.b]\nop = \"nonsense\"\nenabled = false\n\
         [node.out]\nop = \"eat\"\nfrom = [\"b\", \"a\"]\n",
    );

    assert_eq!(plan.nodes.len(), 2);
    assert_eq!(node(&plan, "out").inputs[0].label, "a");
    assert_eq!(node(&plan, "out").align, None);
}

#[test]
fn rings_are_as_large_as_is_written_and_never_too_small() {
    let ring = |keys: &str| {
        let plan = planned(&format!(
            "[node.a]\nop = \"sine\"\n[node.b]\nop = \"heavy\"\nfrom = \"a\"\n{keys}\n\
             [node.out]\nop = \"eat\"\nfrom = \"b\"\n"
        ));
        check(&plan);
        let ring = plan.edges[0].ring.expect("a heavy node has a stage of its own");
        (ring.capacity, ring.on_full)
    };

    // 25 frames of 10 samples in a second.
    assert_eq!(ring(""), (16, OnFull::Block));
    assert_eq!(ring("capacity_ms = 10"), (16, OnFull::Block));
    assert_eq!(ring("capacity_ms = 4000"), (100, OnFull::Block));
    assert_eq!(ring("capacity_ms = 4001"), (101, OnFull::Block));
    assert_eq!(ring("on_full = \"latest\""), (1, OnFull::Latest));
}

#[test]
fn a_device_is_not_held_up() {
    let plan = planned(
        "[node.mic]\nop = \"mic\"\n[node.a]\nop = \"copy\"\nfrom = \"mic\"\n\
         [node.b]\nop = \"heavy\"\nfrom = \"a\"\n[node.out]\nop = \"eat\"\nfrom = \"b\"\n",
    );

    let policies = plan.edges.iter().map(|edge| edge.ring.expect("cut").on_full);
    assert_eq!(policies.collect::<Vec<_>>(), [OnFull::DropOldest, OnFull::Block, OnFull::Block]);
}

#[test]
fn rings_beside_a_slow_branch_hold_what_a_join_waits_for() {
    let graph = |keys: &str| {
        format!(
            "[node.a]\nop = \"sine\"\n[node.slow]\nop = \"late\"\ndelay_ms = 2000\nfrom = \"a\"\n\
             [node.both]\nop = \"join\"\n{keys}\nfrom = {{ base = {{ node = \"a\", \
             on_full = \"block\" }}, other = \"slow\" }}\n\
             [node.out]\nop = \"eat\"\nfrom = \"both\"\n"
        )
    };
    let base = |keys: &str| planned(&graph(keys)).edges[1].ring.expect("a ring").capacity;

    // 2 s and a frame of 40 ms at 25 frames per second, half a sample, the frame at work.
    assert_eq!(base(""), 53);
    assert_eq!(base("max_wait_ms = 2000"), 51);
    assert_eq!(base("capacity_ms = 1000"), 25, "what is written stands");
}

#[test]
fn what_is_not_written_has_its_default() {
    let plan = planned(LINE);

    let clean = node(&plan, "clean");
    assert_eq!((clean.on_fault, clean.retries), (OnFault::Restart, None));
    assert_eq!((clean.wedge_ns, clean.deadline_ns), (1_000_000_000, None));
    assert_eq!(plan.duration(), None);
}

#[test]
fn reserved_keys_reach_the_plan() {
    let plan = planned(
        "[graph]\nname = \"g\"\ndeadline_ms = 50\n[node.a]\nop = \"sine\"\nseconds = 2.5\n\
         frame_ms = 8\n[node.b]\nop = \"copy\"\nfrom = \"a\"\non_fault = \"bypass\"\nretries = 3\n\
         wedge_ms = 20\ndeadline_ms = 7.5\ncore = 1\nstage = \"x\"\n\
         [node.out]\nop = \"eat\"\nfrom = \"b\"\n",
    );

    let b = node(&plan, "b");
    assert_eq!((b.on_fault, b.retries, b.wedge_ns), (OnFault::Bypass, Some(3), 20_000_000));
    assert_eq!(
        (b.deadline_ns, plan.stages[1].core, b.stage_name.as_deref()),
        (Some(7_500_000), Some(1), Some("x"))
    );
    assert_eq!((plan.name(), plan.deadline_ns()), ("g", Some(50_000_000)));
    assert_eq!(plan.duration().map(|end| end.secs_f64()), Some(2.5));
    assert_eq!(plan.edges[0].format.as_signal().expect("a signal").frame_len, 2);
}

#[test]
fn warnings_keep_nothing_from_starting() {
    let plan = plan("[node.a]\nop = \"sine\"\nidle_ms = 5\n").expect("only warnings");

    let codes: Vec<_> = plan.warnings().iter().map(|warning| warning.code.name()).collect();
    assert_eq!(codes, ["no-effect", "nothing-leaves"]);
}

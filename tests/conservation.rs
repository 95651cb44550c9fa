//! Every frame on every edge, at every moment: what the counters say is compared with what is found
//! inside, frame by frame, after each turn of graphs that block, drop, join and break.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use afferent_suite::{
    NoFiles,
    kinds::{self, tally},
};
use engine::{
    Body, Catalog, Fault, Flow, Format, Frame, Gap, GapNotice, GraphSpec, Io, Kind, ManualRun,
    Operator, Outline, Param, Placement, Plan, PlanOptions, Port, Sink, Source, SourceText,
    Timestamp,
};

const POLICIES: [&str; 4] = ["block", "drop_newest", "drop_oldest", "latest"];

static BREAKS: Kind = sink("breaks", Placement::Fused);
static WAITING_BREAKS: Kind = sink("waiting_breaks", Placement::Waits);

const HOW: Param<&str> =
    Param::with_default("how", "panic", "What happens at the hundredth frame.")
        .one_of(&["panic", "fault", "closed"]);
const TIMES: Param<i64> = Param::with_default("times", 1, "How often it happens.").within(0.0, 1e9);

const ANY: &[Port] = &[Port::any("in").variadic()];

const fn sink(name: &'static str, placement: Placement) -> Kind {
    Kind {
        name,
        inputs: ANY,
        params: &[&HOW, &TIMES],
        placement,
        build: |node| {
            Ok(Body::sink(Breaks {
                name: node.name().to_owned(),
                how: node.get(&HOW)?.to_owned(),
                times: node.get(&TIMES)?,
            }))
        },
        ..Kind::BASE
    }
}

/// Passes on what it merges, and remembers what it is told is missing.
static HEARS: Kind = Kind {
    name: "hears",
    inputs: &[Port::signal("in").variadic()],
    outputs: &[Port::like("out", "in")],
    build: |_| Ok(Body::operator(Hears)),
    ..Kind::BASE
};

/// An event every 37 ms, for so long as there is something to flush.
static INTERRUPTS: Kind = Kind {
    name: "interrupts",
    outputs: &[Port::event("out")],
    plan: |_| Ok(Outline::of([Format::event(Vec::new(), 100.0)])),
    build: |_| Ok(Body::source(Interrupts(0))),
    ..Kind::BASE
};

struct Interrupts(i64);

impl Source for Interrupts {
    fn next(&mut self, io: &mut Io<'_>) -> Result<Flow, Fault> {
        self.0 += 37;
        let event = io.event_for(0);
        io.send_event(0, at_ms(self.0), event);
        Ok(if self.0 < 2_900 { Flow::More } else { Flow::End })
    }

    fn reset(&mut self) -> Result<(), Fault> {
        self.0 = 0;
        Ok(())
    }
}

/// What bodies of `hears` were told: why, and where it ended.
static HEARD: Mutex<Vec<(Gap, Timestamp)>> = Mutex::new(Vec::new());

struct Hears;

impl Operator for Hears {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let frame = io.take();
        io.send(0, frame);
        Ok(())
    }

    fn gap(&mut self, gap: &GapNotice, _: &mut Io<'_>) -> Result<(), Fault> {
        HEARD.lock().unwrap_or_else(PoisonError::into_inner).push((gap.reason, gap.until));
        Ok(())
    }

    fn reset(&mut self) {}
}

/// Frames the sinks of this file have been given, by node; outlives the body.
static GIVEN: Mutex<BTreeMap<String, i64>> = Mutex::new(BTreeMap::new());

struct Breaks {
    name: String,
    how: String,
    times: i64,
}

impl Sink for Breaks {
    fn take(&mut self, _: usize, _: &Frame) -> Result<(), Fault> {
        let given = {
            let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
            let given = given.entry(self.name.clone()).or_insert(0);
            *given += 1;
            *given
        };
        if (100..100 + self.times).contains(&given) {
            match &*self.how {
                "panic" => panic!("on purpose"),
                "fault" => return Err(Fault::new("on purpose")),
                _ => {
                    let closed = std::io::ErrorKind::BrokenPipe;
                    return Err(Fault::io("on purpose", closed.into()));
                }
            }
        }
        Ok(())
    }
}

fn planned(text: &str) -> Arc<Plan> {
    let spec = GraphSpec::parse(&SourceText::new("test.toml", text)).expect("a graph");
    let mut options = PlanOptions::new(Arc::new(NoFiles));
    options.cores = 2;
    let catalog = Catalog::new(&[
        kinds::KINDS,
        &[&BREAKS, &WAITING_BREAKS, &HEARS, &INTERRUPTS, &operators::audio::barge_in::KIND],
    ]);
    let plan = spec.plan(&catalog, &options);
    Arc::new(plan.unwrap_or_else(|problems| panic!("{problems}")))
}

/// A run whose books are looked through again and again.
struct Audited {
    run: ManualRun,
    /// The most that was found at once, by the edge's ends.
    most: BTreeMap<(String, String), u64>,
}

impl Audited {
    fn new(text: &str, cores: usize, speed: Option<f64>) -> Self {
        let run = ManualRun::new(&planned(text), cores, speed).expect("bodies can be built");
        Self { run, most: BTreeMap::new() }
    }

    fn look(&mut self) {
        for ((from, to, counted), found) in self.run.edges().into_iter().zip(self.run.audit()) {
            let told = counted.taken + counted.dropped_in_all();
            let now = self.run.clock().now();
            assert_eq!(counted.sent, told + found, "{from} → {to} at {now:?}: {counted:?}");
            assert_eq!(counted.in_flight, found, "{from} → {to} at {now:?}: {counted:?}");
            let most = self.most.entry((from, to)).or_insert(0);
            *most = found.max(*most);
        }
    }

    /// Turn by turn until nothing is left to do before `limit`; says whether the graph ended.
    fn run_until(&mut self, limit: Timestamp) -> bool {
        loop {
            while self.run.step() {
                self.look();
            }
            self.look();
            match self.run.settle() {
                Some(next) if next <= limit => self.run.clock().set(next),
                _ => return self.run.has_ended(),
            }
        }
    }

    /// To the end, which must come by itself and leave nothing inside.
    fn run_out(&mut self) {
        assert!(self.run_until(at_ms(60_000)), "the graph waits for ever");
        assert_eq!(self.run.audit().iter().sum::<u64>(), 0, "{:?}", self.run.edges());
    }

    fn most(&self, from: &str, to: &str) -> u64 {
        self.most[&(from.to_owned(), to.to_owned())]
    }

    fn dropped(&self, from: &str, to: &str, gap: Gap) -> u64 {
        let at = Gap::ALL.iter().position(|&known| known == gap).expect("a reason");
        self.run.edge(from, to).expect("an edge").dropped[at]
    }
}

fn at_ms(ms: i64) -> Timestamp {
    Timestamp::from_nanos(ms * 1_000_000)
}

/// Rings, a fan-out, a window, a join and a merge, on stages of their own; `bad` is in the middle.
fn graph(name: &str, on_full: &str, bad: &str) -> String {
    format!(
        r#"
        [graph]
        name = "conservation"
        [node.count]
        op = "count"
        samples = 3_000
        frame_ms = 1.0
        [node.pass]
        op = "pass"
        from = "count"
        stage = "a"
        [node.bad_{name}]
        {bad}
        from = {{ in = {{ node = "pass", on_full = "{on_full}", capacity_ms = 16 }} }}
        stage = "b"
        [node.window]
        op = "window"
        from = "bad_{name}"
        stage = "c"
        core = 1
        [node.sum]
        op = "sum"
        from = {{ in = "bad_{name}", other = "window" }}
        stage = "d"
        [node.{name}]
        op = "waiting_tally"
        from = ["sum", "window"]
        "#
    )
}

#[test]
fn the_books_are_right_at_every_turn_under_every_policy_and_fault() {
    let faults = [
        ("sound", "op = \"pass\""),
        ("panics", "op = \"panics\"\nat = 501"),
        ("often", "op = \"panics\"\nat = 501\ntimes = 5"),
        ("faults", "op = \"faults\"\nat = 501"),
        ("bypass", "op = \"panics_always\"\nretries = 2\non_fault = \"bypass\""),
        ("hold", "op = \"panics\"\nat = 501\nretries = 0\non_fault = \"hold_last\""),
    ];
    for on_full in POLICIES {
        for (fault, bad) in faults {
            for (n, (cores, speed)) in
                [(1, None), (2, None), (2, Some(1.0))].into_iter().enumerate()
            {
                let name = format!("{fault}_{on_full}_{n}");
                let mut audited = Audited::new(&graph(&name, on_full, bad), cores, speed);
                audited.run_out();

                let bad = format!("bad_{name}");
                let full = audited.dropped("pass", &bad, Gap::Full);
                match (on_full, speed) {
                    ("block", _) => assert_eq!(full, 0, "{name}"),
                    // As fast as it goes, a turn makes more than the ring holds.
                    (_, None) => assert!(full > 0, "{name}"),
                    // What comes while the body rests may find no room.
                    (_, Some(_)) => assert!(full == 0 || fault != "sound", "{name}: {full}"),
                }
                // The frame to die on may be among those dropped.
                let meets_it = on_full == "block" || speed.is_some() || fault == "bypass";
                let died = !audited.run.faults.is_empty();
                assert!(died == (fault != "sound") || !(died || meets_it), "{name}");
                let sinks: Vec<_> =
                    audited.run.edges().into_iter().filter(|e| e.1 == name).collect();
                let taken: u64 = sinks.iter().map(|(_, _, frames)| frames.taken).sum();
                assert_eq!(taken, tally(&name).len() as u64, "{name}");
                assert!(taken > 0 || full > 0, "{name}");
            }
        }
    }
}

#[test]
fn the_books_are_right_at_every_turn_whatever_is_flushed() {
    let faults = [("sound", "op = \"pass\""), ("panics", "op = \"panics\"\nat = 501\ntimes = 3")];
    for on_full in POLICIES {
        for (fault, bad) in faults {
            for (n, (cores, speed)) in
                [(1, None), (2, None), (1, Some(1.0)), (2, Some(1.0))].into_iter().enumerate()
            {
                let name = format!("flush_{fault}_{on_full}_{n}");
                let text = graph(&name, on_full, bad).replace(
                    "[node.pass]\n        op = \"pass\"\n        from = \"count\"",
                    "[node.interrupts]\nop = \"interrupts\"\nstage = \"interrupts\"\n\
                     [node.barge_in]\nop = \"barge_in\"\n\
                     from = { in = \"count\", on = \"interrupts\" }\n\
                     [node.pass]\nop = \"pass\"\nfrom = \"barge_in\"",
                );
                assert!(text.contains("barge_in"), "{text}");
                let mut audited = Audited::new(&text, cores, speed);
                audited.run_out();
                let edges = audited.run.edges();
                let void =
                    |edge: &(String, String, _)| audited.dropped(&edge.0, &edge.1, Gap::Flush);
                let above = edges.iter().filter(|(_, to, _)| to == "barge_in").map(void);
                assert_eq!(above.sum::<u64>(), 0, "{name}: only what has passed is void");
                assert!(edges.iter().map(void).sum::<u64>() > 0, "{name}: {edges:?}");
                tally(&name);
            }
        }
    }
}

#[test]
fn frames_are_found_in_rings_behind_them_and_at_joins() {
    let mut audited = Audited::new(&graph("found", "block", "op = \"pass\""), 1, None);
    audited.run_out();

    assert_eq!(audited.most("pass", "bad_found"), 16 + 1, "one waits behind the ring");
    assert!(audited.most("bad_found", "sum") > 0);
    tally("found");
}

#[test]
fn a_session_that_ends_by_a_fault_finishes_what_was_said_and_tells_what_was_lost() {
    for on_full in POLICIES {
        let name = format!("stop_{on_full}");
        let bad = "op = \"panics_always\"\nretries = 2\non_fault = \"stop\"";
        let mut audited = Audited::new(&graph(&name, on_full, bad), 2, None);
        assert!(audited.run_until(at_ms(60_000)));

        let bad = format!("bad_{name}");
        assert_eq!(audited.dropped("pass", &bad, Gap::Poison), 3);
        let lost = audited.dropped("pass", &bad, Gap::Closed);
        assert!(on_full != "block" || lost > 0, "{on_full}: {lost}");
        assert_eq!(audited.run.audit().iter().sum::<u64>(), 0, "{on_full}");
        tally(&name);
    }
}

#[test]
fn sinks_that_break_leave_the_books_right() {
    for kind in ["breaks", "waiting_breaks"] {
        for (n, (how, on_fault)) in [
            ("panic", "restart"),
            ("fault", "restart"),
            ("fault", "hold_last"),
            ("fault", "stop"),
            ("closed", "restart"),
        ]
        .into_iter()
        .enumerate()
        {
            let name = format!("{kind}_{n}");
            let text = format!(
                r#"
                [graph]
                name = "sinks"
                [node.count]
                op = "count"
                samples = 1_000
                frame_ms = 1.0
                [node.pass]
                op = "pass"
                from = "count"
                stage = "a"
                [node.{name}]
                op = "{kind}"
                how = "{how}"
                times = 2
                retries = {}
                on_fault = "{on_fault}"
                from = ["pass", "count"]
                "#,
                if on_fault == "restart" { 5 } else { 1 },
            );
            let mut audited = Audited::new(&text, 1, Some(1.0));
            audited.run_until(at_ms(60_000));
            let lost: u64 = ["pass", "count"]
                .map(|from| audited.run.edge(from, &name).expect("an edge").dropped_in_all())
                .iter()
                .sum();
            assert!(lost > 0, "{name}");
        }
    }
}

#[test]
fn what_comes_after_the_end_of_a_sink_is_dropped_for_the_reason_of_its_end() {
    for on_full in POLICIES {
        for (how, reason) in [("fault", Gap::Poison), ("closed", Gap::Closed)] {
            let name = format!("ended_{how}_{on_full}");
            let text = format!(
                r#"
                [graph]
                name = "ended"
                [node.count]
                op = "count"
                samples = 10_000
                [node.{name}]
                op = "waiting_breaks"
                how = "{how}"
                retries = 0
                on_fault = "stop"
                from = {{ in = {{ node = "count", on_full = "{on_full}", capacity_ms = 100 }} }}
                "#
            );
            let mut audited = Audited::new(&text, 1, Some(1.0));
            audited.run_out();
            let counted = audited.run.edge("count", &name).expect("an edge");
            assert_eq!(counted.taken, 99, "{name}: {counted:?}");
            assert_eq!(audited.dropped("count", &name, reason), 901, "{name}: {counted:?}");
        }
    }
}

#[test]
fn a_pause_and_a_drain_leave_the_books_right() {
    let mut audited = Audited::new(&graph("drained", "block", "op = \"pass\""), 2, Some(1.0));
    assert!(!audited.run_until(at_ms(777)));
    audited.run.pause(true);
    assert!(!audited.run_until(at_ms(900)));
    audited.run.pause(false);
    assert!(!audited.run_until(at_ms(1_500)));
    audited.run.drain();
    audited.run_out();

    // It had been told to stop 123 ms earlier than it would have been without the pause.
    let made = audited.run.edge("count", "pass").expect("an edge").sent;
    assert!((1_000..2_000).contains(&made), "{made}");
    tally("drained");
}

#[test]
fn frames_that_come_too_late_for_a_merge_are_counted() {
    let text = r#"
        [graph]
        name = "late"
        [node.count]
        op = "count"
        samples = 2_000
        frame_ms = 1.0
        [node.window]
        op = "window"
        from = "count"
        stage = "a"
        [node.late]
        op = "waiting_tally"
        from = ["window", "count"]
        max_wait_ms = 5
        "#;
    let mut audited = Audited::new(text, 1, Some(1.0));
    audited.run_out();

    assert!(audited.dropped("window", "late", Gap::Late) > 0);
    let told = tally("late").iter().filter(|(_, f)| f.header.gap == Some(Gap::Late)).count();
    assert!(told > 0, "a sink is told as well");
}

#[test]
fn a_body_is_told_of_what_came_too_late_to_be_merged() {
    // The long frames are late: each ends a second after it begins.
    let text = r#"
        [graph]
        name = "told"
        [node.short]
        op = "count"
        samples = 3_000
        stage = "a"
        [node.long]
        op = "count"
        samples = 2_000
        frame_ms = 1_000.0
        stage = "b"
        [node.told]
        op = "hears"
        from = ["short", "long"]
        max_wait_ms = 100
        stage = "c"
        [node.told_out]
        op = "tally"
        from = "told"
        "#;
    let mut audited = Audited::new(text, 1, Some(1.0));
    audited.run_out();

    assert_eq!(audited.dropped("long", "told", Gap::Late), 2);
    let heard = std::mem::take(&mut *HEARD.lock().unwrap_or_else(PoisonError::into_inner));
    let gaps: Vec<_> = tally("told_out")
        .iter()
        .filter_map(|(_, frame)| Some((frame.header.gap.get()?, frame.header.time)))
        .collect();
    assert_eq!(heard.iter().map(|(gap, _)| *gap).collect::<Vec<_>>(), [Gap::Late; 2]);
    assert_eq!(gaps, heard, "told of each before the frame that says so");
}

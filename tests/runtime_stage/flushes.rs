//! What a flush voids, and what it does not.

use afferent_suite::kinds::{tallied, tally};
use engine::{
    Catalog, Gap, GraphSpec, ManualRun, PlanOptions, RunOptions, Services, SourceText,
    testing::{MOCK_CALL, MockService, MockServiceKind},
};
use std::{fmt::Write as _, sync::Arc};

use crate::{
    LIMIT, end, finish, gaps,
    kinds::{self, held, passed},
    manual, planned, rest, start,
};

const FLUSH: usize = Gap::Flush as usize - 1;

fn dropped(run: &ManualRun, from: &str, to: &str) -> u64 {
    run.edge(from, to).expect("an edge").dropped[FLUSH]
}

fn books_are_right(run: &ManualRun) {
    for ((from, to, counted), found) in run.edges().into_iter().zip(run.audit()) {
        assert!(counted.is_balanced(), "{from} → {to}: {counted:?}");
        assert_eq!(counted.in_flight, found, "{from} → {to}: {counted:?}");
    }
}

/// Sound at 1 kHz in frames of 10 ms through a gate, two stages and into a holder.
fn spoken(name: &str, room: usize, times: &str) -> String {
    format!(
        r#"
        [graph]
        name = "spoken"
        [node.count]
        op = "count"
        samples = 30_000
        [node.script]
        op = "script"
        times = "{times}"
        stage = "script"
        [node.{name}_gate]
        op = "gate"
        from = {{ in = "count", on = "script" }}
        [node.first]
        op = "pass"
        from = "{name}_gate"
        stage = "a"
        [node.second]
        op = "lags"
        from = "first"
        stage = "b"
        core = 1
        [node.{name}]
        op = "holder"
        room = {room}
        from = "second"
        "#
    )
}

#[test]
fn ten_seconds_of_sound_that_wait_in_a_sink_are_gone_in_the_next_turn() {
    let mut run = manual(&spoken("ten", 1_000, "10005 60000"), Some(1.0));
    rest(&mut run, 10_004);
    assert_eq!(held("ten", |held| held.frames.len()), 999, "one lags behind");

    rest(&mut run, 10_005);
    assert_eq!(held("ten", |held| (held.frames.len(), held.flushed)), (0, 999));
    rest(&mut run, 10_030);
    // The last frame before the flush lagged in a body, which has forgotten it.
    assert_eq!(held("ten", |held| held.frames.pop_front()), Some((10_001, Some(Gap::Flush))));
    books_are_right(&run);
    assert_eq!(passed("ten_gate").iter().filter(|did| did.is_none()).count(), 1);
}

#[test]
fn a_flush_comes_through_although_nothing_else_does() {
    // The sink is full, the rings are, and the stages have a backlog each.
    let mut run = manual(&spoken("jam", 4, "20005 60000"), Some(1.0));
    rest(&mut run, 20_004);
    let in_flight = |run: &ManualRun| {
        let edges = run.edges().into_iter().filter(|(from, ..)| *from != "count");
        edges.map(|(.., frames)| frames.in_flight).sum::<u64>()
    };
    assert!(in_flight(&run) > 40, "{:?}", run.edges());
    let before = passed("jam_gate").len() as i64;

    rest(&mut run, 20_005);
    assert!(dropped(&run, "jam_gate", "first") > 16, "the ring and what waited behind it");
    assert!(dropped(&run, "first", "second") > 16);
    assert!(dropped(&run, "second", "jam") > 16);
    assert_eq!(dropped(&run, "count", "jam_gate"), 0, "above the gate nothing is void");
    let first = held("jam", |held| held.frames.pop_front()).expect("there is room again");
    assert_eq!(first, (10 * before + 1, Some(Gap::Flush)));
    books_are_right(&run);
}

/// Whether what was delivered is, of every epoch of the gate, its first frames in their order, of the last
/// one all; and whether every epoch that begins anew says so.
fn is_lawful(name: &str, did: &[Option<i64>], got: &[(i64, Option<Gap>)]) {
    let mut got = got.iter().copied().peekable();
    let epochs: Vec<&[Option<i64>]> = did.split(|did| did.is_none()).collect();
    for (n, epoch) in epochs.iter().enumerate() {
        let mut is_first = n > 0;
        let mut sent = epoch.iter().flatten();
        while let Some(&(first, gap)) = got.peek() {
            if epoch.first().is_none_or(|&begins| Some(first) < begins)
                || epoch.last().is_some_and(|&ends| Some(first) > ends)
            {
                break;
            }
            assert_eq!(sent.next(), Some(&first), "{name}: epoch {n}");
            assert_eq!(gap, is_first.then_some(Gap::Flush), "{name}: epoch {n} at {first}");
            is_first = false;
            got.next();
        }
        if n + 1 == epochs.len() {
            assert_eq!(sent.next(), None, "{name}: all of the last epoch arrives");
        }
    }
    assert_eq!(got.next(), None, "{name}: what is void never arrives");
}

/// A generator of the tests' own.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

#[test]
fn whatever_the_turns_nothing_old_comes_after_a_flush_and_nothing_new_is_lost() {
    for seed in 0..60 {
        let name = format!("random_{seed}");
        let mut random = Random(seed);
        let mut times = String::new();
        let mut at_ms = 0;
        while at_ms < 4_000 {
            at_ms += 1 + random.below(400) as i64;
            let _ = write!(times, "{at_ms} ");
        }
        let room = 1 + random.below(30) as usize;
        let text = spoken(&name, room, times.trim()).replace("30_000", "5_000");
        let text = text.replace("op = \"lags\"", "op = \"pass\"");
        let cores = 1 + seed as usize % 2;
        let mut run = ManualRun::new(&planned(&text), cores, Some(1.0)).expect("can be built");
        let mut got = Vec::new();
        let mut void = 0;
        for ms in 0..20_000 {
            run.clock().set(engine::Timestamp::from_nanos(ms * 1_000_000));
            for _ in 0..random.below(4) {
                run.step();
            }
            let plays = random.below(12) == 0;
            held(&name, |held| {
                if std::mem::take(&mut held.flushed) > 0 {
                    void += 1;
                }
                got.extend(plays.then(|| held.frames.pop_front()).flatten());
            });
            if run.has_ended() {
                break;
            }
            if ms % 100 == 0 {
                books_are_right(&run);
            }
        }
        end(&mut run);
        got.extend(held(&name, |held| held.frames.drain(..).collect::<Vec<_>>()));
        let did = passed(&format!("{name}_gate"));
        // Two blocks have added one each.
        let got: Vec<_> = got.iter().map(|(first, gap)| (first - 2, *gap)).collect();
        is_lawful(&name, &did, &got);
        assert!(void > 0 && got.len() < 500, "{name}: something was void");
    }
}

#[test]
fn on_two_threads_nothing_old_comes_after_a_flush_and_nothing_new_is_lost() {
    for round in 0..4 {
        let name = format!("threads_{round}");
        let text = format!(
            r#"
            [graph]
            name = "threads"
            [node.count]
            op = "count"
            samples = 2_000_000
            [node.script]
            op = "script"
            times = "{}"
            stage = "script"
            core = 1
            [node.{name}_gate]
            op = "gate"
            from = {{ in = "count", on = "script" }}
            core = {}
            [node.first]
            op = "pass"
            from = "{name}_gate"
            stage = "a"
            core = {}
            [node.second]
            op = "pass"
            from = "first"
            stage = "b"
            core = 0
            [node.{name}]
            op = "waiting_tally"
            from = "second"
            "#,
            (0..400).map(|n| n.to_string()).collect::<Vec<_>>().join(" "),
            round % 2,
            round / 2,
        );
        let options = RunOptions { cores: 2, speed: None, ..RunOptions::default() };
        let running = planned(&text).start(&options).expect("can be built");
        finish(&running);
        let (samples, headers) = tallied(&name);
        let firsts = samples.chunks(10).map(|frame| frame[0] as i64 - 2);
        let got: Vec<_> = firsts.zip(headers.iter().map(|(_, gap)| *gap)).collect();
        is_lawful(&name, &passed(&format!("{name}_gate")), &got);
    }
}

#[test]
fn what_a_join_holds_of_others_stays() {
    let mut run = manual(
        r#"
        [graph]
        name = "join"
        [node.count]
        op = "count"
        samples = 2_000
        [node.other]
        op = "count"
        samples = 2_000
        stage = "other"
        [node.script]
        op = "script"
        times = "1005 5000"
        stage = "script"
        [node.join_gate]
        op = "gate"
        from = { in = "count", on = "script" }
        [node.slow]
        op = "window"
        from = "other"
        stage = "slow"
        [node.join]
        op = "sum"
        from = { in = "join_gate", other = "slow" }
        stage = "join"
        [node.beside]
        op = "tally"
        from = ["join", "other"]
        stage = "join"
        "#,
        Some(1.0),
    );
    end(&mut run);
    assert!(dropped(&run, "join_gate", "join") > 0, "the join waits for the slow line");
    assert_eq!(dropped(&run, "slow", "join"), 0);
    assert_eq!(dropped(&run, "other", "beside"), 0);
    let got = tally("beside");
    assert_eq!(got.iter().filter(|(line, _)| *line == 1).count(), 200);
    let joined: Vec<_> = got.iter().filter(|(line, _)| *line == 0).collect();
    let told: Vec<_> = joined
        .iter()
        .filter_map(|(_, f)| Some((f.header.time.nanos(), f.header.gap.get()?)))
        .collect();
    assert!(joined.len() < 200 && told.iter().all(|(_, gap)| *gap == Gap::Flush), "{told:?}");
    assert!(!told.is_empty() && (1_000_000_000..1_020_000_000).contains(&told[0].0), "{told:?}");
    passed("join_gate");
}

#[test]
fn open_questions_are_given_up() {
    let text = r#"
        [graph]
        name = "asks"
        [model.m]
        file = "asks"
        [node.count]
        op = "count"
        samples = 200
        [node.script]
        op = "script"
        times = "105"
        stage = "script"
        [node.asks_gate]
        op = "gate"
        from = { in = "count", on = "script" }
        [node.ask]
        op = "mock_call"
        service = "m"
        from = "asks_gate"
        after_ms = [-1.0, -1.0, -1.0, -1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0,
                    0.0, 0.0, 0.0]
        in_flight = 4
        [node.asks]
        op = "tally"
        from = "ask"
        "#;
    let spec = GraphSpec::parse(&SourceText::new("asks.toml", text)).expect("a graph");
    let services = Services::open(&MockServiceKind::default(), &spec.models).expect("valid");
    let service = services.find::<MockService>("m").expect("open").clone();
    let mut options = PlanOptions::new(Arc::new(afferent_suite::NoFiles));
    options.services = services;
    let catalog = Catalog::new(&[afferent_suite::kinds::KINDS, kinds::KINDS, &[&MOCK_CALL]]);
    let plan = spec.plan(&catalog, &options).unwrap_or_else(|problems| panic!("{problems}"));
    let running = Arc::new(plan).start(&RunOptions { speed: Some(1.0), ..RunOptions::default() });
    let running = running.expect("can be built");
    // Four never come, so that without the flush it would never end.
    let outcome = running.wait_for(LIMIT).expect("ends");
    assert_eq!(outcome.fault, None);
    let report = running.report();
    let asked = report.edge("asks_gate", "ask").expect("an edge").frames;
    assert_eq!((asked.sent, asked.in_flight), (20, 0), "{asked:?}");
    // Four open, and those that waited in the ring.
    assert!(asked.dropped[FLUSH] >= 4, "{asked:?}");
    assert_eq!(asked.taken + asked.dropped[FLUSH], 20, "{asked:?}");
    assert!(service.open_max() <= 4);
    passed("asks_gate");
    tally("asks");
}

#[test]
fn gates_in_a_row_and_side_by_side_void_what_is_theirs() {
    // Two before a merge, one behind it.
    let mut run = manual(
        r#"
        [graph]
        name = "gates"
        [node.a]
        op = "count"
        samples = 3_000
        [node.b]
        op = "count"
        samples = 3_000
        stage = "b"
        [node.on_a]
        op = "script"
        times = "1005"
        stage = "on_a"
        [node.on_b]
        op = "script"
        times = "2005"
        stage = "on_b"
        [node.on_c]
        op = "script"
        times = "2505"
        stage = "on_c"
        [node.gates_a]
        op = "gate"
        from = { in = "a", on = "on_a" }
        [node.gates_b]
        op = "gate"
        from = { in = "b", on = "on_b" }
        [node.merge]
        op = "sum"
        from = { in = "gates_a", other = "gates_b" }
        stage = "merge"
        [node.gates_c]
        op = "gate"
        from = { in = "merge", on = "on_c" }
        [node.gates]
        op = "holder"
        room = 10_000
        from = "gates_c"
        "#,
        Some(1.0),
    );
    let flushed = |run: &mut ManualRun, at_ms| {
        rest(run, at_ms);
        held("gates", |held| (std::mem::take(&mut held.flushed), held.frames.len()))
    };
    assert_eq!(flushed(&mut run, 1_004).0, 0);
    let (void, left) = flushed(&mut run, 1_006);
    assert!(void > 90 && left == 0, "{void}, {left}");
    assert_eq!(flushed(&mut run, 2_004).0, 0);
    let (void, left) = flushed(&mut run, 2_006);
    // The frame of the other gate that had no partner yet is not void.
    assert!(void > 90 && left == 1, "{void}, {left}");
    assert_eq!(flushed(&mut run, 2_504).0, 0);
    let (void, left) = flushed(&mut run, 2_506);
    assert!(void > 40 && left == 0, "{void}, {left}");
    end(&mut run);
    // Behind the last of them all is there, and says so once.
    let got = held("gates", |held| held.frames.drain(..).collect::<Vec<_>>());
    assert!(got.len() >= 48, "{}", got.len());
    let told: Vec<_> = got.iter().filter_map(|(_, gap)| *gap).collect();
    assert_eq!(told, [Gap::Flush]);
    assert_eq!(dropped(&run, "a", "gates_a") + dropped(&run, "b", "gates_b"), 0);
    for gate in ["gates_a", "gates_b", "gates_c"] {
        passed(gate);
    }
}

#[test]
fn a_body_that_dies_behind_a_flush_does_not_take_up_what_was_void() {
    // States are saved once a second, so just before the flush; then it dies.
    let mut run = manual(
        r#"
        [graph]
        name = "dies"
        [node.count]
        op = "count"
        samples = 1_100
        [node.script]
        op = "script"
        times = "1005 2000"
        stage = "script"
        [node.dies_gate]
        op = "gate"
        from = { in = "count", on = "script" }
        [node.dies]
        op = "total"
        from = "dies_gate"
        stage = "a"
        [node.dies_out]
        op = "tally"
        from = "dies"
        stage = "a"
        "#,
        Some(0.25),
    );
    end(&mut run);
    assert_eq!(run.restarts("dies"), 1);
    let (samples, headers) = tallied("dies_out");
    let told = gaps(&headers);
    assert_eq!(told.last().map(|(_, gap)| *gap), Some(Gap::Flush), "{told:?}");
    // The frame from 1 000 is poison; from 1 010 on it counts from nothing.
    let after = samples.iter().rev().take(90).rev();
    let mut sum = 0.0_f32;
    for (n, sample) in after.enumerate() {
        sum += (1_010 + n) as f32;
        assert_eq!(*sample, sum, "{n}");
    }
    passed("dies_gate");
}

#[test]
fn a_stage_that_wedges_behind_a_gate_is_replaced_and_hears_of_the_next_flush() {
    let running = start(
        &format!(
            r#"
            [graph]
            name = "wedge"
            [node.count]
            op = "count"
            samples = 4_000
            [node.script]
            op = "script"
            times = "200 {}"
            stage = "script"
            [node.wedge_gate]
            op = "gate"
            from = {{ in = "count", on = "script" }}
            [node.wedge]
            op = "stall"
            from = "wedge_gate"
            at = 500
            wedge_ms = 300
            stage = "a"
            [node.wedge_out]
            op = "waiting_tally"
            from = "wedge"
            "#,
            3_000
        ),
        1,
        Some(1.0),
    );
    finish(&running);
    kinds::open("wedge");
    let report = running.report();
    assert_eq!(report.node("wedge").expect("a node").restarts, 1);
    let (samples, headers) = tallied("wedge_out");
    let firsts: Vec<i64> = samples.chunks(10).map(|frame| frame[0] as i64).collect();
    assert_eq!(firsts.last(), Some(&3_990), "goes on after the wedge and the flush");
    assert!(firsts.is_sorted(), "{firsts:?}");
    assert!(headers.iter().any(|(_, gap)| *gap == Some(Gap::Wedged)), "{headers:?}");
    let last = headers.iter().rev().find_map(|(time, gap)| Some((time, (*gap)?)));
    assert_eq!(last.map(|(_, gap)| gap), Some(Gap::Flush), "{last:?}");
    passed("wedge_gate");
}

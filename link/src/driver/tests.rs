//! Promises of a driver, kept without a network.

use std::time::Duration;

use engine::{Format, Frame, Rate, Timestamp, Unit};

use super::{Arrived, Driver, Ended, Inlet, Outlet, Ports, Settings};
use crate::{
    session::{Delivery, EdgeConfig, Priority, Session, SessionConfig, TimeLine, Timing},
    testing::{MemorySwitch, memory},
    wire::ByeReason,
};

/// Guards against a test that hangs.
const LONG: Duration = Duration::from_secs(60);
const HELD: usize = 16;

/// A droppable edge and a durable one, both from the first side to the second.
fn config(side: usize) -> SessionConfig {
    let edge = |name: &str, delivery| EdgeConfig {
        name: name.to_owned(),
        format: Format::signal(1, Unit::MILLIVOLT, Rate::new(250.0).expect("possible"), 10),
        receives: side == 1,
        delivery,
        priority: Priority::Sensor,
        line: TimeLine::Shared,
        packed: false,
        may_void: true,
        frames_max: HELD,
        bytes_max: 1 << 20,
    };
    let edges = vec![
        edge("a -> b", Delivery::Droppable { deadline_ns: 10_000_000_000 }),
        edge("c -> d", Delivery::Durable),
    ];
    SessionConfig {
        graph: [1; 16],
        session: [2; 16],
        life: side as u64 + 1,
        calls: side == 0,
        edges,
        timing: Timing { call_ns: [1_000_000, 5_000_000], ..Timing::default() },
    }
}

struct Hosts {
    droppable: (Outlet, Inlet),
    durable: (Outlet, Inlet),
    handles: [super::Handle; 2],
    ended: [tokio::task::JoinHandle<Ended>; 2],
    switch: MemorySwitch,
}

fn hosts() -> Hosts {
    let (caller, called, switch) = memory();
    let (here, mut ours) = Driver::new(Session::new(config(0)), Settings::default());
    let (there, mut theirs) = Driver::new(Session::new(config(1)), Settings::default());
    let ends = |ours: &mut Ports, theirs: &mut Ports, n: usize| {
        (ours.outlets[n].take().expect("sent"), theirs.inlets[n].take().expect("received"))
    };
    Hosts {
        droppable: ends(&mut ours, &mut theirs, 0),
        durable: ends(&mut ours, &mut theirs, 1),
        handles: [ours.handle, theirs.handle],
        ended: [tokio::spawn(here.run(caller)), tokio::spawn(there.run(called))],
        switch,
    }
}

fn frame(number: u64) -> Frame {
    let mut frame = Frame::signal(Timestamp::from_nanos(number as i64), 1, &[number as f32; 10]);
    frame.header.tag = number;
    frame
}

async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(LONG, work).await.expect("it ends")
}

async fn until(is_so: impl Fn() -> bool) {
    while !is_so() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn room(outlet: &mut Outlet) {
    std::future::poll_fn(|context| outlet.poll_room(context)).await;
}

/// The numbers of all frames until the end, each consumed at once.
async fn numbers(inlet: &mut Inlet) -> Vec<u64> {
    let mut numbers = Vec::new();
    while let Some(arrived) = inlet.recv().await {
        match arrived {
            Arrived::Frame(frame) => {
                numbers.push(frame.header.tag);
                inlet.consumed(1);
            }
            Arrived::End => break,
            other => assert!(matches!(other, Arrived::Gap { .. } | Arrived::Bound(_))),
        }
    }
    numbers
}

#[tokio::test]
async fn what_is_not_consumed_holds_the_sender_up_and_no_more_is_kept_than_was_granted() {
    let Hosts { mut durable, handles, .. } = hosts();
    // Each side holds as many, and so does the ring before them.
    let mut sent = 0;
    within(until(|| handles[1].status().is_up)).await;
    let mut stuck = 0;
    while stuck < 50 {
        match durable.0.try_send(frame(sent)) {
            Ok(()) => (sent, stuck) = (sent + 1, 0),
            Err(_) => {
                stuck += 1;
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    }
    assert!((2 * HELD as u64..=3 * HELD as u64).contains(&sent), "{sent}");

    let feed = async {
        for number in sent..200 {
            room(&mut durable.0).await;
            durable.0.try_send(frame(number)).expect("there is room");
        }
        durable.0.end();
    };
    let (_, numbers) = within(async { tokio::join!(feed, numbers(&mut durable.1)) }).await;
    assert_eq!(numbers, (0..200).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_graph_that_takes_nothing_costs_droppable_frames_and_is_told_so() {
    let Hosts { mut droppable, handles, .. } = hosts();
    within(until(|| handles[0].status().is_up && handles[1].status().is_up)).await;
    let mut sent = 0;
    // Until some have found the graph's ring full.
    within(async {
        while handles[1].status().edges[0].overflown < 10 {
            room(&mut droppable.0).await;
            droppable.0.try_send(frame(sent)).expect("there is room");
            sent += 1;
            tokio::task::yield_now().await;
        }
    })
    .await;
    droppable.0.end();
    let (mut came, mut missing) = (0, 0);
    let mut before_gap = None;
    within(async {
        while let Some(arrived) = droppable.1.recv().await {
            match arrived {
                Arrived::Frame(frame) => {
                    came += 1;
                    before_gap.get_or_insert(frame.header.gap.get());
                }
                Arrived::Gap { frames, .. } => missing += frames,
                Arrived::End => break,
                other => assert!(matches!(other, Arrived::Bound(_))),
            }
        }
    })
    .await;
    assert_eq!(came + missing, sent);
    assert_eq!(before_gap, Some(None), "the first was not behind a gap");
    assert!(missing >= 10 && came >= HELD as u64, "{came} {missing}");
}

#[tokio::test]
async fn a_flush_goes_before_what_waits_at_both_ends_and_all_of_that_is_void() {
    let Hosts { mut durable, handles, mut droppable, .. } = hosts();
    within(until(|| handles[1].status().is_up)).await;
    // As many as one side holds are there and not taken, the rest waits here.
    let mut sent = 0;
    while sent < 2 * HELD as u64 {
        room(&mut durable.0).await;
        durable.0.try_send(frame(sent)).expect("there is room");
        sent += 1;
    }
    droppable.0.try_send(frame(0)).expect("there is room");
    let waits = |edge: usize| handles[1].status().edges[edge].waiting;
    within(until(|| waits(1) == HELD && waits(0) == 1)).await;

    durable.0.flush();
    droppable.0.flush();
    within(durable.1.flushed()).await;
    let feed = async {
        room(&mut durable.0).await;
        durable.0.try_send(frame(sent)).expect("there is room");
        durable.0.end();
    };
    let (mut got, mut void) = (Vec::new(), 0);
    let all = async {
        while let Some(arrived) = durable.1.recv().await {
            match arrived {
                Arrived::Void => {
                    void += 1;
                    durable.1.consumed(1);
                }
                Arrived::Frame(frame) => {
                    got.push(frame.header.tag);
                    durable.1.consumed(1);
                }
                Arrived::Gap { .. } | Arrived::Bound(_) => {}
                Arrived::Flush => panic!("it was told"),
                Arrived::End => break,
            }
        }
    };
    within(async { tokio::join!(feed, all) }).await;
    assert_eq!(got, [sent], "what was handed in behind the flush");
    assert_eq!(void, HELD, "the rest never left");

    droppable.0.try_send(frame(1)).expect("there is room");
    droppable.0.end();
    let mut given = Vec::new();
    while let Some(arrived) = within(droppable.1.recv()).await {
        match arrived {
            Arrived::Frame(frame) => given.push(frame.header.tag as i64),
            Arrived::Flush => given.push(-1),
            Arrived::Void => given.push(-2),
            Arrived::End => break,
            _ => {}
        }
    }
    assert_eq!(given, [-1, -2, 1]);
}

#[tokio::test]
async fn connections_that_are_cut_again_and_again_cost_nothing_and_double_nothing() {
    let Hosts { mut durable, ended, switch, handles, droppable } = hosts();
    drop(droppable.0);
    let feed = async {
        for number in 0..2_000 {
            room(&mut durable.0).await;
            durable.0.try_send(frame(number)).expect("there is room");
            if number % 150 == 149 {
                switch.cut();
                tokio::task::yield_now().await;
                switch.mend();
            }
        }
        durable.0.end();
    };
    let (_, numbers) = within(async { tokio::join!(feed, numbers(&mut durable.1)) }).await;
    assert_eq!(numbers, (0..2_000).collect::<Vec<_>>());
    for ended in ended {
        let ended = within(ended).await.expect("no panic");
        assert_eq!((ended.reason, ended.left), (ByeReason::Done, 0), "{}", ended.text);
    }
    assert!(handles[0].status().totals.connections > 5);
}

#[tokio::test]
async fn who_has_sent_all_waits_for_a_line_that_is_cut_only_so_long_and_says_what_is_left() {
    let (caller, _called, switch) = memory();
    switch.cut();
    let settings = Settings { flush: Duration::from_millis(50), ..Settings::default() };
    let (driver, mut ports) = Driver::new(Session::new(config(0)), settings);
    let mut durable = ports.outlets[1].take().expect("sent");
    for number in 0..5 {
        durable.try_send(frame(number)).expect("there is room");
    }
    drop((durable, ports.outlets[0].take()));
    let ended = within(driver.run(caller)).await;
    assert_eq!((ended.reason, ended.left), (ByeReason::Stopped, 5), "{}", ended.text);
}

#[tokio::test]
async fn long_frames_that_may_wait_do_so_where_they_are_made() {
    let waiting = |delivery, samples| {
        let mut config = config(0);
        config.edges.truncate(1);
        config.edges[0].delivery = delivery;
        config.edges[0].frames_max = 1_000;
        config.edges[0].format =
            Format::signal(1, Unit::MILLIVOLT, Rate::new(250.0).expect("possible"), samples);
        let (_driver, mut ports) = Driver::new(Session::new(config), Settings::default());
        let mut outlet = ports.outlets[0].take().expect("sent");
        (0..).take_while(|&number| outlet.try_send(frame(number)).is_ok()).count()
    };
    assert_eq!(waiting(Delivery::Durable, 10), 1_000);
    assert_eq!(waiting(Delivery::Durable, 64 << 10), 4);
    assert_eq!(waiting(Delivery::Droppable { deadline_ns: 1 }, 64 << 10), 1_000);
}

#[test]
fn a_bound_holds_behind_what_was_handed_in_before_it_and_ends_come_last() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(within(async {
        let Hosts { mut droppable, mut durable, .. } = hosts();
        for (outlet, inlet) in
            [(&mut droppable.0, &mut droppable.1), (&mut durable.0, &mut durable.1)]
        {
            for number in 0..10 {
                outlet.try_send(frame(number)).expect("there is room");
                outlet.bound(Timestamp::from_nanos(number as i64));
            }
            outlet.end();
            let mut last = Timestamp::MIN;
            while let Some(arrived) = inlet.recv().await {
                match arrived {
                    Arrived::Frame(frame) => {
                        assert!(
                            frame.header.time >= last,
                            "{:?} after {last:?}",
                            frame.header.time
                        );
                        inlet.consumed(1);
                    }
                    Arrived::Bound(bound) => last = bound,
                    other @ (Arrived::Gap { .. } | Arrived::Flush | Arrived::Void) => {
                        panic!("{other:?}")
                    }
                    Arrived::End => break,
                }
            }
            assert_eq!(last, Timestamp::from_nanos(9));
        }
    }));
}

#[test]
fn threads_that_may_block_wait_for_room_and_for_frames() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let _inside = runtime.enter();
    let Hosts { mut durable, ended, droppable, .. } = hosts();
    drop(droppable.0);
    let sender = std::thread::spawn(move || {
        for number in 0..500 {
            assert!(durable.0.wait_for_room(LONG));
            durable.0.try_send(frame(number)).expect("there is room");
        }
    });
    let receiver = std::thread::spawn(move || {
        let mut numbers = Vec::new();
        while let Some(arrived) = durable.1.recv_within(LONG) {
            match arrived {
                Arrived::Frame(frame) => {
                    numbers.push(frame.header.tag);
                    durable.1.consumed(1);
                }
                Arrived::End => break,
                _ => {}
            }
        }
        numbers
    });
    runtime.block_on(within(async {
        for ended in ended {
            assert_eq!(ended.await.expect("no panic").reason, ByeReason::Done);
        }
    }));
    sender.join().expect("no panic");
    assert_eq!(receiver.join().expect("no panic"), (0..500).collect::<Vec<_>>());
}

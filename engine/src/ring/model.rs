//! Model tests of what stands beside the frames: room, bounds, the end, and giving up.

use loom::thread;

use super::*;
use crate::{buffer::Buffer, frame::Header};

/// A thread that sleeps until somebody rings. A ring that never comes shows as a search without end.
struct Bell(AtomicBool);

impl Bell {
    fn new() -> Arc<Self> {
        Arc::new(Self(AtomicBool::new(false)))
    }

    fn wait(&self) {
        while !self.0.swap(false, Ordering::Acquire) {
            thread::yield_now();
        }
    }
}

impl Wake for Bell {
    fn wake(&self) {
        self.0.swap(true, Ordering::AcqRel);
    }
}

/// Both ends of a ring, each with the bell its thread waits for.
struct Ends {
    sender: Sender,
    at_sender: Arc<Bell>,
    receiver: Receiver,
    at_receiver: Arc<Bell>,
    counts: Arc<EdgeCounts>,
    /// Dropped when both threads are through: loom does not see what an `Arc` of std's orders.
    shared: Arc<Shared>,
}

fn ends(capacity: usize, on_full: OnFull) -> Ends {
    let (at_sender, at_receiver, counts) = (Bell::new(), Bell::new(), Arc::default());
    let (sender, receiver) =
        ring(capacity, on_full, &counts, at_sender.clone(), at_receiver.clone());
    let shared = sender.shared.clone();
    Ends { sender, at_sender, receiver, at_receiver, counts, shared }
}

fn at(nanos: i64) -> Timestamp {
    Timestamp::from_nanos(nanos)
}

fn frame(seq: u64) -> Frame {
    let header = Header { seq, ..Header::at(at(seq as i64)) };
    Frame::new(header, Buffer::with_bytes(0, 0))
}

fn check(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

/// Pushes `frames` as a stage does: what finds no room waits for it.
fn push_all(sender: &mut Sender, bell: &Bell, frames: u64) {
    for seq in 0..frames {
        let mut waits = frame(seq);
        while let Err(frame) = sender.push(waits) {
            waits = frame;
            if !sender.wait_for_room() {
                sender.publish(at(seq as i64));
                bell.wait();
            }
        }
    }
    sender.publish(at(frames as i64));
}

#[test]
fn a_producer_that_waits_for_room_is_told_of_it() {
    check(|| {
        let Ends { mut sender, at_sender, mut receiver, at_receiver, shared, .. } =
            ends(1, OnFull::Block);
        let producer = thread::spawn(move || {
            push_all(&mut sender, &at_sender, 2);
            sender.abandon();
        });

        let mut seen = 0;
        loop {
            while let Some(frame) = receiver.pop() {
                assert_eq!(frame.header.seq, seen);
                seen += 1;
            }
            receiver.release();
            if seen == 2 {
                break;
            }
            at_receiver.wait();
        }
        producer.join().expect("no panic");
        drop(shared);
    });
}

#[test]
fn a_consumer_that_waits_for_a_bound_is_told_of_it() {
    check(|| {
        let Ends { mut sender, receiver, at_receiver, shared, .. } = ends(1, OnFull::Block);
        let producer = thread::spawn(move || {
            // Nothing is in the ring, so only the bound can wake.
            sender.publish(at(1));
            sender.publish(at(2));
            sender.abandon();
        });

        while receiver.bound() < at(2) {
            if !receiver.want(at(2)) {
                at_receiver.wait();
            }
        }
        producer.join().expect("no panic");
        drop(shared);
    });
}

#[test]
fn what_a_bound_covers_is_in_the_ring_and_an_end_is_told() {
    for on_full in [OnFull::Block, OnFull::DropOldest] {
        check(move || {
            let Ends { mut sender, mut receiver, at_receiver, counts, shared, .. } =
                ends(2, on_full);
            let producer = thread::spawn(move || {
                push_all(&mut sender, &Bell(AtomicBool::new(false)), 2);
                drop(sender);
            });

            let mut seen = 0;
            loop {
                // Read before draining.
                let bound = receiver.bound();
                while let Some(frame) = receiver.pop() {
                    assert_eq!(frame.header.seq, seen);
                    seen += 1;
                }
                assert!(bound < at(2) || seen == 2, "{bound:?} covers more than {seen}");
                if bound == Timestamp::MAX {
                    break;
                }
                if !receiver.want(Timestamp::MAX) {
                    at_receiver.wait();
                }
            }
            assert_eq!(counts.dropped_in_all(), 0);
            producer.join().expect("no panic");
            drop(shared);
        });
    }
}

/// However the consumer goes, a producer that waits for room does not wait for ever.
fn consumer_goes(go: impl Fn(Receiver) -> Option<Receiver> + Copy + Send + Sync + 'static) {
    check(move || {
        let Ends { mut sender, at_sender, receiver, shared, .. } = ends(1, OnFull::Block);
        let consumer = thread::spawn(move || go(receiver));

        push_all(&mut sender, &at_sender, 3);
        drop(sender);
        drop(consumer.join().expect("no panic"));
        drop(shared);
    });
}

#[test]
fn a_producer_does_not_wait_for_a_consumer_that_gave_up() {
    consumer_goes(|mut receiver| {
        receiver.abandon(Gap::Poison);
        Some(receiver)
    });
}

#[test]
fn a_producer_does_not_wait_for_a_consumer_that_is_gone() {
    consumer_goes(|receiver| {
        drop(receiver);
        None
    });
}

#[test]
fn whatever_a_consumer_that_gave_up_has_not_taken_is_dropped_for_its_reason() {
    for on_full in [OnFull::Block, OnFull::DropNewest, OnFull::DropOldest] {
        check(move || {
            let Ends { mut sender, at_sender, mut receiver, counts, shared, .. } = ends(1, on_full);
            let consumer = thread::spawn(move || {
                let taken = u64::from(receiver.pop().is_some());
                receiver.abandon(Gap::Poison);
                (taken, receiver)
            });

            push_all(&mut sender, &at_sender, 3);
            drop(sender);
            let (taken, receiver) = consumer.join().expect("no panic");
            let [full, poison] = [Gap::Full, Gap::Poison].map(|gap| counts.dropped_for(gap));
            assert_eq!((taken + poison + full, receiver.len()), (3, 0), "{on_full:?}");
            assert!(full == 0 || on_full != OnFull::Block);
            drop((receiver, shared));
        });
    }
}

#[test]
fn what_comes_after_the_end_of_a_consumer_is_dropped_for_its_reason() {
    check(|| {
        let Ends { mut sender, mut receiver, counts, shared, .. } = ends(1, OnFull::DropNewest);
        let consumer = thread::spawn(move || receiver.abandon(Gap::Poison));
        sender.push(frame(0)).expect("a full ring drops");
        consumer.join().expect("no panic");

        sender.push(frame(1)).expect("nobody to wait for");
        sender.publish(at(2));
        sender.push(frame(2)).expect("nobody to wait for");
        assert_eq!(counts.dropped_for(Gap::Poison), 3);
        drop((sender, shared));
    });
}

//! Model tests of looks at flushes while others are raised.

use loom::thread;

use super::*;

/// Whether with each number all smaller ones are there, each root having flushed once at most.
fn is_whole(epochs: &[u32]) -> bool {
    let greatest = epochs.iter().copied().max().unwrap_or(0);
    (1..=greatest).all(|number| epochs.contains(&number))
}

#[test]
fn a_look_shows_no_flush_without_those_before_it() {
    loom::model(|| {
        let flushes = Arc::new(Flushes::new(2));
        let raise = |root: usize| {
            let flushes = flushes.clone();
            thread::spawn(move || flushes.raise(root))
        };
        let (a, b) = (raise(0), raise(1));
        let mut seen = Seen::new(&flushes);
        assert!(is_whole(&seen.epochs), "{:?}", seen.epochs);
        let numbers = [a.join().unwrap(), b.join().unwrap()];
        assert!(numbers == [1, 2] || numbers == [2, 1]);
        seen.look();
        assert_eq!(*seen.epochs, numbers);
        assert!(!seen.is_old());
    });
}

#[test]
fn who_takes_a_frame_out_sees_the_flush_that_its_sender_knew() {
    loom::model(|| {
        let flushes = Arc::new(Flushes::new(1));
        // Stands for a ring: a frame with its stamp.
        let ring = Arc::new(AtomicU32::new(0));
        let sender = {
            let (flushes, ring) = (flushes.clone(), ring.clone());
            thread::spawn(move || ring.store(flushes.raise(0), Ordering::Release))
        };
        let mut seen = Seen::new(&flushes);
        let stamp = ring.load(Ordering::Acquire);
        if seen.is_old() {
            seen.look();
        }
        assert!(seen.required(Roots::one(0)) >= stamp);
        sender.join().unwrap();
    });
}

//! Model tests of the reference count and the stores. Loom sees every read and write of the data, so
//! one that is not ordered after the other holders' shows as a race.

use loom::thread;

use super::*;

fn check(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

#[test]
fn a_sole_holder_writes_after_the_others_have_read() {
    check(|| {
        let mut here = Buffer::with_bytes(1, 0);
        here.bytes_mut().expect("sole")[0] = 1;
        let others = [here.clone(), here.clone()].map(|there| {
            thread::spawn(move || {
                let read = there.bytes()[0];
                drop(there);
                assert_eq!(read, 1);
            })
        });

        while here.bytes_mut().is_none() {
            thread::yield_now();
        }
        for other in others {
            other.join().expect("no panic");
        }
    });
}

#[test]
fn a_block_is_written_anew_after_its_last_holders_have_read() {
    check(|| {
        let mut here = Buffer::with_bytes(1, 0);
        here.bytes_mut().expect("sole")[0] = 1;
        let there = here.clone();
        let other = thread::spawn(move || {
            assert_eq!(there.bytes()[0], 1);
            drop(there);
            // The same block, if the other let go first.
            Buffer::with_bytes(1, 0).bytes_mut().expect("sole")[0] = 2;
        });

        assert_eq!(here.bytes()[0], 1);
        drop(here);
        Buffer::with_bytes(1, 0).bytes_mut().expect("sole")[0] = 3;
        other.join().expect("no panic");
    });
}

#[test]
fn a_block_goes_to_another_thread_through_the_shared_store() {
    check(|| {
        let giver = thread::spawn(|| {
            // One more than the thread's own two magazines hold here.
            let buffers = [(); 3].map(|()| Buffer::with_bytes(1, 0));
            for mut buffer in buffers {
                buffer.bytes_mut().expect("sole")[0] = 1;
            }
        });

        for _ in 0..2 {
            let mut taken = Buffer::with_bytes(1, 0);
            taken.bytes_mut().expect("sole")[0] = 2;
            // Kept out of the stores: the next one comes from elsewhere.
            std::mem::forget(taken);
        }
        giver.join().expect("no panic");
    });
}

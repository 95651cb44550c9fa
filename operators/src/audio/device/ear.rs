//! Samples handed over by a callback.

use engine::Timestamp;
use ringbuf::{
    HeapCons, HeapProd, HeapRb,
    traits::{Consumer, Observer, Producer, Split},
};

use super::{cards::Now, encoded::Encoded};

/// What one callback brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// When the callback was called: its last sample had just been heard.
    pub at: Timestamp,
    /// Samples of each channel.
    pub len: usize,
    /// Samples of each channel that found no room before these.
    pub lost: u64,
}

/// The callback's end: belongs to the card's thread, where nothing of it waits or allocates.
pub struct Ear {
    samples: HeapProd<f32>,
    stamps: HeapProd<Stamp>,
    channels: usize,
    lost: u64,
}

/// The graph's end.
pub struct Heard {
    samples: HeapCons<f32>,
    stamps: HeapCons<Stamp>,
    channels: usize,
    /// What one callback brought, as it came.
    interleaved: Vec<f32>,
}

/// Both ends of a ring with room for `room` samples of each of `channels` channels and `stamps` callbacks.
///
/// # Panics
/// If any of them is zero.
pub fn handover(channels: usize, room: usize, stamps: usize) -> (Ear, Heard) {
    assert!(channels > 0 && room > 0 && stamps > 0, "a ring has room");
    let (samples, samples_out) = HeapRb::new(channels * room).split();
    let (stamps, stamps_out) = HeapRb::new(stamps).split();
    let ear = Ear { samples, stamps, channels, lost: 0 };
    let heard =
        Heard { samples: samples_out, stamps: stamps_out, channels, interleaved: Vec::new() };
    (ear, heard)
}

impl Ear {
    /// What a card calls with what it heard until now, interleaved.
    pub fn callback<S: Encoded>(mut self, now: Now) -> impl FnMut(&[S]) + Send + 'static {
        move |interleaved| self.hear(interleaved, now())
    }

    /// Takes what the card heard until now, interleaved. What finds no room is counted, and told with what
    /// does next: the card is never kept waiting.
    pub fn hear<S: Encoded>(&mut self, interleaved: &[S], at: Timestamp) {
        let len = interleaved.len() / self.channels;
        let whole = &interleaved[..len * self.channels];
        if self.samples.vacant_len() < whole.len() || self.stamps.is_full() {
            self.lost += len as u64;
            return;
        }
        let stamp = Stamp { at, len, lost: std::mem::take(&mut self.lost) };
        // Samples first: who sees the stamp finds them there.
        self.samples.push_iter(whole.iter().map(|sample| sample.decoded()));
        let told = self.stamps.try_push(stamp);
        debug_assert!(told.is_ok(), "there was room, and this end alone fills it");
    }
}

impl Heard {
    /// What the oldest callback not yet taken brought, put behind what the planes hold; channels beyond the planes
    /// are left out.
    pub fn take(&mut self, planes: &mut [Vec<f32>]) -> Option<Stamp> {
        let stamp = self.stamps.try_pop()?;
        self.interleaved.resize(stamp.len * self.channels, 0.0);
        let popped = self.samples.pop_slice(&mut self.interleaved);
        assert_eq!(popped, self.interleaved.len(), "samples come before their stamp");
        for (channel, plane) in planes.iter_mut().take(self.channels).enumerate() {
            plane.extend(self.interleaved.iter().skip(channel).step_by(self.channels));
        }
        Some(stamp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_nanos(ms * 1_000_000)
    }

    #[test]
    fn what_was_heard_comes_out_in_planes_with_its_stamps() {
        let (mut ear, mut heard) = handover(2, 100, 10);
        ear.hear(&[1.0, -1.0, 2.0, -2.0], at(5));
        ear.hear(&[3.0, -3.0], at(6));

        let mut planes = vec![Vec::new(); 2];
        assert_eq!(heard.take(&mut planes), Some(Stamp { at: at(5), len: 2, lost: 0 }));
        assert_eq!(heard.take(&mut planes), Some(Stamp { at: at(6), len: 1, lost: 0 }));
        assert_eq!(heard.take(&mut planes), None);
        assert_eq!(planes, [[1.0, 2.0, 3.0], [-1.0, -2.0, -3.0]]);
    }

    #[test]
    fn what_finds_no_room_is_counted_and_nothing_else_is_lost() {
        let (mut ear, mut heard) = handover(1, 4, 10);
        ear.hear(&[1.0, 2.0, 3.0], at(1));
        ear.hear(&[4.0, 5.0], at(2));
        ear.hear(&[6.0], at(3));
        let mut planes = vec![Vec::new()];
        assert_eq!(heard.take(&mut planes).map(|stamp| stamp.lost), Some(0));
        ear.hear(&[7.0, 8.0], at(4));
        assert_eq!(heard.take(&mut planes), Some(Stamp { at: at(3), len: 1, lost: 2 }));
        assert_eq!(heard.take(&mut planes).map(|stamp| stamp.lost), Some(0));
        assert_eq!(planes[0], [1.0, 2.0, 3.0, 6.0, 7.0, 8.0]);

        // Stamps, too, find no room.
        let (mut ear, mut heard) = handover(1, 100, 1);
        ear.hear(&[1.0], at(1));
        ear.hear(&[2.0], at(2));
        heard.take(&mut planes);
        ear.hear(&[3.0], at(3));
        assert_eq!(heard.take(&mut planes).map(|stamp| stamp.lost), Some(1));
    }
}

//! Samples handed to a callback that plays them.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use ringbuf::{
    HeapCons, HeapProd, HeapRb,
    traits::{Consumer, Observer, Producer, Split},
};

use super::encoded::Encoded;

/// The graph's end.
pub struct Voice {
    samples: HeapProd<f32>,
    channels: usize,
    /// Samples of each channel that found room ever.
    said: u64,
    /// How many of them were taken back.
    void: u64,
    told: Arc<Told>,
}

/// The callback's end: belongs to the card's thread, where nothing of it waits or allocates.
pub struct Mouth {
    samples: HeapCons<f32>,
    channels: usize,
    /// Channels of the card.
    wide: usize,
    /// Samples of each channel that must be there before the first one, or the first one after silence, is played.
    head: usize,
    speaks: bool,
    /// Samples of each channel taken out ever.
    taken: u64,
    /// How many of all were void by what was known last.
    void: u64,
    told: Arc<Told>,
}

#[derive(Default)]
struct Told {
    /// Samples of each channel that were not there.
    unsaid: AtomicU64,
    /// Nothing will follow what is there.
    is_last: AtomicBool,
    /// Of all samples of each channel that were ever said, so many are not to be played if they were not yet.
    void: AtomicU64,
}

/// Both ends of a ring with room for `room` samples of each of `channels` channels, for a card with `wide` of them, of
/// which further ones are silent; one channel alone is played on all. Nothing is played until `head` samples are there.
///
/// # Panics
/// If there is no channel, the card has fewer, or `head` finds no room.
pub fn outlet(channels: usize, wide: usize, room: usize, head: usize) -> (Voice, Mouth) {
    assert!(channels > 0 && wide >= channels, "the card has the channels");
    assert!(0 < head && head <= room, "what is waited for finds room");
    let (samples, samples_out) = HeapRb::new(channels * room).split();
    let told = Arc::new(Told::default());
    let voice = Voice { samples, channels, said: 0, void: 0, told: told.clone() };
    let mouth = Mouth {
        samples: samples_out,
        channels,
        wide,
        head,
        speaks: false,
        taken: 0,
        void: 0,
        told,
    };
    (voice, mouth)
}

impl Voice {
    /// Samples of each channel that wait to be played.
    pub fn waiting(&self) -> usize {
        // What was taken back is there until the next callback.
        let is_there = self.samples.occupied_len() / self.channels;
        is_there.min((self.said - self.void) as usize)
    }

    /// Has planes, one behind the other, played behind what waits; gives how many samples of each channel
    /// found room.
    pub fn say(&mut self, planes: &[f32]) -> usize {
        let len = planes.len() / self.channels;
        let room = (self.samples.vacant_len() / self.channels).min(len);
        let sample = |n: usize| planes[n % self.channels * len + n / self.channels];
        self.samples.push_iter((0..room * self.channels).map(sample));
        self.said += room as u64;
        room
    }

    /// Takes back what waits: from the next callback on the card is silent, until enough is said again.
    pub fn forget(&mut self) {
        self.void = self.said;
        // Pairs with the Acquire in `speak`: so many samples are there to be passed over.
        self.told.void.store(self.void, Ordering::Release);
    }

    /// Nothing will follow: what waits is played however little it is.
    pub fn ends(&self) {
        // Pairs with the Acquire in `speak`: who sees it finds all samples.
        self.told.is_last.store(true, Ordering::Release);
    }

    /// Samples of each channel that the card played as silence since it began to speak, as none were there.
    pub fn unsaid(&self) -> u64 {
        // A count, behind which nothing stands.
        self.told.unsaid.load(Ordering::Relaxed)
    }
}

impl Mouth {
    /// What a card calls to have filled what it is about to play, interleaved.
    pub fn callback<S: Encoded>(mut self) -> impl FnMut(&mut [S]) + Send + 'static {
        move |interleaved| self.speak(interleaved)
    }

    /// Fills what the card is about to play, interleaved. Where nothing is there it is silent, and waits
    /// until enough is there again.
    pub fn speak<S: Encoded>(&mut self, interleaved: &mut [S]) {
        let is_last = self.told.is_last.load(Ordering::Acquire);
        self.pass_over(self.told.void.load(Ordering::Acquire));
        let waiting = self.samples.occupied_len() / self.channels;
        let wanted = interleaved.len() / self.wide;
        self.speaks |= waiting >= self.head || is_last;
        let said = if self.speaks { waiting.min(wanted) } else { 0 };
        for samples in interleaved.chunks_exact_mut(self.wide).take(said) {
            let (given, others) = samples.split_at_mut(self.channels);
            for sample in given.iter_mut() {
                *sample = S::encoded(self.samples.try_pop().unwrap_or(0.0));
            }
            let rest = if self.channels == 1 { given[0] } else { S::encoded(0.0) };
            others.fill(rest);
        }
        self.taken += said as u64;
        interleaved[said * self.wide..].fill(S::encoded(0.0));
        if self.speaks && said < wanted && !is_last {
            self.speaks = false;
            self.told.unsaid.fetch_add((wanted - said) as u64, Ordering::Relaxed);
        }
    }

    /// Takes out what lies before sample `void`, and begins anew, if that was not known yet.
    fn pass_over(&mut self, void: u64) {
        if void == self.void {
            return;
        }
        self.samples.skip(void.saturating_sub(self.taken) as usize * self.channels);
        (self.void, self.taken, self.speaks) = (void, self.taken.max(void), false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_played_once_enough_is_there() {
        let (mut voice, mut mouth) = outlet(2, 3, 8, 3);
        let mut played = [1i16; 9];
        assert_eq!(voice.say(&[0.25, 0.5, -0.25, -0.5]), 2);
        mouth.speak(&mut played);
        assert_eq!((played, voice.waiting(), voice.unsaid()), ([0; 9], 2, 0));

        voice.say(&[0.75, -0.75]);
        mouth.speak(&mut played[..6]);
        let quarter = 8_192;
        assert_eq!(played[..6], [quarter, -quarter, 0, 2 * quarter, -2 * quarter, 0]);
        // One is left, two are wanted.
        mouth.speak(&mut played[..6]);
        assert_eq!(played[..6], [3 * quarter, -3 * quarter, 0, 0, 0, 0]);
        assert_eq!(voice.unsaid(), 1);
        // It waits for three again.
        voice.say(&[0.25, -0.25]);
        mouth.speak(&mut played[..6]);
        assert_eq!((&played[..6], voice.unsaid()), (&[0; 6][..], 1));
        // Unless that is all.
        voice.ends();
        mouth.speak(&mut played[..6]);
        assert_eq!((&played[..3], voice.unsaid()), (&[quarter, -quarter, 0][..], 1));
    }

    #[test]
    fn what_is_taken_back_is_not_played_and_not_missed() {
        let (mut voice, mut mouth) = outlet(2, 2, 8, 2);
        let mut played = [9.0f32; 4];
        voice.say(&[0.1, 0.2, 0.3, 0.4, -0.1, -0.2, -0.3, -0.4]);
        mouth.speak(&mut played[..2]);
        assert_eq!(played[..2], [0.1, -0.1]);
        voice.forget();
        assert_eq!(voice.waiting(), 0);
        // What follows at once is played, and nothing of what was before.
        voice.say(&[0.5, 0.6, -0.5, -0.6]);
        assert_eq!(voice.waiting(), 2);
        mouth.speak(&mut played);
        assert_eq!(played, [0.5, -0.5, 0.6, -0.6]);
        // All that was said was played: there is nothing to take back.
        voice.forget();
        voice.say(&[0.7, -0.7]);
        mouth.speak(&mut played);
        assert_eq!((played, voice.waiting()), ([0.0; 4], 1), "it waits for two");
        assert_eq!(voice.unsaid(), 0, "silence was wanted");
        voice.forget();
        mouth.speak(&mut played);
        assert_eq!((played, voice.waiting(), voice.unsaid()), ([0.0; 4], 0, 0));
        assert_eq!(voice.say(&[0.1; 20]), 8, "the room is there again");
    }

    #[test]
    fn one_channel_is_heard_on_all_and_what_finds_no_room_is_told() {
        let (mut voice, mut mouth) = outlet(1, 2, 2, 1);
        assert_eq!(voice.say(&[0.5, -0.5, 0.1]), 2);
        let mut played = [0.0f32; 4];
        mouth.speak(&mut played);
        assert_eq!(played, [0.5, 0.5, -0.5, -0.5]);
    }
}

//! When each token was said: Whisper tells moments between phrases, and how likely each moment is at each token.
//!
//! Tokens at which a moment is likely begin there; time between two such tokens is shared by how long their letters take
//! to say; then each token is moved to where there is sound. The rules and numbers are those of whisper.cpp's
//! `token_timestamps`, but for its look at the sound, which there begins anew with every segment although the sound does not.

/// A token of text in a segment, as it was chosen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    /// The likeliest moment at it, in hundredths of a second from the beginning of the window.
    pub(super) moment: i64,
    /// How likely that moment is, and any.
    pub(super) likely: (f32, f32),
    /// How long it takes to say: [`weight`].
    pub(super) weight: f32,
}

/// A likely moment.
const MOMENT_P: f32 = 0.01;
/// Sound in which a token may lie beyond its own, in samples.
const REACH: usize = 2_000;
/// Samples on either side over which loudness is taken.
const HALF: usize = 32;
/// Samples of a hundredth of a second.
const HUNDREDTH: i64 = 160;

/// How long a text takes to say, in letters: digits and pauses are long.
pub(super) fn weight(text: &[u8]) -> f32 {
    let of = |byte: &u8| match byte {
        b' ' => 0.01,
        b',' => 2.0,
        b'.' | b'!' | b'?' | b'0'..=b'9' => 3.0,
        _ => 1.0,
    };
    text.iter().map(of).sum()
}

/// How loud the sound is around each sample: sums of it, of which any part is a difference.
pub(super) struct Loudness(Vec<f64>);

impl Loudness {
    pub(super) fn of(audio: &[f32]) -> Self {
        let mut sum = 0.0;
        let mut sums = Vec::with_capacity(audio.len() + 1);
        sums.push(0.0);
        sums.extend(audio.iter().map(|x| {
            sum += f64::from(x.abs());
            sum
        }));
        Self(sums)
    }

    fn len(&self) -> usize {
        self.0.len() - 1
    }

    fn at(&self, sample: usize) -> f64 {
        let (from, to) = (sample.saturating_sub(HALF), (sample + HALF + 1).min(self.len()));
        (self.0[to] - self.0[from]) / (2 * HALF + 1) as f64
    }

    /// Half of what it is between two samples.
    fn half(&self, from: usize, to: usize) -> f64 {
        let sum: f64 = (from..to).map(|at| self.at(at)).sum();
        0.5 * sum / (to - from).max(1) as f64
    }
}

/// What is known from one segment to the next.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Clock {
    /// The end of the segment before.
    last: i64,
    /// The last moment that a token began at.
    moment: i64,
}

impl Clock {
    /// A new window begins: its moments count from there.
    pub(super) fn window(&mut self) {
        self.moment = 0;
    }

    /// Beginning and end of each token of a segment, in hundredths of a second; `begins` and `ends` are the segment's, and
    /// `window` the moment from which its tokens' moments count.
    pub(super) fn times(
        &mut self,
        tokens: &[Token],
        (begins, ends, window): (i64, i64, i64),
        sound: &Loudness,
    ) -> Vec<(i64, i64)> {
        let begins = begins.max(self.last.min(ends));
        let mut times = self.anchored(tokens, begins, ends, window);
        self.last = ends;
        if sound.len() > 0 {
            fit(&mut times, sound);
        }
        times
    }

    /// Where moments are likely, and shared between.
    fn anchored(
        &mut self,
        tokens: &[Token],
        begins: i64,
        ends: i64,
        window: i64,
    ) -> Vec<(i64, i64)> {
        // Tokens that begin at a known moment, the first at that of the segment.
        let mut known = vec![(0, begins)];
        let mut before = begins;
        for (at, token) in tokens.iter().enumerate().skip(1) {
            let moment = window + token.moment;
            let (one, any) = token.likely;
            let is_likely = one > MOMENT_P && any > MOMENT_P;
            if is_likely && token.moment > self.moment && moment <= ends && moment >= before {
                known.push((at, moment));
                self.moment = token.moment;
                before = moment;
            }
        }
        known.push((tokens.len(), ends));
        let mut times = Vec::with_capacity(tokens.len());
        for pair in known.windows(2) {
            let ((first, from), (next, to)) = (pair[0], pair[1]);
            let all: f64 = tokens[first..next].iter().map(|it| f64::from(it.weight)).sum();
            let (mut said, mut at) = (0.0, from);
            for token in &tokens[first..next] {
                said += f64::from(token.weight);
                let share = if all > 0.0 { said / all } else { 1.0 };
                let end = from + ((to - from) as f64 * share) as i64;
                times.push((at, end));
                at = end;
            }
        }
        times
    }
}

/// Moves each token to where there is sound, not over its neighbours.
fn fit(times: &mut [(i64, i64)], sound: &Loudness) {
    let len = sound.len();
    let sample = |time: i64| ((time * HUNDREDTH).max(0) as usize).min(len - 1);
    let time = |sample: usize| sample as i64 / HUNDREDTH;
    for at in 0..times.len() {
        let (mut first, mut last) = (sample(times[at].0), sample(times[at].1));
        let reach = (first.saturating_sub(REACH), (last + REACH).min(len));
        let quiet = sound.half(reach.0, reach.1);
        let before = if at > 0 { times[at - 1].1 } else { i64::MIN };
        if sound.at(first) > quiet && at > 0 {
            let mut to = first;
            while to > 0 && sound.at(to) > quiet && time(to) >= before {
                to -= 1;
            }
            times[at].0 = time(to).max(before);
            first = to.max(sample(times[at].0));
        } else {
            while first < last && sound.at(first) < quiet {
                first += 1;
            }
            times[at].0 = time(first).max(before);
        }
        let behind = times.get(at + 1).map_or(i64::MAX, |next| next.0);
        if sound.at(last) > quiet {
            while last < len - 1 && sound.at(last) > quiet && time(last) <= behind {
                last += 1;
            }
            times[at].1 = time(last).min(behind);
        } else {
            while last > first && sound.at(last) < quiet {
                last -= 1;
            }
            times[at].1 = time(last);
        }
        times[at].1 = times[at].1.max(times[at].0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(text: &str, moment: i64, likely: f32) -> Token {
        Token { moment, likely: (likely, likely), weight: weight(text.as_bytes()) }
    }

    #[test]
    fn time_is_shared_by_letters_between_likely_moments() {
        let tokens = [
            token("ab", 0, 0.0),
            token("cdef", 0, 0.0),
            token("gh", 300, 0.9),
            token("ij", 500, 0.001),
        ];
        let mut clock = Clock::default();
        let times = clock.times(&tokens, (0, 500, 0), &Loudness::of(&[]));
        assert_eq!(times, [(0, 100), (100, 300), (300, 400), (400, 500)]);
        // The next segment begins where this one ended, and moments do not go back.
        let times = clock.times(
            &[token("a", 0, 0.0), token("b", 200, 0.9)],
            (480, 600, 0),
            &Loudness::of(&[]),
        );
        assert_eq!(times, [(500, 550), (550, 600)]);
        // In the next window they count from anew.
        clock.window();
        let tokens = [token("a", 0, 0.0), token("b", 200, 0.9)];
        let times = clock.times(&tokens, (3_000, 3_300, 3_000), &Loudness::of(&[]));
        assert_eq!(times, [(3_000, 3_200), (3_200, 3_300)]);
    }

    #[test]
    fn words_lie_where_there_is_sound() {
        // Sound from 1 to 2 s and from 3 to 4 s of 5.
        let audio: Vec<f32> = (0..80_000)
            .map(|n| if matches!(n / 16_000, 1 | 3) { 0.3 * (n as f32).sin() } else { 0.0 })
            .collect();
        let sound = Loudness::of(&audio);
        let tokens = [token("aa", 0, 0.0), token("bb", 0, 0.0)];
        let times = Clock::default().times(&tokens, (0, 500, 0), &sound);
        let near = |got: i64, want: i64| (got - want).abs() <= 2;
        assert!(near(times[0].0, 100) && near(times[0].1, 200), "{times:?}");
        assert!(near(times[1].0, 300) && near(times[1].1, 400), "{times:?}");
        // Of silence nothing is known: no panic, and order.
        for len in [1, 10, 16_000] {
            let times =
                Clock::default().times(&tokens, (0, 500, 0), &Loudness::of(&vec![0.0; len]));
            assert!(times.windows(2).all(|pair| pair[0].0 <= pair[1].0), "{times:?}");
        }
    }

    #[test]
    fn a_segment_of_nothing_has_no_times() {
        assert!(Clock::default().times(&[], (0, 10, 0), &Loudness::of(&[0.5; 100])).is_empty());
        let one = [token("", 0, 0.0)];
        assert_eq!(Clock::default().times(&one, (5, 10, 0), &Loudness::of(&[])), [(5, 10)]);
    }
}

//! [`Rates`]: how fast samples came lately.

use std::collections::VecDeque;

use engine::Report;

/// How far back a rate looks at least: over less, the frames of a source make it jump.
const WINDOW_S: f64 = 10.0;
/// Looks closer together are not kept, however often somebody scrapes.
const STEP_S: f64 = 1.0;

/// What was counted at the looks of the last [`WINDOW_S`], and at the last one before.
#[derive(Default)]
pub(crate) struct Rates(VecDeque<Look>);

struct Look {
    at_s: f64,
    sessions: f64,
    /// By node.
    samples: Vec<u64>,
}

impl Rates {
    /// Samples per second that came into every node, per open session: since the last look that is
    /// [`WINDOW_S`] old, or the start.
    pub(crate) fn look(&mut self, report: &Report) -> Vec<f64> {
        let samples = report.nodes.iter().map(|node| node.entered.map_or(0, |e| e.samples));
        self.since_then(Look {
            at_s: report.lasted_ns as f64 / 1e9,
            sessions: report.sessions.1 as f64,
            samples: samples.collect(),
        })
    }

    fn since_then(&mut self, now: Look) -> Vec<f64> {
        let looks = &mut self.0;
        if looks.is_empty() {
            let samples = vec![0; now.samples.len()];
            looks.push_back(Look { at_s: 0.0, sessions: now.sessions, samples });
        }
        while looks.get(1).is_some_and(|next| now.at_s - next.at_s >= WINDOW_S) {
            looks.pop_front();
        }
        let then = &looks[0];
        let span_s = now.at_s - then.at_s;
        let sessions = f64::midpoint(then.sessions, now.sessions);
        let per_second = |(now, then): (&u64, &u64)| {
            let came = now.saturating_sub(*then) as f64;
            if span_s * sessions > 0.0 { came / span_s / sessions } else { 0.0 }
        };
        let rates = now.samples.iter().zip(&then.samples).map(per_second).collect();
        if looks.back().is_none_or(|last| now.at_s - last.at_s >= STEP_S) {
            looks.push_back(now);
        }
        rates
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(rates: &mut Rates, at_s: f64, sessions: f64, samples: u64) -> f64 {
        rates.since_then(Look { at_s, sessions, samples: vec![samples] })[0]
    }

    #[test]
    fn a_device_that_drifts_or_stops_is_seen() {
        let mut rates = Rates::default();

        assert_eq!(rate(&mut rates, 100.0, 1.0, 25_000), 250.0, "since the start");
        assert_eq!(rate(&mut rates, 115.0, 1.0, 28_600), 240.0);
        assert_eq!(rate(&mut rates, 130.0, 1.0, 28_600), 0.0);
    }

    #[test]
    fn who_scrapes_often_sees_the_same_window() {
        let mut rates = Rates::default();
        // 100 a second for 20 s, then nothing.
        let seen: Vec<f64> = (1..=320)
            .map(|tenth| rate(&mut rates, f64::from(tenth) / 10.0, 1.0, 10 * tenth.min(200) as u64))
            .collect();

        assert!(seen[..200].iter().all(|rate| (rate - 100.0).abs() < 1e-9), "{seen:?}");
        assert_eq!(seen[249], 50.0, "half a window after the end");
        assert_eq!(seen[319], 0.0);
        assert!(rates.0.len() as f64 <= WINDOW_S / STEP_S + 2.0, "{}", rates.0.len());
    }

    #[test]
    fn many_sessions_have_the_rate_of_one() {
        let mut rates = Rates::default();

        assert_eq!(rate(&mut rates, 10.0, 4.0, 40_000), 1_000.0);
        // Two of them ended in the middle.
        assert_eq!(rate(&mut rates, 20.0, 2.0, 70_000), 1_000.0);
        assert_eq!(rate(&mut rates, 30.0, 2.0, 90_000), 1_000.0);
    }

    #[test]
    fn nothing_has_no_rate() {
        assert_eq!(rate(&mut Rates::default(), 0.0, 1.0, 0), 0.0);
        assert_eq!(rate(&mut Rates::default(), 10.0, 0.0, 0), 0.0);
    }
}

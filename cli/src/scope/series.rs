//! [`Series`]: what events tell in one field, over time.

use std::collections::VecDeque;

/// Moments that are kept; a heart beats so often in a day.
const POINTS_MAX: usize = 100_000;

/// Ends of names that tell a measure, and its sign.
const UNITS: [(&str, &str); 16] = [
    ("bpm", "bpm"),
    ("db", "dB"),
    ("deg", "°"),
    ("dps", "°/s"),
    ("hz", "Hz"),
    ("microsiemens", "µS"),
    ("mps2", "m/s²"),
    ("ms", "ms"),
    ("ms2", "ms²"),
    ("mv", "mV"),
    ("nu", "n.u."),
    ("pct", "%"),
    ("s", "s"),
    ("us", "µs"),
    ("ut", "µT"),
    ("uv", "µV"),
];

/// What is measured, and the sign of its unit: of `rmssd_ms` it is `rmssd`, in ms.
pub(crate) fn measure(field: &str) -> Option<(&str, &'static str)> {
    let (what, end) = field.rsplit_once('_')?;
    UNITS.iter().find(|(known, _)| *known == end).map(|(_, sign)| (what, *sign))
}

/// One field's newest values. A moment without one is kept, too: there a line breaks.
#[derive(Debug)]
pub(crate) struct Series {
    field: usize,
    name: &'static str,
    is_count: bool,
    points: VecDeque<(f64, Option<f64>)>,
    told: u64,
}

impl Series {
    pub(super) fn new(field: usize, name: &'static str, is_count: bool) -> Self {
        Self { field, name, is_count, points: VecDeque::new(), told: 0 }
    }

    /// Whether all its values are whole.
    pub(crate) const fn is_count(&self) -> bool {
        self.is_count
    }

    pub(super) const fn field(&self) -> usize {
        self.field
    }

    /// The field.
    pub(crate) const fn name(&self) -> &'static str {
        self.name
    }

    /// Measures before shares and scores, these before lengths of time and numbers that count.
    pub(crate) fn rank(&self) -> u8 {
        match (self.is_count, measure(self.name)) {
            (true, _) => 3,
            (_, Some((_, "s"))) => 2,
            (_, Some(_)) => 0,
            _ => 1,
        }
    }

    pub(super) fn push(&mut self, time_s: f64, value: Option<f64>) {
        if self.points.len() == POINTS_MAX {
            self.points.pop_front();
        }
        self.points.push_back((time_s, value));
        self.told += u64::from(value.is_some());
    }

    /// Seconds and value of every moment that is kept.
    pub(crate) fn points(&self) -> impl DoubleEndedIterator<Item = (f64, Option<f64>)> + '_ {
        self.points.iter().copied()
    }

    /// Seconds and value where there is one.
    pub(crate) fn values(&self) -> impl DoubleEndedIterator<Item = (f64, f64)> + '_ {
        self.points().filter_map(|(time_s, value)| Some((time_s, value?)))
    }

    /// Whether another has the same name and the same values, whenever they were told.
    pub(crate) fn says_the_same(&self, other: &Self) -> bool {
        let values = |series: &Self| series.values().map(|(_, value)| value).collect::<Vec<_>>();
        self.name == other.name && values(self) == values(other)
    }

    /// Values that are kept.
    pub(crate) fn len(&self) -> usize {
        self.values().count()
    }

    /// Whether some that were told are not kept any more.
    pub(crate) fn is_cut(&self) -> bool {
        self.told > self.len() as u64
    }

    /// Each value and the next, where nothing is missing between them.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        let next = self.points().skip(1);
        self.points().zip(next).filter_map(|((_, one), (_, other))| one.zip(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_do_not_reach_over_what_is_missing() {
        let mut series = Series::new(0, "rr_ms", false);
        for (time_s, value) in [(0.0, None), (1.0, Some(800.0)), (2.0, Some(810.0)), (3.0, None)] {
            series.push(time_s, value);
        }
        series.push(4.0, Some(790.0));
        assert_eq!(series.pairs().collect::<Vec<_>>(), [(800.0, 810.0)]);
        assert_eq!(series.len(), 3);
        assert!(!series.is_cut());
    }

    #[test]
    fn the_oldest_leave_and_that_is_known() {
        let mut series = Series::new(0, "x", false);
        (0..=POINTS_MAX).for_each(|n| series.push(n as f64, Some(1.0)));
        assert_eq!((series.len(), series.is_cut()), (POINTS_MAX, true));
        assert_eq!(series.values().next(), Some((1.0, 1.0)));
    }
}

//! [`Figures`]: what a service counts, on its way to whoever publishes it.

use crate::stats::Histogram;

/// What a figure is called.
#[derive(Clone, Copy, Debug)]
pub struct Series<'a> {
    /// As Prometheus wants it: base units, `_total` behind what only grows.
    pub name: &'static str,
    /// One sentence for people, the same for every series of that name.
    pub help: &'static str,
    /// What tells it from others of that name. Few values each.
    pub labels: &'a [(&'static str, &'a str)],
}

/// Takes down figures.
pub trait Figures {
    /// Something that only grows.
    fn counter(&mut self, series: Series<'_>, value: u64);

    /// Something as it is now, in the unit that the name ends with.
    fn gauge(&mut self, series: Series<'_>, value: f64);

    /// How long something took; the name ends with `_seconds`.
    fn latency(&mut self, series: Series<'_>, value: &Histogram);

    /// How many of something there were at a time: for each limit, in rising order, how often there
    /// were no more; all of them together; how often in all.
    fn sizes(&mut self, series: Series<'_>, up_to: &[(u64, u64)], sum: u64, count: u64);
}

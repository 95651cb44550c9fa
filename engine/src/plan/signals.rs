//! What kinds may ask about their inputs while they are planned: Nyquist, units, joins.

use crate::{
    align::AlignSpec,
    format::{Format, SignalFormat},
    graph::{Code, Diagnostic, Diagnostics},
    kind::{Input, Node, Policy},
    param::Param,
};

impl Node<'_> {
    /// Refuses a frequency that is not below half the rate of the signal that enters `port`: for
    /// edges of filters, which cannot lie there.
    ///
    /// # Errors
    /// `above-nyquist`, at the place of the parameter.
    ///
    /// # Panics
    /// As [`Node::signal`].
    pub fn check_below_nyquist(
        &self,
        param: &Param<f64>,
        hz: f64,
        port: &str,
    ) -> Result<(), Diagnostic> {
        if hz < self.rate_hz(port) / 2.0 {
            return Ok(());
        }
        Err(self.above_nyquist(param.name(), hz, port, "below"))
    }

    /// Refuses a frequency above half the rate of the signal that enters `port`: for what looks at
    /// frequencies, of which that one is the last.
    ///
    /// # Errors
    /// `above-nyquist`, at the place of the parameter.
    ///
    /// # Panics
    /// As [`Node::signal`].
    pub fn check_up_to_nyquist(
        &self,
        param: &Param<f64>,
        hz: f64,
        port: &str,
    ) -> Result<(), Diagnostic> {
        if hz <= self.rate_hz(port) / 2.0 {
            return Ok(());
        }
        Err(self.above_nyquist(param.name(), hz, port, "at most"))
    }

    fn above_nyquist(&self, name: &str, hz: f64, port: &str, choose: &str) -> Diagnostic {
        let rate = self.signal(port).rate;
        let limit_hz = rate.hz() / 2.0;
        let input = self.inputs().iter().find(|input| input.port == port);
        let label = input.map_or(port, |input| input.label.as_str());
        let is = if hz == limit_hz { "not below" } else { "above" };
        let message =
            format!("`{name}` = {hz:?} is {is} half the sample rate of `{label}` ({limit_hz:?})");
        let hint = format!("the rate of `{label}` is {rate} Hz; choose {choose} {limit_hz:?}");
        self.problem(Code::AboveNyquist, name, message).hint(hint)
    }

    /// Refuses signals whose channels, one by one, do not have the known units of those that
    /// enter first: for kinds that add, compare or subtract their inputs.
    ///
    /// # Errors
    /// `unit-mismatch` for each input that differs, at its place in `from`.
    pub fn check_equal_units(&self) -> Result<(), Diagnostics> {
        let mut signals = self.inputs().iter().filter_map(signal);
        let Some(first) = signals.next() else { return Ok(()) };
        let mismatches = signals.filter_map(|other| unit_mismatch(self.name(), first, other));
        let mismatches: Vec<Diagnostic> = mismatches.collect();
        if mismatches.is_empty() { Ok(()) } else { Err(Diagnostics(mismatches)) }
    }

    /// How the inputs meet by `policy`. Unless it is given, the tolerance is, for `nearest`, half
    /// the longest period of the other inputs, so that every sample has a partner, for `linear` all
    /// of it; for `hold` unlimited; for `exact` a microsecond, which is rounding.
    pub fn join(&self, policy: Policy, tolerance_ns: Option<i64>) -> AlignSpec {
        let others = self.inputs().iter().skip(1).filter_map(|input| input.format.rate());
        let longest_ns = others.map(crate::Rate::period_ns).fold(0.0, f64::max);
        let tolerance_ns = tolerance_ns.unwrap_or_else(|| match policy {
            Policy::Merge => 0,
            Policy::Exact => 1_000,
            Policy::Nearest => (longest_ns / 2.0).ceil() as i64,
            // Two roundings to the nanosecond.
            Policy::Linear => longest_ns.ceil() as i64 + 2,
            Policy::Hold => i64::MAX,
        });
        AlignSpec { tolerance_ns, ..AlignSpec::of(policy) }
    }
}

type Labelled<'i> = (&'i Input, &'i SignalFormat);

fn signal(input: &Input) -> Option<Labelled<'_>> {
    match &input.format {
        Format::Signal(signal) => Some((input, signal)),
        _ => None,
    }
}

/// The first pair of corresponding channels whose units differ.
fn unit_mismatch(node: &str, first: Labelled<'_>, other: Labelled<'_>) -> Option<Diagnostic> {
    let pairs = first.1.channels.iter().zip(&other.1.channels);
    let (want, have) = pairs
        .map(|(first, other)| (first.unit, other.unit))
        .find(|(first, other)| !first.agrees_with(*other))?;
    let (first, other) = (first.0, other.0);
    let message =
        format!("`{}` delivers {have}, but `{}` delivers {want}", other.label, first.label);
    let problem = Diagnostic::error(Code::UnitMismatch, message).at(&other.place).of_node(node);
    Some(problem.hint(match have.factor_to(want) {
        Some(factor) => format!("multiply `{}` by {} first", other.label, short(factor)),
        None => "these do not measure the same; join other channels".to_owned(),
    }))
}

/// Without the last two of 17 digits, where divisions of rounded constants leave their traces.
fn short(factor: f64) -> f64 {
    format!("{factor:.14e}").parse().expect("a number as Rust writes it")
}

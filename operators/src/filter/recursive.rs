//! What the recursive filters share: parameters, design, delay, body, and what becomes of samples
//! that are not finite and of gaps.

use std::sync::Arc;

use engine::{Block, Body, BuildError, Code, Diagnostic, Diagnostics, Fault, Node, Outline, Param};

use super::sense;
use crate::{
    designs::{Designs, refused},
    kernels::biquad::Biquad,
    math::{
        band::Band,
        iir::{self, Family},
        sos::{Section, group_delay_s, is_stable, settling_samples},
    },
};

pub(super) const ORDER: Param<i64> = Param::with_default(
    "order",
    2,
    "SciPy's N: that of the low-pass filter behind the design; bands have twice as many poles.",
)
.within(1.0, 10.0);
pub(super) const FAMILY: Param<&str> =
    Param::with_default("family", "butterworth", "Where the gain is flat and where it may ripple.")
        .one_of(&["butterworth", "chebyshev1", "chebyshev2", "elliptic", "bessel"]);
pub(super) const RIPPLE_DB: Param<f64> = Param::optional(
    "ripple_db",
    "Ripple where it passes, SciPy's rp, for chebyshev1 and elliptic.",
)
.within(1e-3, 20.0);
pub(super) const ATTENUATION_DB: Param<f64> = Param::optional(
    "attenuation_db",
    "Least attenuation where it stops, SciPy's rs, for chebyshev2 and elliptic.",
)
.within(1.0, 200.0);
pub(super) const SETTLE: Param<bool> = Param::with_default(
    "settle",
    false,
    "Begin as if the first sample had been there for ever, instead of zeros.",
);

/// What a family has to know, from its parameters; the parameter that is missing or idle if not.
pub(crate) fn family(
    name: &str,
    ripple_db: Option<f64>,
    attenuation_db: Option<f64>,
) -> Result<Family, Mismatch> {
    let (ripple, attenuation) = (RIPPLE_DB.name(), ATTENUATION_DB.name());
    match (name, ripple_db, attenuation_db) {
        ("chebyshev1", Some(ripple_db), None) => Ok(Family::Chebyshev1 { ripple_db }),
        ("chebyshev2", None, Some(attenuation_db)) => Ok(Family::Chebyshev2 { attenuation_db }),
        ("elliptic", Some(ripple_db), Some(attenuation_db)) => {
            Ok(Family::Elliptic { ripple_db, attenuation_db })
        }
        ("chebyshev1" | "elliptic", None, _) => Err(Mismatch::Missing(ripple)),
        ("chebyshev2" | "elliptic", _, None) => Err(Mismatch::Missing(attenuation)),
        (_, None, None) => Ok(if name == "bessel" { Family::Bessel } else { Family::Butterworth }),
        ("chebyshev1", ..) | (_, None, _) => Err(Mismatch::Idle(attenuation)),
        _ => Err(Mismatch::Idle(ripple)),
    }
}

/// A parameter that a family needs and lacks, or has and does not need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mismatch {
    Missing(&'static str),
    Idle(&'static str),
}

impl Mismatch {
    fn told(self, node: &Node<'_>, family: &str) -> Diagnostic {
        match self {
            Self::Missing(param) => {
                let message = format!("family = {family:?} needs `{param}`");
                let hint =
                    format!("write `{param}`; 1 dB of ripple or 40 dB of attenuation is usual");
                node.problem(Code::MissingParameter, FAMILY.name(), message).hint(hint)
            }
            Self::Idle(param) => {
                let message = format!("`{param}` changes nothing where family = {family:?}");
                let hint = "leave it out, or change `family`";
                node.problem(Code::NoEffect, param, message).hint(hint)
            }
        }
    }
}

/// The sections of a filter of any family, by the shared parameters. All sessions with the same
/// design share them. `edge` is the parameter to blame where the band cannot be.
pub(super) fn sections(
    node: &Node<'_>,
    band: Band,
    edge: &'static str,
) -> Result<Arc<[Section]>, Diagnostic> {
    static DESIGNED: Designs<Vec<u64>, Section> = Designs::new();

    let (name, order) = (node.get(&FAMILY)?, node.get(&ORDER)?);
    let (ripple_db, attenuation_db) =
        (node.get_optional(&RIPPLE_DB)?, node.get_optional(&ATTENUATION_DB)?);
    let family = family(name, ripple_db, attenuation_db).map_err(|lack| lack.told(node, name))?;
    let rate_hz = node.rate_hz("in");
    let numbers = [ripple_db.unwrap_or(0.0), attenuation_db.unwrap_or(0.0), rate_hz];
    let (shape, edges) = match band {
        Band::LowPass { cutoff_hz } => (0, [cutoff_hz, 0.0]),
        Band::HighPass { cutoff_hz } => (1, [cutoff_hz, 0.0]),
        Band::BandPass { low_hz, high_hz } => (2, [low_hz, high_hz]),
        Band::BandStop { low_hz, high_hz } => (3, [low_hz, high_hz]),
    };
    let mut key = vec![shape, order as u64, u64::from(name == "bessel")];
    key.extend(numbers.into_iter().chain(edges).map(f64::to_bits));
    DESIGNED
        .find_or(key, || iir::design(family, order as usize, band, rate_hz))
        .map_err(|error| refused(node, edge, error))
}

/// Outputs like the input, late by the group delay at this frequency.
pub(super) fn outline(
    node: &Node<'_>,
    sections: &[Section],
    at_hz: f64,
) -> Result<Outline, Diagnostics> {
    let rate_hz = node.rate_hz("in");
    let delay_s = group_delay_s(sections, rate_hz, at_hz);
    let settling_s = match node.get(&SETTLE)? {
        true => 0.0,
        false => settling_samples(sections) / rate_hz,
    };
    let outline = Outline::like_ports(node)?.delayed((delay_s * 1e9).round() as i64);
    Ok(outline.settling((settling_s * 1e9).round() as i64))
}

/// The outline of a filter that lets `band` pass, with what is wrong with that at this rate.
pub(super) fn outline_of(
    node: &Node<'_>,
    sections: &[Section],
    at_hz: f64,
    (band, edge): (Band, &'static str),
) -> Result<Outline, Diagnostics> {
    if !is_stable(sections) {
        return Err(sense::unstable(node, edge).into());
    }
    let mut outline = outline(node, sections, at_hz)?;
    outline.warnings.extend(sense::useless(node, band, edge));
    Ok(outline)
}

/// The filter, for every channel of `in`.
pub(super) fn body(node: &Node<'_>, sections: Arc<[Section]>) -> Result<Body, BuildError> {
    let filter = Biquad::new(sections, node.signal("in").channels.len());
    Ok(Body::block(Recursive(if node.get(&SETTLE)? { filter.settled() } else { filter })))
}

struct Recursive(Biquad);

impl Block for Recursive {
    fn block(&mut self, _: usize, input: &[f32], output: &mut [f32]) {
        self.0.run(input, output);
    }

    fn reset(&mut self) {
        self.0.reset();
    }

    fn save(&self, into: &mut Vec<u8>) {
        self.0.save(into);
    }

    fn load(&mut self, from: &[u8]) -> Result<(), Fault> {
        self.0.load(from).map_err(|error| Fault::new("is no state of this filter").because(error))
    }
}

#[cfg(test)]
mod tests {
    use engine::testing::Bench;

    use super::*;
    use crate::{
        filter::{bandpass, lowpass},
        math::golden,
    };

    const CUTOFF: &str = "cutoff_hz = 40.0\norder = 4\n";
    const RATE_HZ: f64 = 250.0;

    /// What SciPy's sections of a case make of a signal, written down anew.
    fn filtered(family: &str, input: &[f64]) -> Vec<f64> {
        let text = include_str!("../../../tests/golden/iir.json");
        let is_ours = |case: &&str| {
            golden::word(case, "family") == family
                && golden::word(case, "kind") == "lowpass"
                && golden::numbers(case, "order") == [4.0]
        };
        let case = golden::cases(text).find(is_ours).expect("the script writes it");
        let mut signal = input.to_vec();
        for section in golden::numbers(case, "sections").chunks_exact(6) {
            let (mut s0, mut s1) = (0.0, 0.0);
            for sample in &mut signal {
                let (x, y) = (*sample, section[0] * *sample + s0);
                s0 = section[1] * x - section[4] * y + s1;
                s1 = section[2] * x - section[5] * y;
                *sample = y;
            }
        }
        signal
    }

    #[test]
    fn the_impulse_response_of_every_family_is_scipys() {
        let mut impulse = [0.0; 400];
        impulse[0] = 1.0;
        for (family, scipys, more) in [
            ("chebyshev1", "cheby1", "ripple_db = 0.5"),
            ("chebyshev2", "cheby2", "attenuation_db = 40.0"),
            ("elliptic", "ellip", "ripple_db = 0.5\nattenuation_db = 50.0"),
            ("bessel", "bessel", ""),
        ] {
            let params = format!("{CUTOFF}family = {family:?}\n{more}");
            let mut filter = Bench::build(&lowpass::KIND, RATE_HZ, &params).expect("valid");
            let response = filter.feed(&impulse.map(|x| x as f32));
            // Outputs below 1/2 are rounded to f32; coefficients agree to some 1e-12.
            for (n, (got, want)) in response.iter().zip(filtered(scipys, &impulse)).enumerate() {
                assert!(
                    (f64::from(*got) - want).abs() < 2f64.powi(-25),
                    "{family} {n}: {got} {want}"
                );
            }
        }
    }

    #[test]
    fn decibels_must_be_those_of_the_family() {
        for (params, told) in [
            ("family = \"chebyshev1\"", "needs `ripple_db`"),
            ("family = \"chebyshev2\"", "needs `attenuation_db`"),
            ("family = \"elliptic\"", "needs `ripple_db`"),
            ("family = \"elliptic\"\nripple_db = 1.0", "needs `attenuation_db`"),
            ("ripple_db = 1.0", "`ripple_db` changes nothing where family = \"butterworth\""),
            ("attenuation_db = 40.0", "`attenuation_db` changes nothing"),
            ("family = \"bessel\"\nripple_db = 1.0", "`ripple_db` changes nothing"),
            (
                "family = \"chebyshev1\"\nripple_db = 1.0\nattenuation_db = 40.0",
                "`attenuation_db` changes nothing",
            ),
            (
                "family = \"chebyshev2\"\nripple_db = 1.0\nattenuation_db = 40.0",
                "`ripple_db` changes nothing",
            ),
            (
                "family = \"elliptic\"\nripple_db = 3.0\nattenuation_db = 2.0",
                "elliptic (ripple 3 dB, attenuation 2 dB): ripple is not between 0 and attenuation",
            ),
        ] {
            let params = format!("{CUTOFF}{params}");
            let problem = Bench::build(&lowpass::KIND, RATE_HZ, &params).err().expect("refused");
            let problem = problem.to_string();
            assert!(problem.contains(told) && problem.contains("hint:"), "{params}: {problem}");
        }
    }

    #[test]
    fn a_settled_start_has_no_transient_and_comes_again_after_a_reset() {
        for (kind, params, want) in [
            (&lowpass::KIND, CUTOFF, 3.0),
            (&bandpass::KIND, "low_hz = 5.0\nhigh_hz = 15.0\n", 0.0),
        ] {
            let params = format!("{params}settle = true");
            let mut filter = Bench::build(kind, RATE_HZ, &params).expect("valid");
            for _ in 0..2 {
                let output = filter.feed(&[3.0; 500]);
                let told = format!("{}: {output:?}", kind.name);
                assert!(output.iter().all(|y| (y - want).abs() <= 3.0 * f32::EPSILON), "{told}");
                filter.reset();
            }
        }
    }

    #[test]
    fn all_that_a_family_lacks_is_named() {
        assert_eq!(family("bessel", None, None), Ok(Family::Bessel));
        assert_eq!(family("butterworth", None, Some(1.0)), Err(Mismatch::Idle("attenuation_db")));
        assert_eq!(family("chebyshev2", None, None), Err(Mismatch::Missing("attenuation_db")));
    }
}

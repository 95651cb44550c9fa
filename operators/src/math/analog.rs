//! From an analog low-pass filter of 1 rad/s to the sections of a digital filter of any band.
//!
//! The classical way, as in SciPy's `iirfilter`: edges are bent (`tan(π · hz / rate)`) so that they
//! land where they should; the low-pass filter becomes the wanted band; the bilinear transform
//! `s = 4 · (z − 1) / (z + 1)` makes it digital (in units in which the rate is 2). What a family of
//! filters has of its own is its [`Prototype`].
//!
//! Source: Oppenheim and Schafer, *Discrete-Time Signal Processing*, 3rd edition, chapter 7.

use std::f64::consts::PI;

use super::band::Band;
use super::complex::Complex;
use super::sos::{self, Root, Section};

/// Twice the rate, in the units of this file.
const BILINEAR: f64 = 4.0;

/// An analog low-pass filter whose edge lies at 1 rad/s. Zeros at infinity are those it has fewer
/// than poles.
#[derive(Clone, Debug)]
pub(crate) struct Prototype {
    pub(crate) zeros: Vec<Root>,
    pub(crate) poles: Vec<Root>,
    pub(crate) gain: f64,
}

impl Prototype {
    /// The filter that passes constants with `gain`.
    pub(crate) fn of_gain(zeros: Vec<Root>, poles: Vec<Root>, gain: f64) -> Self {
        let gain = gain * product(&poles, 0.0) / product(&zeros, 0.0);
        Self { zeros, poles, gain }
    }

    /// The sections of the filter for this band, in the order in which samples pass them. The edges
    /// lie between 0 and half of `rate_hz`.
    pub(crate) fn sections(self, band: Band, rate_hz: f64) -> Vec<Section> {
        let bent = |hz: f64| BILINEAR * (PI * hz / rate_hz).tan();
        let analog = match band {
            Band::LowPass { cutoff_hz } => self.low_pass(bent(cutoff_hz)),
            Band::HighPass { cutoff_hz } => self.high_pass(bent(cutoff_hz)),
            Band::BandPass { low_hz, high_hz } => self.band_pass(bent(low_hz), bent(high_hz)),
            Band::BandStop { low_hz, high_hz } => self.band_stop(bent(low_hz), bent(high_hz)),
        };
        analog.digital()
    }

    fn zeros_at_infinity(&self) -> usize {
        count(&self.poles) - count(&self.zeros)
    }

    fn low_pass(self, cutoff: f64) -> Self {
        let gain = self.gain * cutoff.powi(self.zeros_at_infinity() as i32);
        self.mapped(gain, |root| vec![scaled(root, cutoff)])
    }

    fn high_pass(self, cutoff: f64) -> Self {
        let (gain, at_infinity) = (self.gain_at_infinity(), self.zeros_at_infinity());
        let mut filter = self.mapped(gain, |root| vec![inverse(root, cutoff)]);
        filter.zeros.extend(vec![Root::Real(0.0); at_infinity]);
        filter
    }

    fn band_pass(self, low: f64, high: f64) -> Self {
        let (half, at_infinity) = (0.5 * (high - low), self.zeros_at_infinity());
        let gain = self.gain * (high - low).powi(at_infinity as i32);
        let mut filter = self.mapped(gain, |root| split(scaled(root, half), low * high));
        filter.zeros.extend(vec![Root::Real(0.0); at_infinity]);
        filter
    }

    fn band_stop(self, low: f64, high: f64) -> Self {
        let half = 0.5 * (high - low);
        let (gain, at_infinity) = (self.gain_at_infinity(), self.zeros_at_infinity());
        let mut filter = self.mapped(gain, |root| split(inverse(root, half), low * high));
        let middle = Root::pair(Complex::new(0.0, (low * high).sqrt()));
        filter.zeros.extend(vec![middle; at_infinity]);
        filter
    }

    /// What becomes of the gain when 0 and infinity change places.
    fn gain_at_infinity(&self) -> f64 {
        self.gain * product(&self.zeros, 0.0) / product(&self.poles, 0.0)
    }

    fn mapped(self, gain: f64, map: impl Fn(Root) -> Vec<Root> + Copy) -> Self {
        let zeros = self.zeros.into_iter().flat_map(map).collect();
        Self { zeros, poles: self.poles.into_iter().flat_map(map).collect(), gain }
    }

    fn digital(self) -> Vec<Section> {
        let gain = self.gain * (product(&self.zeros, BILINEAR) / product(&self.poles, BILINEAR));
        let at_infinity = self.zeros_at_infinity();
        let mut zeros: Vec<Root> = self.zeros.into_iter().map(bilinear).collect();
        zeros.extend(vec![Root::Real(-1.0); at_infinity]);
        sos::from_roots(zeros, self.poles.into_iter().map(bilinear).collect(), gain)
    }
}

/// How many roots these are, both of a pair counted.
fn count(roots: &[Root]) -> usize {
    roots.iter().map(|root| if matches!(root, Root::Pair(_)) { 2 } else { 1 }).sum()
}

/// The product of `point − root` over all of them.
fn product(roots: &[Root], point: f64) -> f64 {
    roots.iter().map(|root| root.distance_product(point)).product()
}

fn scaled(root: Root, scale: f64) -> Root {
    match root {
        Root::Pair(upper) => Root::pair(upper.scale(scale)),
        Root::Real(re) => Root::Real(re * scale),
    }
}

/// `scale / root`.
fn inverse(root: Root, scale: f64) -> Root {
    match root {
        Root::Pair(upper) => Root::pair(Complex::new(scale, 0.0) / upper),
        Root::Real(re) => Root::Real(scale / re),
    }
}

/// The roots `root ± √(root² − middle²)` into which a root splits when its band moves up to
/// `middle`. A real root gives a pair, or two real ones where the band is wider than its middle.
fn split(root: Root, middle_squared: f64) -> Vec<Root> {
    match root {
        Root::Pair(upper) => {
            let apart = (upper * upper - Complex::new(middle_squared, 0.0)).sqrt();
            vec![Root::pair(upper + apart), Root::pair(upper - apart)]
        }
        Root::Real(re) => {
            let apart_squared = re * re - middle_squared;
            let apart = apart_squared.abs().sqrt();
            if apart_squared >= 0.0 {
                vec![Root::Real(re + apart), Root::Real(re - apart)]
            } else {
                vec![Root::pair(Complex::new(re, apart))]
            }
        }
    }
}

fn bilinear(root: Root) -> Root {
    let one = Complex::new(BILINEAR, 0.0);
    match root {
        Root::Pair(s) => Root::pair((one + s) / (one - s)),
        Root::Real(s) => Root::Real((BILINEAR + s) / (BILINEAR - s)),
    }
}

//! What a filter lets pass, and what is wrong with asking for it.

use std::fmt;

use super::iir::Family;

/// The frequencies a filter lets pass, in hertz.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Band {
    /// Everything below `cutoff_hz`.
    LowPass {
        /// The upper edge.
        cutoff_hz: f64,
    },
    /// Everything above `cutoff_hz`.
    HighPass {
        /// The lower edge.
        cutoff_hz: f64,
    },
    /// Everything between the edges.
    BandPass {
        /// The lower edge.
        low_hz: f64,
        /// The upper edge.
        high_hz: f64,
    },
    /// Everything but what lies between the edges.
    BandStop {
        /// The lower edge.
        low_hz: f64,
        /// The upper edge.
        high_hz: f64,
    },
}

impl Band {
    /// Checks that every edge lies strictly between 0 and half of `rate_hz`, in rising order.
    pub fn check(self, rate_hz: f64) -> Result<(), DesignError> {
        let nyquist_hz = 0.5 * rate_hz;
        let (low_hz, high_hz) = match self {
            Self::LowPass { cutoff_hz } | Self::HighPass { cutoff_hz } => (cutoff_hz, cutoff_hz),
            Self::BandPass { low_hz, high_hz } | Self::BandStop { low_hz, high_hz } => {
                if low_hz >= high_hz {
                    return Err(DesignError::EdgesNotRising { low_hz, high_hz });
                }
                (low_hz, high_hz)
            }
        };

        for edge_hz in [low_hz, high_hz] {
            // Written so that NaN is refused too.
            if !(edge_hz > 0.0 && edge_hz < nyquist_hz) {
                return Err(DesignError::EdgeOutside { edge_hz, nyquist_hz });
            }
        }
        Ok(())
    }
}

/// Why a filter cannot be designed.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum DesignError {
    /// The shape of a Kaiser window is not between 0 and its limit.
    Beta {
        /// The shape asked for.
        beta: f64,
        /// The highest there is.
        max: f64,
    },
    /// Ripple or attenuation is not above 0, too large, or the ripple is not the smaller one.
    Decibels {
        /// The family asked for.
        family: Family,
    },
    /// An edge is not between 0 and half the rate.
    EdgeOutside {
        /// The edge asked for.
        edge_hz: f64,
        /// Half the rate.
        nyquist_hz: f64,
    },
    /// The lower edge is not below the upper one.
    EdgesNotRising {
        /// The lower edge asked for.
        low_hz: f64,
        /// The upper edge asked for.
        high_hz: f64,
    },
    /// The order is 0 or above the limit.
    Order {
        /// The order asked for.
        order: usize,
        /// The highest order there is.
        max: usize,
    },
    /// A notch is too wide.
    Quality {
        /// The quality asked for.
        q: f64,
        /// What it must be above.
        min: f64,
    },
    /// The window leaves nothing of so few taps: the ends of most windows are 0.
    Silent {
        /// The number asked for.
        taps: usize,
    },
    /// The number of taps is 0 or above the limit.
    Taps {
        /// The number asked for.
        taps: usize,
        /// The highest number there is.
        max: usize,
    },
    /// A symmetric filter with an even number of taps is silent at half the rate.
    TapsEven {
        /// The number asked for.
        taps: usize,
    },
    /// Transitions are not above 0, or meet each other or an end of the spectrum.
    Transition {
        /// The width asked for.
        transition_hz: f64,
    },
    /// The equations of least squares have no one answer: transitions are too wide for so many taps.
    Undetermined {
        /// The number asked for.
        taps: usize,
        /// The width asked for.
        transition_hz: f64,
    },
}

impl fmt::Display for DesignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Beta { beta, max } => write!(f, "beta {beta} is not between 0 and {max}"),
            Self::Decibels { family } => {
                write!(f, "{family}: ripple is not between 0 and attenuation, or that beyond 300")
            }
            Self::EdgeOutside { edge_hz, nyquist_hz } => {
                write!(f, "edge {edge_hz} Hz is not between 0 and half the rate, {nyquist_hz} Hz")
            }
            Self::EdgesNotRising { low_hz, high_hz } => {
                write!(f, "lower edge {low_hz} Hz is not below the upper edge {high_hz} Hz")
            }
            Self::Order { order, max } => write!(f, "order {order} is not between 1 and {max}"),
            Self::Quality { q, min } => write!(f, "a quality of {q} is not above {min}"),
            Self::Silent { taps } => write!(f, "{taps} taps are all 0 under this window"),
            Self::Taps { taps, max } => write!(f, "{taps} taps are not between 1 and {max}"),
            Self::TapsEven { taps } => {
                write!(f, "{taps} taps cannot pass half the rate, an odd number can")
            }
            Self::Transition { transition_hz } => {
                write!(
                    f,
                    "transitions of {transition_hz} Hz around the edges leave no band between"
                )
            }
            Self::Undetermined { taps, transition_hz } => {
                write!(f, "transitions of {transition_hz} Hz leave {taps} taps undetermined")
            }
        }
    }
}

impl std::error::Error for DesignError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edge_must_lie_inside_the_spectrum() {
        for edge_hz in [0.0, -1.0, 500.0, 501.0, f64::NAN, f64::INFINITY] {
            let refused = Band::LowPass { cutoff_hz: edge_hz }.check(1_000.0);
            assert!(matches!(refused, Err(DesignError::EdgeOutside { .. })), "{edge_hz}");
        }
        assert_eq!(Band::HighPass { cutoff_hz: 499.9 }.check(1_000.0), Ok(()));
    }

    #[test]
    fn edges_must_rise() {
        let refused = Band::BandStop { low_hz: 51.0, high_hz: 49.0 }.check(1_000.0);

        assert_eq!(refused, Err(DesignError::EdgesNotRising { low_hz: 51.0, high_hz: 49.0 }));
        assert_eq!(
            refused.expect_err("checked above").to_string(),
            "lower edge 51 Hz is not below the upper edge 49 Hz"
        );
    }
}

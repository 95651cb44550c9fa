//! What a sample's mean says about the mean it was drawn from.

/// The probability that of `n` trials with success probability `p` at most `k` succeed. Terms are summed by their
/// logarithms, so that none vanishes; takes time in proportion to `k`.
pub fn binomial_tail(k: usize, n: usize, p: f64) -> f64 {
    if k >= n || p <= 0.0 {
        return 1.0;
    }
    if p >= 1.0 {
        return 0.0;
    }
    let odds = p.ln() - (-p).ln_1p();
    let mut term = n as f64 * (-p).ln_1p();
    let (mut largest, mut sum) = (term, 1.0);
    for i in 0..k {
        term += odds + ((n - i) as f64).ln() - ((i + 1) as f64).ln();
        if term > largest {
            sum = sum * (largest - term).exp() + 1.0;
            largest = term;
        } else {
            sum += (term - largest).exp();
        }
    }
    (largest.exp() * sum).min(1.0)
}

/// The p-value of *the mean of a loss from 0 to 1 is above `risk`*, when the mean of `n` samples is `mean`:
/// `min(exp(−n·kl(min(mean, risk) ‖ risk)), e·P[Bin(n, risk) ≤ ⌈n·mean⌉])`, Learn then Test, proposition 2. At most 1.
pub fn hoeffding_bentkus(mean: f64, n: usize, risk: f64) -> f64 {
    if n == 0 {
        return 1.0;
    }
    let samples = n as f64;
    let hoeffding = (-samples * divergence(mean.min(risk), risk)).exp();
    // A sum of losses of 0 and 1 is whole but for rounding, which must not count as one more.
    let count = (samples * mean - 1e-6).ceil().max(0.0) as usize;
    let bentkus = std::f64::consts::E * binomial_tail(count, n, risk);
    hoeffding.min(bentkus).min(1.0)
}

/// Kullback–Leibler divergence of two coins.
fn divergence(a: f64, b: f64) -> f64 {
    let part = |a: f64, b: f64| if a == 0.0 { 0.0 } else { a * (a / b).ln() };
    part(a, b) + part(1.0 - a, 1.0 - b)
}

/// The upper bound of a probability that is below it with probability `1 − delta`, when `k` of `n` trials
/// succeeded (Clopper and Pearson 1934, one-sided).
pub fn clopper_pearson(k: usize, n: usize, delta: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    // Sixty halvings: as exact as the numbers are.
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if binomial_tail(k, n, middle) > delta {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(got: f64, want: f64) {
        // Sums of a few hundred terms of 1e-16 each.
        assert!((got - want).abs() <= 1e-12 + 1e-11 * want.abs(), "{got} is not {want}");
    }

    #[test]
    fn binomial_tails_are_those_of_exact_fractions() {
        // Sums of whole binomial coefficients and fractions, in Python's `fractions`.
        near(binomial_tail(0, 10, 0.5), 0.000_976_562_5);
        near(binomial_tail(3, 10, 0.2), 0.879_126_118_4);
        near(binomial_tail(40, 1_000, 0.05), 0.080_636_573_256_691_16);
        near(binomial_tail(5, 20_000, 0.001), 7.149_748_618_648_038e-5);
        assert_eq!(binomial_tail(10, 10, 0.3), 1.0);
        assert_eq!((binomial_tail(0, 9, 0.0), binomial_tail(8, 9, 1.0)), (1.0, 0.0));
    }

    #[test]
    fn nothing_seen_in_n_is_the_closed_form() {
        // kl(0 ‖ ε) = −ln(1 − ε), and (1 − p)^n = δ.
        near(hoeffding_bentkus(0.0, 100, 0.05), 0.95_f64.powi(100));
        near(clopper_pearson(0, 100, 0.05), 1.0 - 0.05_f64.powf(0.01));
        assert_eq!(clopper_pearson(5, 5, 0.05), 1.0);
    }

    #[test]
    fn a_mean_above_the_risk_says_nothing_against_it() {
        assert_eq!(hoeffding_bentkus(0.2, 50, 0.1), 1.0);
        assert_eq!(hoeffding_bentkus(0.0, 0, 0.1), 1.0);
    }

    #[test]
    fn p_values_grow_with_the_mean_and_shrink_with_samples() {
        let at = |count: usize, n: usize| hoeffding_bentkus(count as f64 / n as f64, n, 0.05);
        for count in 0..20 {
            assert!(at(count, 400) <= at(count + 1, 400), "{count}");
        }
        assert!(at(20, 800) < at(10, 400));
    }
}

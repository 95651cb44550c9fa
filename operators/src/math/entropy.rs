//! How irregular a stretch of a signal is: four entropies, in the conventions of neurokit2.

/// Sample entropy (Richman and Moorman 2000): −ln(A / B), where B pairs of stretches of `order`
/// samples differ by no more than `tolerance` anywhere, and A of them still do with one more.
/// `None` where no pair is alike. A pair counts if all its samples are finite, the next ones as well.
pub fn sample(x: &[f32], order: usize, tolerance: f64) -> Option<f64> {
    let stretches = x.len().saturating_sub(order);
    let (mut alike, mut still) = (0_u64, 0_u64);
    for i in 0..stretches {
        for j in i + 1..stretches {
            let next = [x[i + order], x[j + order]];
            let is_whole = next.iter().all(|x| x.is_finite());
            if is_whole && is_alike(&x[i..i + order], &x[j..j + order], tolerance) {
                alike += 1;
                still += u64::from(is_near(next[0], next[1], tolerance));
            }
        }
    }
    (still > 0).then(|| (alike as f64 / still as f64).ln())
}

/// Approximate entropy (Pincus 1991): Φ(order) − Φ(order + 1), where Φ(m) is the mean logarithm of
/// the share of stretches of m samples that are like each of them, itself included. Stretches with a
/// sample that is not finite are none.
pub fn approximate(x: &[f32], order: usize, tolerance: f64) -> Option<f64> {
    let phi = |order: usize| {
        let stretches = (x.len() + 1).saturating_sub(order);
        let like = |i: usize| {
            let alike = |j: &usize| is_alike(&x[i..i + order], &x[*j..*j + order], tolerance);
            (0..stretches).filter(alike).count()
        };
        // Stretches with something missing are not even like themselves.
        let counts = (0..stretches).map(like).filter(|&count| count > 0);
        let (sum, whole) =
            counts.fold((0.0, 0_u64), |(sum, whole), alike| (sum + (alike as f64).ln(), whole + 1));
        (whole > 0).then(|| sum / whole as f64 - (whole as f64).ln())
    };
    Some(phi(order)? - phi(order + 1)?)
}

/// Shannon entropy, in bits, of how the samples spread over `bins` equal parts of their range, as
/// NumPy's `histogram` counts them. 0 where all are equal.
pub fn shannon(x: &[f32], bins: usize, counts: &mut Vec<u32>) -> Option<f64> {
    let finite = || x.iter().copied().filter(|x| x.is_finite()).map(f64::from);
    let (least, most) =
        finite().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), x| (a.min(x), b.max(x)));
    if least > most {
        return None;
    }
    counts.clear();
    counts.resize(bins, 0);
    let scale = if most > least { bins as f64 / (most - least) } else { 0.0 };
    for x in finite() {
        // The largest belongs to the last part.
        counts[(((x - least) * scale) as usize).min(bins - 1)] += 1;
    }
    Some(of_counts(counts))
}

/// Entropy in bits of what was counted.
fn of_counts(counts: &[u32]) -> f64 {
    let all: f64 = counts.iter().map(|&count| f64::from(count)).sum();
    let shares = counts.iter().filter(|count| **count > 0).map(|&count| f64::from(count) / all);
    // Not −0 where one thing alone was counted.
    0.0 - shares.map(|share| share * share.log2()).sum::<f64>()
}

/// Permutation entropy (Bandt and Pompe 2002) of a sliding window: how evenly the orders of `order`
/// samples in a row occur. Counts go up and down with the window.
#[derive(Clone, Debug)]
pub struct Permutations {
    order: usize,
    counts: Vec<u32>,
}

impl Permutations {
    /// Of `order` samples, 2 to 7.
    ///
    /// # Panics
    /// If `order` is outside.
    pub fn new(order: usize) -> Self {
        assert!((2..=7).contains(&order), "5040 patterns are enough");
        Self { order, counts: vec![0; (1..=order).product()] }
    }

    /// A stretch of `order` samples enters the window.
    pub fn enter(&mut self, stretch: &[f32]) {
        if let Some(pattern) = pattern(stretch) {
            self.counts[pattern] += 1;
        }
    }

    /// A stretch that entered leaves.
    pub fn leave(&mut self, stretch: &[f32]) {
        if let Some(pattern) = pattern(stretch) {
            self.counts[pattern] -= 1;
        }
    }

    /// Between 0, always the same order, and 1, every order as often; `None` without any.
    pub fn value(&self) -> Option<f64> {
        let is_any = self.counts.iter().any(|&count| count > 0);
        is_any.then(|| of_counts(&self.counts) / (self.counts.len() as f64).log2())
    }

    /// How long a stretch is.
    pub fn order(&self) -> usize {
        self.order
    }

    /// As made.
    pub fn reset(&mut self) {
        self.counts.fill(0);
    }
}

/// The number of the order of some samples, equal ones in their order of time; `None` where one is
/// not finite.
fn pattern(stretch: &[f32]) -> Option<usize> {
    if !stretch.iter().all(|x| x.is_finite()) {
        return None;
    }
    // Lehmer's code: how many of those behind each are smaller.
    let smaller = |n: usize| stretch[n + 1..].iter().filter(|x| **x < stretch[n]).count();
    Some((0..stretch.len()).fold(0, |code, n| code * (stretch.len() - n) + smaller(n)))
}

fn is_alike(a: &[f32], b: &[f32], tolerance: f64) -> bool {
    a.iter().zip(b).all(|(&a, &b)| is_near(a, b, tolerance))
}

fn is_near(a: f32, b: f32, tolerance: f64) -> bool {
    (f64::from(a) - f64::from(b)).abs() <= tolerance
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_repeats_is_regular_and_what_is_flat_has_no_order() {
        let periodic: Vec<f32> = (0..60).map(|n| (n % 3) as f32).collect();
        // Every stretch that is alike stays alike: of 58 stretches of 2 only the last few do not
        // all go on, but pairs are taken among the first 58, so none is lost.
        assert_eq!(sample(&periodic, 2, 0.1), Some(0.0));
        assert_eq!(sample(&[1.0, 5.0, 9.0, 20.0, 50.0], 2, 0.1), None);
        assert_eq!(shannon(&[3.0; 10], 8, &mut Vec::new()), Some(0.0));
        // Three values, equally often: log2(3) bits, rounded a few times.
        let three = shannon(&periodic, 3, &mut Vec::new()).expect("samples");
        assert!((three - 3f64.log2()).abs() < 1e-14, "{three}");
    }

    #[test]
    fn what_is_missing_changes_no_share() {
        // Of a signal that repeats, the same shares are alike whatever is missing of it.
        let mut periodic: Vec<f32> = (0..300).map(|n| (n % 3) as f32).collect();
        let whole = approximate(&periodic, 2, 0.1).expect("stretches");
        for place in (7..300).step_by(31) {
            periodic[place] = f32::NAN;
        }
        assert_eq!(sample(&periodic, 2, 0.1), Some(0.0));
        // A third of some 260 stretches, one more or less, and of all 299: under 1 / 80 each.
        let holed = approximate(&periodic, 2, 0.1).expect("stretches");
        assert!(whole.abs() < 0.02 && (holed - whole).abs() < 0.05, "{whole} {holed}");
    }

    #[test]
    fn every_order_has_its_own_number() {
        let mut seen = [false; 24];
        for a in 0..4 {
            for b in (0..4).filter(|b| *b != a) {
                for c in (0..4).filter(|c| ![a, b].contains(c)) {
                    let d = 6 - a - b - c;
                    let code = pattern(&[a, b, c, d].map(|x| x as f32)).expect("finite");
                    assert!(!std::mem::replace(&mut seen[code], true), "{a} {b} {c} {d}");
                }
            }
        }
        assert!(seen.iter().all(|seen| *seen));
        assert_eq!(pattern(&[1.0, 1.0]), pattern(&[1.0, 2.0]), "equal ones in their order of time");
        assert_eq!(pattern(&[1.0, f32::NAN]), None);
    }
}

//! [`Found`]: a thing in a picture, and which of many that overlap stays.

/// Pairs of numbers of a face's landmarks: both eyes, nose, both corners of the mouth.
pub(super) const LANDMARKS: usize = 5;

/// Something found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Found {
    pub(super) class: usize,
    pub(super) score: f64,
    /// x0, y0, x1, y1.
    pub(super) corners: [f64; 4],
    /// x and y of each, where the model gives them.
    pub(super) landmarks: [f64; 2 * LANDMARKS],
}

impl Found {
    /// A box by its corners.
    pub(super) fn between(class: usize, score: f64, corners: [f64; 4]) -> Self {
        Self { class, score, corners, landmarks: [0.0; 2 * LANDMARKS] }
    }

    /// A box by its middle, width and height.
    pub(super) fn around(class: usize, score: f64, [x, y, width, height]: [f64; 4]) -> Self {
        let (right, below) = (width / 2.0, height / 2.0);
        Self::between(class, score, [x - right, y - below, x + right, y + below])
    }

    /// In shares of a picture's width and height, from pixels.
    pub(super) fn over(mut self, (height, width): (usize, usize)) -> Self {
        let sizes = [width.max(1) as f64, height.max(1) as f64];
        for (n, place) in self.corners.iter_mut().chain(&mut self.landmarks).enumerate() {
            *place /= sizes[n % 2];
        }
        self
    }

    /// Intersection over union.
    fn overlap(&self, other: &Self) -> f64 {
        let side = |low: usize, high: usize| {
            let from = self.corners[low].max(other.corners[low]);
            (self.corners[high].min(other.corners[high]) - from).max(0.0)
        };
        let common = side(0, 2) * side(1, 3);
        let union = self.area() + other.area() - common;
        if union > 0.0 { common / union } else { 0.0 }
    }

    fn area(&self) -> f64 {
        let [x0, y0, x1, y1] = self.corners;
        (x1 - x0).max(0.0) * (y1 - y0).max(0.0)
    }

    fn is_finite(&self) -> bool {
        self.corners.iter().chain(&self.landmarks).all(|place| place.is_finite())
    }
}

/// The likeliest `most`, without those that overlap a likelier one of their class by more than `overlap`
/// (greedy non-maximum suppression), likeliest first.
pub(super) fn likeliest(mut found: Vec<Found>, overlap: f64, most: usize) -> Vec<Found> {
    // An exponential in a decoder may overflow; nothing is that large.
    found.retain(Found::is_finite);
    found.sort_by(|one, other| other.score.total_cmp(&one.score));
    let mut kept: Vec<Found> = Vec::new();
    for one in found {
        if kept.len() >= most {
            break;
        }
        let hides = |other: &Found| other.class == one.class && other.overlap(&one) > overlap;
        if !kept.iter().any(hides) {
            kept.push(one);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlap_is_intersection_over_union() {
        let one = Found::between(0, 1.0, [0.0, 0.0, 2.0, 2.0]);
        assert_eq!(one.overlap(&Found::between(0, 1.0, [1.0, 0.0, 3.0, 2.0])), 2.0 / 6.0);
        assert_eq!(one.overlap(&Found::between(0, 1.0, [5.0, 5.0, 6.0, 6.0])), 0.0);
        let nothing = Found::between(0, 1.0, [1.0, 1.0, 1.0, 1.0]);
        assert_eq!(nothing.overlap(&nothing), 0.0);
    }

    #[test]
    fn of_one_class_the_likeliest_stays() {
        let all = vec![
            Found::between(0, 0.6, [0.0, 0.0, 2.0, 2.0]),
            Found::between(0, 0.9, [0.1, 0.0, 2.1, 2.0]),
            Found::between(1, 0.5, [0.0, 0.0, 2.0, 2.0]),
            Found::between(0, 0.7, [3.0, 0.0, 5.0, 2.0]),
            Found::between(0, 0.8, [f64::INFINITY, 0.0, 5.0, 2.0]),
        ];
        let scores = |most| {
            let kept = likeliest(all.clone(), 0.5, most);
            kept.iter().map(|one| one.score).collect::<Vec<_>>()
        };
        assert_eq!(scores(9), [0.9, 0.7, 0.5]);
        assert_eq!(scores(1), [0.9]);
    }
}

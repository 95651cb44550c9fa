//! The YOLO family: a list of anchors, each a box by its middle, width and height, and scores of classes.
//!
//! Version 5 (also 6 and 7) has an objectness before the classes, and its score is the product of both;
//! version 8 (also 9 and 11) has none. Either may have its anchors along the first dimension or along the
//! last. Scores have passed their sigmoid already, as in exports of these models.

use engine::Fault;

use crate::signature::Slot;

use super::found::Found;

/// How the output of a YOLO becomes boxes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Yolo {
    pub(super) output: usize,
    pub(super) classes: usize,
    has_objectness: bool,
    /// Whether the numbers of an anchor lie beside each other.
    is_anchors_first: bool,
    /// Height and width that places are divided by.
    size: (usize, usize),
}

impl Yolo {
    /// For a model with these outputs, or why they are none of a YOLO. Whether there is an objectness is told
    /// by the number of labels where it is not said, else by the layout: version 8 has anchors last.
    pub(super) fn of(
        outputs: &[Slot],
        size: (usize, usize),
        has_objectness: Option<bool>,
        labels: Option<usize>,
    ) -> Result<Self, String> {
        let why = || "it lacks an output [4 + classes, n] or [n, 5 + classes] of a YOLO".to_owned();
        let is_list = |(_, slot): &(usize, &Slot)| slot.question().len() == 2;
        let (output, slot) = outputs.iter().enumerate().find(is_list).ok_or_else(why)?;
        let question = slot.question();
        // There are more anchors than numbers in each, and they are what may be open.
        let (is_anchors_first, features) = match (question[0], question[1]) {
            (Some(first), Some(last)) if first > last => (true, last),
            (Some(first), Some(_) | None) => (false, first),
            (None, Some(last)) => (true, last),
            (None, None) => {
                return Err(format!("`{slot}` does not say how many classes there are"));
            }
        };
        let has_objectness = has_objectness
            .or_else(|| match features.checked_sub(labels?)? {
                4 => Some(false),
                5 => Some(true),
                _ => None,
            })
            .unwrap_or(is_anchors_first);
        let before = 4 + usize::from(has_objectness);
        let classes = features.checked_sub(before).filter(|&classes| classes > 0);
        let classes = classes.ok_or_else(why)?;
        Ok(Self { output, classes, has_objectness, is_anchors_first, size })
    }

    /// What is at least so likely.
    pub(super) fn found(&self, numbers: &[f32], least: f64) -> Result<Vec<Found>, Fault> {
        let before = 4 + usize::from(self.has_objectness);
        let features = before + self.classes;
        let anchors = numbers.len() / features;
        if anchors * features != numbers.len() {
            let got = numbers.len();
            return Err(Fault::data(format!(
                "the model gave {got} numbers, not {features} an anchor"
            )));
        }
        let mut found = Vec::new();
        for anchor in 0..anchors {
            let of = |feature: usize| {
                let at = match self.is_anchors_first {
                    true => anchor * features + feature,
                    false => feature * anchors + anchor,
                };
                f64::from(numbers[at])
            };
            let object = if self.has_objectness { of(4) } else { 1.0 };
            if object < least {
                continue;
            }
            let classes = (0..self.classes).map(|class| (class, object * of(before + class)));
            let best = classes.reduce(|best, next| if next.1 > best.1 { next } else { best });
            let (class, score) = best.unwrap_or_default();
            if score >= least {
                let place = [of(0), of(1), of(2), of(3)];
                found.push(Found::around(class, score, place).over(self.size));
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use crate::signature::Element;

    use super::*;

    fn slot(shape: &[i64]) -> Slot {
        let shape = shape.iter().map(|&len| usize::try_from(len).ok()).collect();
        Slot { name: "output0".to_owned(), element: Element::F32, shape }
    }

    #[test]
    fn versions_are_told_apart_by_shape_and_labels() {
        let of = |shape: &[i64], written, labels| {
            let yolo = Yolo::of(&[slot(shape)], (640, 640), written, labels).expect("a YOLO");
            (yolo.classes, yolo.has_objectness, yolo.is_anchors_first)
        };
        assert_eq!(of(&[1, 84, 8_400], None, None), (80, false, false));
        assert_eq!(of(&[1, 25_200, 85], None, None), (80, true, true));
        assert_eq!(of(&[1, 8_400, 84], None, Some(80)), (80, false, true));
        assert_eq!(of(&[1, 85, 25_200], None, Some(80)), (80, true, false));
        assert_eq!(of(&[1, 85, 25_200], Some(true), None), (80, true, false));
        assert_eq!(of(&[-1, -1, 6], Some(true), None), (1, true, true));
        assert!(Yolo::of(&[slot(&[1, 4, 100])], (1, 1), None, None).is_err());
        assert!(Yolo::of(&[slot(&[1, 84])], (1, 1), None, None).is_err());
    }

    #[test]
    fn both_layouts_give_the_same_boxes_in_shares() {
        // Three anchors, two classes; the second is class 1.
        let anchors = [
            [0.0, 0.0, 1.0, 1.0, 0.1, 0.9, 0.9],
            [32.0, 16.0, 16.0, 8.0, 0.8, 0.25, 0.75],
            [9.0, 9.0, 1.0, 1.0, 0.9, 0.1, 0.2],
        ];
        let first = anchors.concat();
        let last: Vec<f32> = (0..7).flat_map(|n| anchors.map(|anchor| anchor[n])).collect();
        for (shape, numbers) in [([1, 9, 7], first), ([1, 7, 9], last)] {
            let yolo = Yolo::of(&[slot(&shape)], (32, 64), Some(true), None).expect("a YOLO");
            let found = yolo.found(&numbers, 0.5).expect("whole anchors");
            assert_eq!(found.len(), 1);
            assert_eq!(found[0].class, 1);
            // Rounding of single precision.
            assert!((found[0].score - 0.6).abs() < 1e-6);
            assert_eq!(found[0].corners, [24.0 / 64.0, 12.0 / 32.0, 40.0 / 64.0, 20.0 / 32.0]);
            assert!(yolo.found(&numbers[1..], 0.5).is_err());
        }
    }
}

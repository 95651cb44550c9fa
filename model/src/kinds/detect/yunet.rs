//! YuNet, a detector of faces with five landmarks each.
//!
//! For every stride S (8, 16, 32) the input is a grid of cells S pixels wide. A cell in row r and column c
//! gives, with its class cls, objectness obj, box b and landmarks k:
//!
//! ```text
//! score = √(cls · obj), both cut to 0 … 1
//! middle = S (c + b₀), S (r + b₁)    width, height = S exp b₂, S exp b₃
//! landmark n = S (c + k₂ₙ), S (r + k₂ₙ₊₁)
//! ```
//!
//! Source: Wu, Peng and Yu, "YuNet: a tiny millisecond-level face detector", 2023, and OpenCV's
//! `FaceDetectorYN`, which decodes like this.

use engine::Fault;

use crate::signature::Slot;

use super::found::{Found, LANDMARKS};

/// The outputs of one stride.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Level {
    stride: usize,
    columns: usize,
    class: usize,
    object: usize,
    place: usize,
    landmarks: Option<usize>,
}

/// How YuNet's outputs become faces.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Yunet {
    levels: Vec<Level>,
    size: (usize, usize),
}

impl Yunet {
    /// The strides that outputs of these names have.
    pub(super) fn strides(outputs: &[Slot]) -> impl Iterator<Item = usize> {
        let named = |name: String| outputs.iter().any(|slot| slot.name == name);
        outputs.iter().filter_map(move |slot| {
            let stride =
                slot.name.strip_prefix("cls_")?.parse().ok().filter(|&stride| stride > 0)?;
            (named(format!("obj_{stride}")) && named(format!("bbox_{stride}"))).then_some(stride)
        })
    }

    /// For questions of this height and width, or why these are not its outputs.
    pub(super) fn of(outputs: &[Slot], size: (usize, usize)) -> Result<Self, String> {
        let number = |name: String| outputs.iter().position(|slot| slot.name == name);
        let mut levels = Vec::new();
        for stride in Self::strides(outputs) {
            let (rows, columns) = (size.0 / stride, size.1 / stride);
            let numbers =
                ["cls", "obj", "bbox", "kps"].map(|part| number(format!("{part}_{stride}")));
            let [Some(class), Some(object), Some(place), landmarks] = numbers else { continue };
            for (output, each) in
                [(Some(class), 1), (Some(object), 1), (Some(place), 4), (landmarks, 10)]
            {
                let Some(slot) = output.map(|output| &outputs[output]) else { continue };
                let want = rows * columns * each;
                if slot.count().is_some_and(|count| count != want) {
                    let (height, width) = size;
                    return Err(format!(
                        "`{slot}` has not the {want} numbers of a grid over {height} × {width} pixels"
                    ));
                }
            }
            levels.push(Level { stride, columns, class, object, place, landmarks });
        }
        match levels.is_empty() {
            true => Err("it lacks the outputs `cls_8`, `obj_8`, `bbox_8` … of YuNet".to_owned()),
            false => Ok(Self { levels, size }),
        }
    }

    pub(super) fn has_landmarks(&self) -> bool {
        self.levels.iter().all(|level| level.landmarks.is_some())
    }

    /// Faces that are at least so likely.
    pub(super) fn found<'a>(
        &self,
        output: &dyn Fn(usize) -> &'a [f32],
        least: f64,
    ) -> Result<Vec<Found>, Fault> {
        let mut found = Vec::new();
        for level in &self.levels {
            let (classes, objects) = (output(level.class), output(level.object));
            let places = output(level.place);
            let landmarks = level.landmarks.map_or(&[][..], output);
            let cells = classes.len();
            let is_whole = |len: usize, each: usize| len == each * cells;
            if objects.len() != cells
                || !is_whole(places.len(), 4)
                || !(landmarks.is_empty() || is_whole(landmarks.len(), 2 * LANDMARKS))
                || level.columns == 0
            {
                return Err(Fault::data("the model gave grids of different sizes"));
            }
            for cell in 0..cells {
                let part = |number: f32| f64::from(number).clamp(0.0, 1.0);
                let score = (part(classes[cell]) * part(objects[cell])).sqrt();
                if score < least {
                    continue;
                }
                let stride = level.stride as f64;
                let corner = [(cell % level.columns) as f64, (cell / level.columns) as f64];
                let at = |n: usize, offset: f32| stride * (corner[n % 2] + f64::from(offset));
                let place = &places[4 * cell..4 * cell + 4];
                let side = |log: f32| stride * f64::from(log).exp();
                let place = [at(0, place[0]), at(1, place[1]), side(place[2]), side(place[3])];
                let mut one = Found::around(0, score, place);
                let given = landmarks.chunks_exact(2 * LANDMARKS).nth(cell).unwrap_or_default();
                for (n, (to, offset)) in one.landmarks.iter_mut().zip(given).enumerate() {
                    *to = at(n, *offset);
                }
                found.push(one.over(self.size));
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use crate::signature::Element;

    use super::*;

    fn slots(stride: usize, cells: usize) -> Vec<Slot> {
        let slot = |(part, each): (&str, usize)| Slot {
            name: format!("{part}_{stride}"),
            element: Element::F32,
            shape: vec![Some(1), Some(cells), Some(each)],
        };
        [("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)].map(slot).to_vec()
    }

    #[test]
    fn a_cell_becomes_a_face_by_the_formula() {
        // Two rows of four cells of 8 pixels; the cell in row 1, column 2.
        let yunet = Yunet::of(&slots(8, 8), (16, 32)).expect("its outputs");
        let mut outputs = [vec![0.0; 8], vec![1.5; 8], vec![0.0; 32], vec![0.5; 80]];
        outputs[0][6] = 0.64;
        outputs[2][24..28].copy_from_slice(&[0.5, 0.25, 2.0_f32.ln(), 0.0]);
        let found = yunet.found(&|n| &outputs[n], 0.5).expect("grids of one size");
        assert_eq!(found.len(), 1);
        let Found { class, score, corners, landmarks } = found[0];
        // Rounding of single precision.
        let near = |got: f64, want: f64| assert!((got - want).abs() < 1e-6, "{got} is not {want}");
        assert_eq!(class, 0);
        near(score, 0.8);
        // Middle 20, 10; 16 wide, 8 high; in shares of 32 and 16.
        let want = [12.0 / 32.0, 6.0 / 16.0, 28.0 / 32.0, 14.0 / 16.0];
        corners.into_iter().zip(want).for_each(|(got, want)| near(got, want));
        near(landmarks[0], 20.0 / 32.0);
        near(landmarks[9], 12.0 / 16.0);
    }

    #[test]
    fn outputs_of_another_grid_are_refused() {
        let why = Yunet::of(&slots(8, 9), (16, 32)).unwrap_err();
        assert!(why.contains("has not the 8 numbers of a grid over 16 × 32 pixels"), "{why}");
        assert!(Yunet::of(&[], (16, 32)).unwrap_err().contains("it lacks the outputs"));
    }
}

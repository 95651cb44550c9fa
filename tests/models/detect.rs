//! `detect` over real detectors and pictures, beside what other tools found in them.
//!
//! The references were made with OpenCV's decoder and resizing; here pictures are decoded by another
//! library and resized by the same formula, which moves a pixel by a level or two of 255.

use std::{collections::BTreeMap, fs, path::Path, sync::Mutex};

use afferent_suite::{data, kinds::tally, onnx};
use engine::{
    Body, Buffer, EventFormat, EventReader, Field, FieldKind, FieldValue, Flow, Format, Frame,
    ImageFormat, Io, Kind, Node, Outline, Param, Pixel, Port, Rate, Source, Timestamp,
};
use model::backend::onnxruntime;
use serde_json::Value;
use zune_jpeg::{JpegDecoder, zune_core::bytestream::ZCursor};

use crate::{run, sections::file, try_plan};

const KEY: Param<&str> = Param::required("key", "Which picture.");

/// Height, width, bytes of interleaved red, green and blue.
type Picture = (usize, usize, Vec<u8>);

/// Pictures by key.
static PICTURES: Mutex<BTreeMap<String, Picture>> = Mutex::new(BTreeMap::new());

/// A source of one picture.
pub(crate) static PICTURE: Kind = Kind {
    name: "picture",
    outputs: &[Port::any("out")],
    params: &[&KEY],
    plan: |node| {
        let (height, width, _) = picture(node);
        let rate = Rate::new(1.0).expect("a rate");
        let image = ImageFormat { width, height, pixel: Pixel::Rgb8, rate };
        Ok(Outline::of([Format::Image(image.into())]))
    },
    build: |node| Ok(Body::source(One(Some(picture(node).2)))),
    ..Kind::BASE
};

fn picture(node: &Node<'_>) -> Picture {
    let key = node.get(&KEY).expect("checked");
    PICTURES.lock().expect("sound")[key].clone()
}

struct One(Option<Vec<u8>>);

impl Source for One {
    fn next(&mut self, io: &mut Io<'_>) -> Result<Flow, engine::Fault> {
        if let Some(bytes) = self.0.take() {
            let mut buffer = Buffer::with_bytes(bytes.len(), 1);
            buffer.bytes_mut().expect("fresh").copy_from_slice(&bytes);
            io.send_buffer(0, Timestamp::ZERO, buffer);
        }
        Ok(Flow::End)
    }

    fn reset(&mut self) -> Result<(), engine::Fault> {
        Ok(())
    }
}

/// What a model is shown of a picture.
#[derive(Clone, Copy)]
enum View {
    /// All of it, brought to the model's size as OpenCV's `INTER_LINEAR` does.
    Whole,
    /// The part of the model's size from this column of the first row on, pixel by pixel.
    From(usize),
}

/// A picture of a file, as a model of this height and width sees it.
fn load(path: &Path, height: usize, width: usize, view: View) -> Picture {
    let bytes = fs::read(path).expect("a picture");
    let mut decoder = JpegDecoder::new(ZCursor::new(bytes));
    let pixels = decoder.decode().expect("a picture");
    let (from_width, from_height) = decoder.dimensions().expect("decoded");
    assert_eq!(pixels.len(), 3 * from_width * from_height, "{}", path.display());
    if let View::From(column) = view {
        let rows = pixels.chunks_exact(3 * from_width).take(height);
        let part = rows.flat_map(|row| &row[3 * column..3 * (column + width)]);
        return (height, width, part.copied().collect());
    }
    // Where each comes from: the two pixels beside it and the share of the second.
    let taps = |to: usize, from: usize| {
        (0..to).map(move |n| {
            let at = (n as f64 + 0.5) * from as f64 / to as f64 - 0.5;
            let low = at.floor().clamp(0.0, (from - 1) as f64);
            let share = (at - low).clamp(0.0, 1.0);
            (low as usize, (low as usize + 1).min(from - 1), share)
        })
    };
    let mut out = Vec::with_capacity(3 * height * width);
    for (above, below, down) in taps(height, from_height) {
        for (left, right, over) in taps(width, from_width) {
            for channel in 0..3 {
                let of = |y: usize, x: usize| f64::from(pixels[3 * (y * from_width + x) + channel]);
                let top = of(above, left) * (1.0 - over) + of(above, right) * over;
                let bottom = of(below, left) * (1.0 - over) + of(below, right) * over;
                out.push((top * (1.0 - down) + bottom * down).round() as u8);
            }
        }
    }
    (height, width, out)
}

#[derive(Clone, Debug)]
struct Told {
    label: String,
    score: f64,
    corners: [f64; 4],
    landmarks: Vec<f32>,
}

fn told(frame: &Frame, with_landmarks: bool) -> Told {
    let mut fields = vec![Field::text("label", 128)];
    fields.extend(["score", "x0", "y0", "x1", "y1"].map(Field::f64));
    if with_landmarks {
        fields.push(Field { name: "landmarks", kind: FieldKind::Floats { max: 10 } });
    }
    let format = EventFormat { fields, rate_max: 1.0 };
    let event = EventReader::new(&format, frame);
    let Some(FieldValue::Text(label)) = event.field(0) else { panic!("no label") };
    let landmarks = match event.field(6) {
        Some(FieldValue::Floats(landmarks)) => landmarks,
        _ => Vec::new(),
    };
    let number = |n: usize| event.f64(n).expect("a number");
    Told {
        label: label.to_owned(),
        score: number(1),
        corners: std::array::from_fn(|n| number(2 + n)),
        landmarks,
    }
}

/// What a detector tells of a picture of the test data, which is brought to this size.
fn detected(
    key: &str,
    (height, width, view): (usize, usize, View),
    model: &str,
    node: &str,
) -> Option<Vec<Told>> {
    let folder = data::folder()?;
    let picture = load(&folder.join(PICTURE_FILE), height, width, view);
    PICTURES.lock().expect("sound").insert(key.to_owned(), picture);
    let model = folder.join(model);
    let backend = if onnxruntime::is_there() { "onnxruntime" } else { "rten" };
    run(&format!(
        r#"
        [graph]
        name = "detects"
        [model.m]
        file = {model:?}
        backend = "{backend}"
        [node.picture]
        op = "picture"
        key = "{key}"
        [node.found]
        op = "detect"
        from = "picture"
        model = "m"
        most = 100
        {node}
        [node.{key}]
        op = "tally"
        from = "found"
        "#
    ));
    let with_landmarks = model.to_string_lossy().contains("yunet");
    Some(tally(key).iter().map(|(_, frame)| told(frame, with_landmarks)).collect())
}

/// Intersection over union.
fn overlap(one: [f64; 4], other: [f64; 4]) -> f64 {
    let side = |n: usize| (one[n + 2].min(other[n + 2]) - one[n].max(other[n])).max(0.0);
    let area = |of: [f64; 4]| (of[2] - of[0]) * (of[3] - of[1]);
    let common = side(0) * side(1);
    common / (area(one) + area(other) - common)
}

/// Checks that each of these boxes, in pixels of the picture it was found in, was told with its score, and no
/// other.
fn assert_same(told: &[Told], boxes: &[[f64; 4]], scores: &[f64], size: (f64, f64)) {
    // Different decoders of JPEG move an edge by a fraction of a pixel; heads are 20 wide.
    assert_same_boxes(told, boxes, size, 0.93);
    for (want, score) in boxes.iter().zip(scores) {
        let got = nearest(told, *want, size).score;
        // Different decoders of JPEG move a score by some thousandths.
        assert!((got - score).abs() < 0.02, "{want:?}: {got} is not {score}");
    }
}

fn assert_same_boxes(told: &[Told], boxes: &[[f64; 4]], size: (f64, f64), least: f64) {
    assert_eq!(told.len(), boxes.len(), "{told:?}");
    for want in boxes {
        let got = pixels(nearest(told, *want, size), size);
        assert!(overlap(got, *want) > least, "{want:?}: {got:?}");
    }
}

fn nearest(told: &[Told], want: [f64; 4], size: (f64, f64)) -> &Told {
    let near = |told: &&Told| overlap(pixels(told, size), want);
    told.iter().max_by(|one, other| near(one).total_cmp(&near(other))).expect("something was told")
}

fn pixels(told: &Told, (width, height): (f64, f64)) -> [f64; 4] {
    let [x0, y0, x1, y1] = told.corners;
    [x0 * width, y0 * height, x1 * width, y1 * height]
}

const PICTURE_FILE: &str = "dog-qiuqiu+FastestDet/data/3.jpg";
/// Width and height of that picture.
const SIZE: (f64, f64) = (500.0, 335.0);

/// A list of numbers in a file of references.
fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("a list").iter().map(|n| n.as_f64().expect("a number")).collect()
}

/// What a reference says of the picture: boxes, scores, and all of it.
fn reference(file: &str, path: &[&str]) -> Option<(Vec<[f64; 4]>, Vec<f64>, Value)> {
    let text = fs::read(data::folder()?.join("reference").join(file)).expect("a reference");
    let all: Value = serde_json::from_slice(&text).expect("JSON");
    let own = path.iter().fold(&all, |value, key| &value[*key]);
    let boxes = own["boxes"].as_array().expect("boxes").iter();
    let boxes = boxes.map(|each| numbers(each).try_into().expect("four numbers")).collect();
    Some((boxes, numbers(&own["scores"]), own.clone()))
}

#[test]
fn ultraface_finds_the_faces_that_its_makers_find() {
    let node = "background = 0\nlabels = [\"background\", \"face\"]\nmin_score = 0.7\noverlap = 0.3\n\
                normalize = \"given\"\nmean = [0.49803921568627454]\nstd = [0.5019607843137255]";
    let model =
        "Linzaer+Ultra-Light-Fast-Generic-Face-Detector-1MB/models/onnx/version-RFB-320.onnx";
    let Some(told) = detected("ultraface", (240, 320, View::Whole), model, node) else { return };
    let (boxes, scores, _) =
        reference("faces.json", &["images", "dev/dog-qiuqiu+FastestDet/data/3.jpg", "rfb320"])
            .expect("it was there");
    assert_same(&told, &boxes, &scores, SIZE);
    assert!(told.iter().all(|told| told.label == "face"));
}

#[test]
fn fastestdet_finds_four_persons() {
    let folder = std::env::temp_dir().join(format!("afferent-detect-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder for temporary files");
    let names = folder.join("coco.txt");
    let all: Vec<String> = (0..80).map(|n| format!("class {n}")).collect();
    fs::write(&names, all.join("\n")).expect("room");
    let node = format!("labels_file = {names:?}\nmin_score = 0.65\ncolours = \"bgr\"");
    let model = "dog-qiuqiu+FastestDet/example/onnx-runtime/FastestDet.onnx";
    let Some(told) = detected("fastest", (352, 352, View::Whole), model, &node) else { return };
    let (boxes, scores, _) =
        reference("models.json", &["objects", "dev/dog-qiuqiu+FastestDet/data/3.jpg"])
            .expect("it was there");
    assert_same(&told, &boxes, &scores, SIZE);
    assert!(told.iter().all(|told| told.label == "class 0"), "{told:?}");
}

#[test]
fn yunet_finds_faces_and_their_landmarks() {
    let node = "labels = [\"face\"]\nmin_score = 0.6\noverlap = 0.3\ncolours = \"bgr\"\n\
                normalize = \"given\"\nstd = [0.00392156862745098]";
    let model = "ShiqiYu+libfacedetection.train/onnx/yunet_n_320_320.onnx";
    // The reference looked at the whole picture at another scale; here the model's square, from column 64
    // on, has all four faces. Of heads 20 pixels wide the two differ by one to three pixels; being wrong by half
    // a cell would be 4, an overlap below 0.6.
    const COLUMN: f64 = 64.0;
    let size = (320, 320, View::From(COLUMN as usize));
    let Some(told) = detected("yunet", size, model, node) else { return };
    let (boxes, _, all) =
        reference("faces.json", &["images", "dev/dog-qiuqiu+FastestDet/data/3.jpg", "yunet"])
            .expect("it was there");
    let boxes: Vec<[f64; 4]> =
        boxes.into_iter().map(|[a, b, c, d]| [a - COLUMN, b, c - COLUMN, d]).collect();
    assert_same_boxes(&told, &boxes, (320.0, 320.0), 0.75);
    assert!(told.iter().all(|told| told.score > 0.8), "{told:?}");

    for landmarks in all["landmarks"].as_array().expect("of each") {
        let want: Vec<f64> =
            numbers(landmarks).chunks(2).flat_map(|at| [at[0] - COLUMN, at[1]]).collect();
        // Five points, on average. Measured: 1 to 2 pixels, 3.3 in the face that is turned aside and next to
        // the square's edge; half a cell wrong in both directions would be 5.7.
        let distance = |told: &Told| {
            let got: Vec<f64> = told.landmarks.iter().map(|at| 320.0 * f64::from(*at)).collect();
            let points = got.chunks(2).zip(want.chunks(2));
            points.map(|(got, want)| (got[0] - want[0]).hypot(got[1] - want[1])).sum::<f64>() / 5.0
        };
        let is_near = |told: &&Told| distance(told) < 4.0;
        let found = told.iter().find(is_near);
        assert!(found.is_some_and(|one| one.landmarks.len() == 10), "{want:?}: {told:?}");
    }
}

#[test]
fn what_a_model_means_is_recognised_or_refused() {
    let said = |shape: &[Option<usize>], node: &str| {
        let path = file("detects.onnx", &onnx::unary("Relu", shape));
        let text = format!(
            "[graph]\nname = \"g\"\n[model.m]\nfile = {path:?}\nbackend = \"rten\"\n\
             [node.count]\nop = \"count\"\n[node.found]\nop = \"detect\"\nfrom = \"count\"\n\
             model = \"m\"\n{node}\n[node.out]\nop = \"tally\"\nfrom = \"found\"\n"
        );
        try_plan(&text).map(|_| ()).map_err(|problems| problems.to_string())
    };
    let text = said(&[Some(1), Some(20)], "").unwrap_err();
    assert!(
        text.contains("it is not known what the outputs of the model mean: `y f32[1, 20]`"),
        "{text}"
    );
    let text = said(&[Some(1), Some(20)], "decode = \"yunet\"").unwrap_err();
    assert!(text.contains("has no height and width") || text.contains("it lacks"), "{text}");
    let text = said(&[Some(1), Some(20)], "decode = \"fastestdet\"").unwrap_err();
    assert!(text.contains("it lacks an output [5 + classes, rows, columns]"), "{text}");
    assert!(text.contains("the model gives `y f32[1, 20]`"), "{text}");
}

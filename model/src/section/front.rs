//! The variants of a section with what was measured of them, as its file or their profiles say.

use std::{io::Read, path::Path};

use engine::{Code, Diagnostic, Files};
use xxhash_rust::xxh3::xxh3_128;

use crate::{
    backend::onnxruntime,
    host::{
        Speed,
        variants::{Point, front},
    },
    tools::{Profile, sidecar_of},
};

use super::arms::Written;

/// Longest profile that is read.
const PROFILE_BYTES_MAX: u64 = 16 << 20;

/// What a profile says.
struct Measured {
    latency_ms: Option<f64>,
    /// Questions that were answered in a second, at best.
    per_s: Option<f64>,
    accuracy: Option<f64>,
    labels: Vec<String>,
    data: Option<String>,
    /// The backend that the latency was measured with, where it is not the one that runs the model.
    other: Option<String>,
}

/// The variants worth using, the cheapest first, each by its number in the list.
pub(super) struct Front {
    pub(super) order: Vec<usize>,
    pub(super) points: Vec<Point>,
    /// How fast the fastest of them is, where all were measured.
    pub(super) speed: Option<Speed>,
    /// What a person should know, in whole sentences.
    pub(super) news: Vec<String>,
}

/// Finds the front of variants with these contents.
///
/// # Errors
/// What is not known of them, or does not go together.
pub(super) fn of(
    name: &str,
    variants: &[Written],
    contents: &[&[u8]],
    backend: &str,
    files: &dyn Files,
) -> Result<Front, Vec<Diagnostic>> {
    let problem = |variant: &Written, code, message: String| {
        Diagnostic::error(code, message).at(&variant.at).of(format!("model `{name}`"))
    };
    let (mut points, mut problems) = (Vec::new(), Vec::new());
    let mut known: Vec<(&Written, Measured)> = Vec::new();
    for (variant, content) in variants.iter().zip(contents) {
        let measured = match measured(variant, content, backend, files) {
            Ok(measured) => measured,
            Err(why) => {
                let hint = format!(
                    "measure it anew: `afferent model profile {} --data FILE --save`",
                    variant.path
                );
                problems.push(problem(variant, Code::BadFile, why).hint(hint));
                continue;
            }
        };
        let latency = variant.latency_ms.or(measured.latency_ms);
        let accuracy = variant.accuracy.or(measured.accuracy);
        match (latency, accuracy) {
            (Some(latency_ms), Some(accuracy)) => points.push(Point { latency_ms, accuracy }),
            // With one variant alone there is nothing to choose.
            _ if variants.len() == 1 => points.push(Point { latency_ms: 0.0, accuracy: 1.0 }),
            (latency, _) => {
                let what = if latency.is_none() { "how fast" } else { "how accurate" };
                let message = format!("nobody knows {what} the variant `{}` is", variant.label);
                let hint = format!(
                    "measure it: `afferent model profile {} --data FILE --save`; or write it: `{{ file = …, \
                     latency_ms = …, accuracy = … }}`",
                    variant.path
                );
                problems.push(problem(variant, Code::MissingParameter, message).hint(hint));
            }
        }
        known.push((variant, measured));
    }
    let mut news = Vec::new();
    let labelled: Vec<_> = known.iter().filter(|(_, it)| !it.labels.is_empty()).collect();
    for pair in labelled.windows(2) {
        let [(one, first), (other, second)] = pair else { continue };
        if first.labels != second.labels {
            let message = format!(
                "the variants `{}` and `{}` have different labels: {:?} and {:?}",
                one.label, other.label, first.labels, second.labels
            );
            let hint =
                "variants answer the same question: give each the same classes in the same order";
            problems.push(problem(other, Code::FormatMismatch, message).hint(hint));
        }
    }
    let judged: Vec<_> = known.iter().filter_map(|(it, m)| Some((it, m.data.as_ref()?))).collect();
    if let Some(pair) = judged.windows(2).find(|pair| pair[0].1 != pair[1].1) {
        news.push(format!(
            "model `{name}`: the accuracies of its variants `{}` and `{}` were measured on different data",
            pair[0].0.label, pair[1].0.label
        ));
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let measured = known.iter().filter(|(variant, _)| variant.latency_ms.is_none());
    for (variant, other) in measured.filter_map(|(it, m)| Some((it, m.other.as_ref()?))) {
        news.push(format!(
            "model `{name}`: how fast its variant `{}` is was measured with {other}, which is not what runs it",
            variant.label
        ));
    }
    let order = front(&points);
    for (number, variant) in variants.iter().enumerate().filter(|(n, _)| !order.contains(n)) {
        let Point { latency_ms, accuracy } = points[number];
        let by = order
            .iter()
            .find(|&&n| points[n].latency_ms <= latency_ms && points[n].accuracy >= accuracy);
        let by = by.map_or(String::new(), |&n| {
            let Point { latency_ms, accuracy } = points[n];
            format!(": `{}` has {accuracy} in {latency_ms} ms", variants[n].label)
        });
        news.push(format!(
            "model `{name}`: the variant `{}`, right in {accuracy} of its answers in {latency_ms} ms each, is \
             not used{by}",
            variant.label
        ));
    }
    let per_s = known.iter().map(|(_, measured)| measured.per_s).collect::<Option<Vec<f64>>>();
    let fastest_ms = points.iter().map(|point| point.latency_ms).min_by(f64::total_cmp);
    let speed = fastest_ms.filter(|ms| *ms > 0.0).map(|latency_ms| Speed {
        latency_ms,
        per_s: per_s.and_then(|all| all.into_iter().max_by(f64::total_cmp)),
    });
    Ok(Front { order, points, speed, news })
}

/// How fast the profile beside a model says that it is; nothing where there is none, or one of something else.
pub(super) fn speed_of(
    path: &str,
    content: &[u8],
    backend: &str,
    files: &dyn Files,
) -> Option<Speed> {
    let (label, path) = (String::new(), path.to_owned());
    let alone = Written { label, path, latency_ms: None, accuracy: None, at: None };
    let measured = measured(&alone, content, backend, files).ok()?;
    // What was measured with another backend says little of this one.
    let latency_ms = measured.latency_ms.filter(|_| measured.other.is_none())?;
    Some(Speed { latency_ms, per_s: measured.per_s })
}

/// What the profile beside a variant says; nothing where there is none.
fn measured(
    variant: &Written,
    content: &[u8],
    backend: &str,
    files: &dyn Files,
) -> Result<Measured, String> {
    let nothing = Measured {
        latency_ms: None,
        per_s: None,
        accuracy: None,
        labels: Vec::new(),
        data: None,
        other: None,
    };
    let path = sidecar_of(Path::new(&variant.path)).to_string_lossy().into_owned();
    let Ok(file) = files.open(&path) else { return Ok(nothing) };
    let mut text = String::new();
    let read = file.take(PROFILE_BYTES_MAX).read_to_string(&mut text);
    read.map_err(|error| format!("cannot read the profile `{path}`: {error}"))?;
    let profile =
        Profile::parse(&text).map_err(|trouble| format!("`{path}`: {}", trouble.message))?;
    if profile.content != format!("xxh3-128:{:032x}", xxh3_128(content)) {
        return Err(format!("the profile `{path}` is of another model than `{}`", variant.path));
    }
    let runs = match backend {
        "auto" if onnxruntime::is_there() => "onnxruntime",
        "auto" => "rten",
        named => named,
    };
    let alone = || profile.latency.iter().filter(|point| point.workers == 1 && point.batch == 1);
    let point = alone().find(|point| point.backend == runs).or_else(|| alone().next());
    let accuracy = profile.accuracy.as_ref();
    let latency_ms = point.map(|point| point.p50_us / 1e3);
    if let Some(wrong) = latency_ms.filter(|ms| !(ms.is_finite() && *ms > 0.0)) {
        return Err(format!("the profile `{path}` says that a run takes {wrong} ms"));
    }
    if let Some(wrong) = accuracy.map(|it| it.top1).filter(|top1| !(0.0..=1.0).contains(top1)) {
        return Err(format!(
            "the profile `{path}` says that a share of {wrong} of the answers is right"
        ));
    }
    let here = |point: &&crate::tools::Point| point.backend == runs;
    let per_s = profile.latency.iter().filter(here).map(|point| point.per_s).max_by(f64::total_cmp);
    Ok(Measured {
        latency_ms,
        per_s: per_s.filter(|per_s| per_s.is_finite() && *per_s > 0.0),
        other: point.filter(|point| point.backend != runs).map(|point| point.backend.clone()),
        accuracy: accuracy.map(|accuracy| accuracy.top1),
        labels: accuracy.map(|accuracy| accuracy.labels.clone()).unwrap_or_default(),
        data: accuracy.map(|accuracy| accuracy.data_content.clone()),
    })
}

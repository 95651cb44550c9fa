//! `afferent calibrate`: when questions leave a chain of segments early, with a promise about what that costs.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    calibrate::{self, Calibrated, Chain, Loss, Promise as Promised, Signal, Unfit},
    host::{Exits, Head},
    section::Segmented,
    sidecar::{Promise, Sidecar},
};

use super::{
    chain::{Asked, Told},
    data::Dataset,
    plot,
    scaled::AsAsked,
    trouble::Trouble,
    watch::Watch,
    write,
};

/// Share of the questions that tune.
const TUNE: f64 = 0.3;

/// What is asked of `calibrate`.
#[derive(Clone, Debug)]
pub struct CalibrateOptions {
    /// The model.
    pub model: Segmented,
    /// Questions.
    pub data: PathBuf,
    /// What the graph's node does to each of them before it asks.
    pub as_asked: Option<AsAsked>,
    /// What is right, if it does not stand in the data.
    pub truth: Option<PathBuf>,
    /// Names of the classes.
    pub labels: Option<Vec<String>>,
    /// Shapes of inputs whose lengths are open.
    pub shapes: Vec<(String, Vec<usize>)>,
    /// Most accuracy that may be lost, above 0 and below 1, as a share of all answers.
    pub loss: f64,
    /// With so much confidence, above 0 and below 1.
    pub confidence: f64,
    /// How sure an exit is.
    pub signal: Signal,
    /// Which questions tune and which certify.
    pub seed: u64,
    /// Where the file goes; else where the section says.
    pub out: Option<PathBuf>,
    /// Seconds that the measurement of each segment takes.
    pub seconds: f64,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct EarlyExits {
    /// What was found.
    pub found: Calibrated,
    /// Whether the risk is lost accuracy; else it is disagreement with the whole model.
    pub is_labelled: bool,
    /// Questions.
    pub rows: usize,
    /// Who ran it.
    pub backend: &'static str,
    /// Microseconds that a question takes in each segment.
    pub costs_us: Vec<f64>,
    /// Of each exit alone: the share that is right, or answered as at the end.
    pub alone: Vec<f64>,
    /// The file that was written, and the picture beside it.
    pub written: [PathBuf; 2],
}

/// Questions that are needed for any promise: that nothing is lost in all that certify must be less likely than the promise
/// may fail, were the risk above the promised one.
pub fn rows_needed(loss: f64, confidence: f64) -> usize {
    let certifying = ((1.0 - confidence).ln() / (-loss).ln_1p()).ceil();
    // One more for what rounding takes from the share.
    (certifying / (1.0 - TUNE)).ceil() as usize + 1
}

/// Asks every segment every question, finds when questions may leave, and writes that and a picture of it.
///
/// # Errors
/// If files cannot be read, do not fit each other or cannot be written, nothing can be promised, or `watch` ends it. Then
/// nothing is written.
pub fn calibrate(options: &CalibrateOptions, watch: &Watch<'_>) -> Result<EarlyExits, Trouble> {
    let written = places(options)?;
    (watch.says)("reads the data");
    let mut data = Dataset::read(&options.data, options.truth.as_deref())?;
    if let Some(as_asked) = &options.as_asked {
        as_asked.apply(&mut data)?;
    }
    let asked = Asked::load(&options.model, &options.shapes)?;
    let told = asked.tell(&data, Duration::from_secs_f64(options.seconds), watch)?;
    let labels = data.truth.as_ref().map(|truth| {
        truth
            .numbers(told.classes, options.labels.as_deref())
            .and_then(|labels| several(labels, &data))
    });
    let labels = labels.transpose()?;
    let is_labelled = labels.is_some();
    let Told { classes, logits, costs_us } = told;
    let alone = alone(classes, &logits, labels.as_deref());
    (watch.says)("finds temperatures and thresholds");
    let unfit =
        |unfit: Unfit| Trouble::file(unfit.to_string(), "look at the data and the segments");
    let chain = Chain::new(classes, logits, labels, costs_us.clone()).map_err(unfit)?;
    let promise = Promised::Confident { risk: options.loss, delta: 1.0 - options.confidence };
    let loss = if is_labelled { Loss::Wrong } else { Loss::Differs };
    let how = calibrate::Options {
        signal: options.signal,
        tune: TUNE,
        seed: options.seed,
        ..calibrate::Options::new(promise, loss)
    };
    let found = calibrate::calibrate(&chain, &how).map_err(unfit)?;
    watch.goes_on()?;
    if found.step == 0 {
        return Err(nothing(&found, options, data.rows));
    }
    let sidecar = sidecar(&found, options, asked.weights.clone());
    let calibration = EarlyExits {
        found,
        is_labelled,
        rows: data.rows,
        backend: asked.backend(),
        costs_us,
        alone,
        written,
    };
    let [file, picture] = &calibration.written;
    write::write(picture, plot::svg(&options.model.name, options.loss, &calibration).as_bytes())?;
    write::write(file, sidecar.text().as_bytes())?;
    Ok(calibration)
}

/// Where it goes, and the picture; that there is room is seen before anybody waits.
fn places(options: &CalibrateOptions) -> Result<[PathBuf; 2], Trouble> {
    let file = options.out.clone().or_else(|| options.model.exits.as_ref().map(PathBuf::from));
    let Some(file) = file else {
        let name = &options.model.name;
        let message = format!("`[model.{name}]` names no file that says when questions leave");
        let hint = format!("write `exits = \"{name}.exits.toml\"` there, or give `--out FILE`");
        return Err(Trouble::asked(message, hint));
    };
    if file.extension().is_none_or(|extension| extension != "toml") {
        let message = format!("`{}` does not end in .toml", file.display());
        return Err(Trouble::asked(message, "name it such as `beats.exits.toml`"));
    }
    let picture = file.with_extension("svg");
    for path in [&file, &picture] {
        write::has_room(path)?;
    }
    Ok([file, picture])
}

/// Labels of one class say nothing of what is lost in others.
fn several(labels: Vec<usize>, data: &Dataset) -> Result<Vec<usize>, Trouble> {
    if labels.iter().all(|&label| label == labels[0]) {
        let (path, rows, label) = (&data.path, data.rows, labels[0]);
        let message = format!("`{path}`: all {rows} questions are of class {label}");
        let hint = "take data with every class, as often as it will be asked";
        return Err(Trouble::file(message, hint));
    }
    Ok(labels)
}

fn alone(classes: usize, logits: &[Vec<f32>], labels: Option<&[usize]>) -> Vec<f64> {
    let tops = |scores: &Vec<f32>| {
        super::accuracy::Answers { len: classes, values: scores.clone() }.tops()
    };
    let right = labels.map_or_else(|| tops(&logits[logits.len() - 1]), <[usize]>::to_vec);
    let share = |scores: &Vec<f32>| {
        let same = tops(scores).iter().zip(&right).filter(|(one, other)| one == other).count();
        same as f64 / right.len() as f64
    };
    logits.iter().map(share).collect()
}

/// Why nothing can be promised, and what to do.
fn nothing(found: &Calibrated, options: &CalibrateOptions, rows: usize) -> Trouble {
    let [loss, confidence] =
        [options.loss, options.confidence].map(|share| (share * 1e6).round() / 1e4);
    let needed = rows_needed(options.loss, options.confidence);
    let head = format!(
        "nothing can leave early with a loss of at most {loss} % at {confidence} % confidence"
    );
    if rows < needed {
        let message = format!("{head}: {rows} questions are too few");
        let hint = format!(
            "give {needed} questions or more, or ask a larger `--loss` or a smaller `--confidence`"
        );
        return Trouble::refused(message, hint);
    }
    let first = found.curve.get(1).map_or(0.0, |point| 100.0 * point.risk);
    let message = format!(
        "{head}: even of the surest 2 % of an early exit's answers too many are wrong; with them {first:.2} % of all are lost on {} questions",
        found.samples[1]
    );
    let hint = "give more questions, ask a larger `--loss`, or train better early exits; \
                `afferent model profile` tells how right each segment is";
    Trouble::refused(message, hint)
}

fn sidecar(found: &Calibrated, options: &CalibrateOptions, weights: String) -> Sidecar {
    let head = |(temperature, &threshold): (&calibrate::Temperature, &f64)| Head {
        temperature: temperature.value,
        // Above 1, and a number that a file can hold.
        threshold: if threshold.is_finite() { threshold } else { 2.0 },
    };
    Sidecar {
        exits: Exits {
            signal: options.signal.at_run_time(),
            heads: found.temperatures.iter().zip(&found.thresholds).map(head).collect(),
        },
        weights: Some(weights),
        promise: Some(Promise {
            loss: options.loss,
            confidence: options.confidence,
            samples: found.samples[1] as u64,
            differs: found.differs.map(|[_, most]| most).filter(|&most| most < 1.0),
        }),
        cost: Some(found.cost[0] / found.cost[1]),
        shares: found.shares[..found.thresholds.len()].to_vec(),
    }
}

impl EarlyExits {
    /// The share of the whole model's cost that is left.
    pub fn cost(&self) -> f64 {
        self.found.cost[0] / self.found.cost[1]
    }

    /// What a person should write in the graph, where the section does not name the file.
    pub fn unnamed<'a>(&'a self, model: &Segmented) -> Option<&'a Path> {
        let own = self.written[0].as_path();
        (model.exits.as_deref().map(Path::new) != Some(own)).then_some(own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_questions_are_needed_that_their_silence_means_something() {
        // 0.995^598 = 0.0499 and 0.995^597 = 0.0502: 598 must certify, which is 70 % of 855.
        assert_eq!(rows_needed(0.005, 0.95), 856);
        let certifying = (0.7 * rows_needed(0.1, 0.9) as f64) as i32;
        assert!(0.9_f64.powi(certifying) <= 0.1);
    }
}

//! What every segment of a chain gives to every question, and what it costs.

use std::{path::Path, time::Duration};

use crate::{
    backend::{self, Array, Options, Values},
    host::{Chain, Exits},
    section::{Segmented, weights_of},
};

use super::{
    data::{Column, Dataset, read_file},
    feed::{Feed, Given},
    latency::latency,
    subject::{Careful, as_served},
    trouble::Trouble,
    watch::Watch,
};

/// Longest file of a segment.
const FILE_BYTES_MAX: u64 = 2 << 30;
/// Questions asked at once.
const ROWS_AT_ONCE: usize = 32;
/// Most scores that are kept: 4 GiB of them.
const SCORES_MAX: usize = 1 << 30;

/// A chain, ready to be asked.
pub(super) struct Asked {
    chain: Chain,
    given: Given,
    /// What identifies its weights.
    pub(super) weights: String,
}

/// What it answered.
pub(super) struct Told {
    /// Scores of an answer.
    pub(super) classes: usize,
    /// By segment: the scores of the questions, one after the other.
    pub(super) logits: Vec<Vec<f32>>,
    /// Microseconds that a question takes in each segment, median, alone.
    pub(super) costs_us: Vec<f64>,
}

impl Asked {
    pub(super) fn load(
        model: &Segmented,
        shapes: &[(String, Vec<usize>)],
    ) -> Result<Self, Trouble> {
        let read = |path: &String| read_file(Path::new(path), FILE_BYTES_MAX);
        let files = model.segments.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let weights = weights_of(&files);
        let options = Options { providers: model.providers.clone() };
        let load = |(path, bytes): (&String, Vec<u8>)| {
            let loaded = backend::load(&model.backend, bytes, &options);
            loaded.map_err(|fault| Trouble::model(path, &fault))
        };
        let loaded = model.segments.iter().zip(files).map(load).collect::<Result<Vec<_>, _>>()?;
        let chain = Chain::new(loaded, Exits::default()).map_err(|why| {
            let hint = "the first output of each segment is its answer, the second what the next one takes";
            Trouble::file(format!("model `{}`: {why}", model.name), hint)
        })?;
        let given = Given { fixed: model.fixed.clone(), shapes: shapes.to_vec() };
        Ok(Self { chain, given, weights })
    }

    pub(super) fn backend(&self) -> &'static str {
        self.chain.backend()
    }

    /// Asks every segment every question.
    pub(super) fn tell(
        &self,
        data: &Dataset,
        spend: Duration,
        watch: &Watch<'_>,
    ) -> Result<Told, Trouble> {
        let slot = &self.chain.signature().outputs[0];
        let classes = slot.count().unwrap_or(0);
        if classes == 1 {
            let message =
                format!("the segments answer `{slot}`, one number, not scores of classes");
            let hint = "export the exits with one score a class, two for yes and no";
            return Err(Trouble::file(message, hint));
        }
        if classes.saturating_mul(data.rows).saturating_mul(self.chain.segments()) > SCORES_MAX {
            let message = format!("{} answers of `{slot}` are too many to keep", data.rows);
            return Err(Trouble::file(message, "take a part of the data"));
        }
        let costs_us = self.costs(data, spend, watch)?;
        as_served(|| self.ask(data, classes, watch)).map(|(classes, logits)| Told {
            classes,
            logits,
            costs_us,
        })
    }

    fn ask(
        &self,
        data: &Dataset,
        classes: usize,
        watch: &Watch<'_>,
    ) -> Result<(usize, Vec<Vec<f32>>), Trouble> {
        let segments = self.chain.segments();
        let mut runners = (0..segments)
            .map(|n| Careful::new(self.chain.segment(n).0).map_err(|fault| failed(n, 0, &fault)))
            .collect::<Result<Vec<_>, _>>()?;
        let mut logits: Vec<Vec<f32>> = vec![Vec::new(); segments];
        let mut classes = classes;
        let at_once = if self.chain.batches() { ROWS_AT_ONCE.min(data.rows) } else { 1 };
        for first in (0..data.rows).step_by(at_once) {
            watch.goes_on()?;
            let now = at_once.min(data.rows - first);
            if first % (at_once * 32) == 0 {
                let done = 100.0 * first as f64 / data.rows as f64;
                (watch.says)(&format!(
                    "every segment answers {} questions: {done:.0} %",
                    data.rows
                ));
            }
            for number in 0..segments {
                let inputs = self.inputs(number, data, first, now, &runners)?;
                let careful = &mut runners[number];
                careful.run(&inputs).map_err(|fault| failed(number, first, &fault))?;
                let given = &careful.outputs[0];
                if classes == 0 {
                    classes = given.len() / now;
                }
                if given.len() != classes * now || classes < 2 {
                    let (count, segment) = (given.len(), number + 1);
                    let message = format!(
                        "segment {segment} gives {count} numbers to {now} questions, not {classes} scores each"
                    );
                    return Err(Trouble::file(
                        message,
                        "its first output must be the scores of the classes, as many for every question",
                    ));
                }
                if let Some(at) = given.iter().position(|score| !score.is_finite()) {
                    let (row, score) = (first + at / classes, given[at]);
                    let message = format!("segment {} gives {score} to question {row}", number + 1);
                    return Err(Trouble::file(message, "look at that question, or at the weights"));
                }
                logits[number].extend_from_slice(given);
            }
        }
        Ok((classes, logits))
    }

    /// What a segment is fed with questions from `first` on, after the segments before have run.
    fn inputs(
        &self,
        number: usize,
        data: &Dataset,
        first: usize,
        now: usize,
        runners: &[Careful],
    ) -> Result<Vec<Array>, Trouble> {
        let (loaded, input, output) = self.chain.segment(number);
        let signature = loaded.signature();
        let has = |name: &String| signature.inputs.iter().any(|slot| slot.name == *name);
        let given = |shapes: bool| Given {
            fixed: self.given.fixed.iter().filter(|(name, _)| has(name)).cloned().collect(),
            shapes: if shapes { self.given.shapes.clone() } else { Vec::new() },
        };
        if number == 0 {
            return Feed::new(signature, Some(data), &given(true))?.arrays(first, now);
        }
        let slot = &signature.inputs[input];
        let column = match output {
            Some(output) => {
                let values = &runners[number - 1].outputs[output];
                let shape: Vec<usize> = slot.question().into_iter().flatten().collect();
                if values.len() != now * shape.iter().product::<usize>() {
                    let message = format!(
                        "segment {number} gives {} numbers to {now} questions, but segment {} takes `{slot}`",
                        values.len(),
                        number + 1
                    );
                    return Err(Trouble::file(message, "export segments that fit each other"));
                }
                Column { name: slot.name.clone(), shape, values: Values::F32(values.clone()) }
            }
            None => {
                let asked = &self.chain.signature().inputs[0].name;
                let named = |name: &str| data.columns.iter().find(|column| column.name == name);
                let Some(column) = named(asked).or_else(|| named("x")) else {
                    let message = format!("the data has nothing for `{asked}`");
                    return Err(Trouble::file(message, "call the array like the input, or `x`"));
                };
                let len = column.shape.iter().product::<usize>();
                let range = first * len..(first + now) * len;
                let values = match &column.values {
                    Values::F32(all) => Values::F32(all[range].to_vec()),
                    Values::Whole(all) => Values::Whole(all[range].to_vec()),
                };
                Column { name: slot.name.clone(), shape: column.shape.clone(), values }
            }
        };
        let data = Dataset {
            path: data.path.clone(),
            content: 0,
            rows: now,
            columns: vec![column],
            truth: None,
        };
        Feed::new(signature, Some(&data), &given(false))?.arrays(0, now)
    }

    /// What the first question takes in each segment, in microseconds.
    fn costs(
        &self,
        data: &Dataset,
        spend: Duration,
        watch: &Watch<'_>,
    ) -> Result<Vec<f64>, Trouble> {
        let segments = self.chain.segments();
        let mut made: Vec<Vec<Array>> = Vec::with_capacity(segments);
        as_served(|| {
            let mut runners = Vec::with_capacity(segments);
            for number in 0..segments {
                let inputs = self.inputs(number, data, 0, 1, &runners)?;
                let fault = |fault| failed(number, 0, &fault);
                let mut careful = Careful::new(self.chain.segment(number).0).map_err(fault)?;
                careful.run(&inputs).map_err(fault)?;
                runners.push(careful);
                made.push(inputs);
            }
            Ok(())
        })?;
        let cost = |(number, inputs): (usize, Vec<Array>)| {
            (watch.says)(&format!("measures segment {} of {segments}", number + 1));
            let loaded = self.chain.segment(number).0;
            let latency = latency(loaded, &inputs, 1, 1, spend, watch);
            watch.goes_on()?;
            latency.map(|took| took.p50_us).map_err(|fault| failed(number, 0, &fault))
        };
        made.into_iter().enumerate().map(cost).collect()
    }
}

fn failed(segment: usize, row: usize, fault: &engine::Fault) -> Trouble {
    let message = format!("segment {}, question {row}: {fault}", segment + 1);
    Trouble::file(message, "check that the data is what the model was made for")
}

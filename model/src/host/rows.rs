//! [`Rows`]: a model whose file fixes how many questions a run has. Such a run is as long with one question as with all,
//! so rows that nobody asks for are filled with questions of low priority, and what is left is padding.
//!
//! A file only says that its first dimension is 8 long: eight questions, or eight channels of one. So the model is
//! run twice, the second time with rows moved or changed: where each row's answer goes along with its row, whatever the
//! others are, the first dimension counts questions.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread::Builder,
};

use engine::Fault;

use crate::{
    backend::Loaded,
    calibrate::noise,
    signature::{Element, Signature},
};

use super::{
    batch::Batch,
    chain::{Chain, Unread},
    model::Model,
    way::Way,
};

/// How a model is asked row by row.
#[derive(Debug)]
pub struct Rows {
    /// Questions of a run.
    pub count: usize,
    /// What it takes and gives, with the dimension that counts questions open.
    pub signature: Signature,
    /// What stands in inputs that no node feeds.
    fixed: Vec<(String, f64)>,
}

/// What was found out, by input.
pub(super) type Found = Mutex<BTreeMap<usize, Option<Arc<Rows>>>>;

/// Answers of one row in two runs differ by no more than this share of the largest number: kernels round differently
/// in other places, and what is quantised as it comes is by what else is in the run.
const DIFFERENCE: f32 = 0.01;

impl Model {
    /// How its questions are put to that input row by row, if its file fixes how many there are in a run and each
    /// gets an answer of its own. The first time the model is run twice. Models of several segments are not asked so.
    pub fn by_rows(&self, input: usize, fixed: &[(String, f64)]) -> Option<Arc<Rows>> {
        let count = self.signature().rows(input).filter(|_| self.segments() == 1)?;
        let found = || self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = found().get(&input) {
            return known.clone();
        }
        let loaded = self.workers.first(self.number)?;
        let signature = self.signature().by_rows(count);
        let rows = Arc::new(Rows { count, signature, fixed: fixed.to_vec() });
        let known = self.counts_questions(loaded, &rows, input).then_some(rows);
        // Somebody else may have found out meanwhile: the same.
        found().entry(input).or_insert(known).clone()
    }

    /// Whether another version answers row by row wherever this one was found to do.
    pub(super) fn goes_by_rows(&self, chain: &Chain) -> bool {
        let found = self.rows.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(first) = chain.segments.first() else { return true };
        let by_rows = found.into_iter().filter_map(|(input, rows)| Some((input, rows?)));
        by_rows
            .into_iter()
            .all(|(input, rows)| self.counts_questions(first.loaded.clone(), &rows, input))
    }

    /// Runs a model twice to see whether its rows are questions, on a thread of its own: a run may never end.
    fn counts_questions(&self, loaded: Arc<dyn Loaded>, rows: &Arc<Rows>, input: usize) -> bool {
        let (tell, told) = mpsc::sync_channel(1);
        let rows = rows.clone();
        let probe = move || {
            let probe = || counts_questions(&*loaded, &rows, input).unwrap_or(false);
            // Nobody waits any more for what came too late.
            let _ = tell.send(catch_unwind(AssertUnwindSafe(probe)).unwrap_or(false));
        };
        let limit = self.workers.patience();
        let spawned = Builder::new().name("afferent-rows".to_owned()).spawn(probe);
        if spawned.is_err() {
            return false;
        }
        told.recv_timeout(limit).unwrap_or_else(|_| {
            self.workers.tell(&format!(
                "model `{}`: whether it answers question by question is not known, as a trial run did not end within \
                 {:.0} s; what it takes is one question",
                self.called(),
                limit.as_secs_f64()
            ));
            false
        })
    }
}

/// Whether every row has the answer to its own question.
fn counts_questions(loaded: &dyn Loaded, rows: &Rows, input: usize) -> Result<bool, Fault> {
    let signature = loaded.signature();
    let slot = &rows.signature.inputs[input];
    let shape = slot.question().into_iter().flatten().collect();
    let way = Way::new(&rows.signature, input, shape, &rows.fixed, Box::new(Unread));
    let way = way.map_err(Fault::new)?.in_rows(rows.count);
    let mut batch = Batch::new(loaded.runner()?, signature);
    let mut run = |questions: &[Vec<f32>]| -> Result<Option<Vec<Vec<f32>>>, Fault> {
        batch.run(signature, &way, questions.len(), |row| &questions[row])?;
        if batch.mixes(signature) {
            return Ok(None);
        }
        let answer = |row| {
            let row = batch.row(signature, row, 0)?;
            Ok((0..signature.outputs.len())
                .flat_map(|output| row.output(output).to_vec())
                .collect())
        };
        (0..questions.len()).map(answer).collect::<Result<_, _>>().map(Some)
    };
    // Numbers that stand for words must be in the list of words: the first two are in any.
    let number = |seed: usize| match slot.element {
        Element::Whole => f32::from(noise(seed as u64) > 0.0),
        _ => noise(seed as u64),
    };
    let len = way.count();
    let question = |row: usize| (0..len).map(|n| number(row * len + n)).collect::<Vec<f32>>();
    let asked: Vec<Vec<f32>> = (0..rows.count).map(question).collect();
    // Every other row goes one up; what stands beside it is new.
    let moved: Vec<Vec<f32>> = (0..rows.count)
        .map(|row| match row % 2 {
            0 => asked[(row + 1) % rows.count].clone(),
            _ => question(rows.count + row),
        })
        .collect();
    let (Some(first), Some(second)) = (run(&asked)?, run(&moved)?) else { return Ok(false) };
    let scale = first.iter().flatten().fold(0.0_f32, |most, x| most.max(x.abs()));
    let close = |(a, b): (&f32, &f32)| (a - b).abs() <= DIFFERENCE * scale;
    Ok((0..rows.count).step_by(2).all(|row| {
        let before = &first[(row + 1) % rows.count];
        before.iter().zip(&second[row]).all(close)
    }))
}

//! Speech heard by a model, and turns judged by one: who is asked, and what the plan says to that.
//!
//! Of each chunk Silero wants the samples before it (64 at 16 kHz, 32 at 8 kHz) in front, and the state that it gave
//! with the chunk before. So a stream has one question open at a time, which carries samples and state as one row of a
//! run: the chunks of many streams are as many rows, and each gets its own state back.

mod call;
mod mind;

use std::time::Duration;

use engine::{Body, Code, Diagnostic, Diagnostics, Node, Param};

use crate::{
    host::{ModelService, Terms, Way},
    kinds::{absent::AbsentModel, asking::model_of},
    signature::{Element, Slot},
};

use super::{
    check_rate, detector,
    params::{GATHER_MS, MODEL, TURN_MODEL, WITHIN_MS},
};

use call::SpeechCall;

/// So much sound a model of turns gets that takes any length.
const TURN_S: f64 = 8.0;

/// Samples of a chunk, if a model hears it.
pub(super) fn plan(node: &Node<'_>) -> Result<Option<usize>, Diagnostics> {
    if let Some(service) = service(node, &TURN_MODEL)? {
        TurnSlots::of(node, service)?;
    }
    let Some(service) = service(node, &MODEL)? else { return Ok(None) };
    Ok(Some(Slots::of(node, service)?.chunk))
}

/// Whether a model says when turns are over.
pub(super) fn judges_turns(node: &Node<'_>) -> Result<bool, Diagnostics> {
    Ok(service(node, &TURN_MODEL)?.is_some())
}

/// That a model is not there which need not be, if it is so.
pub(super) fn warnings(node: &Node<'_>) -> Result<Vec<Diagnostic>, Diagnostics> {
    let mut warnings = Vec::new();
    for (param, instead) in
        [(&MODEL, "hears with the net in the program"), (&TURN_MODEL, "ends turns by its rules")]
    {
        let Some(name) = node.get_optional(param)? else { continue };
        if let Some(absent) = node.services().find::<AbsentModel>(name) {
            let (node_name, why) = (node.name(), &absent.why);
            let message = format!("`{node_name}` {instead}, without the model `{name}`: {why}");
            let warning = Diagnostic::warning(Code::BadFile, message).of_node(node.name());
            warnings.push(warning.hint(absent.hint()));
        }
    }
    Ok(warnings)
}

/// The body, if a model is asked anything.
pub(super) fn build(node: &Node<'_>) -> Result<Option<Body>, Diagnostics> {
    let (hears, judges) = (service(node, &MODEL)?, service(node, &TURN_MODEL)?);
    if hears.is_none() && judges.is_none() {
        return Ok(None);
    }
    Ok(Some(Body::call(SpeechCall::of(node, hears, judges)?)))
}

/// The model that a parameter names, if one is named and is there.
fn service<'a>(
    node: &Node<'a>,
    param: &Param<&'static str>,
) -> Result<Option<&'a ModelService>, Diagnostics> {
    let Some(name) = node.get_optional(param)? else { return Ok(None) };
    if node.services().find::<AbsentModel>(name).is_some() {
        return Ok(None);
    }
    model_of(node, param).map(Some)
}

fn within(node: &Node<'_>) -> Result<Duration, Diagnostic> {
    Ok(Duration::from_secs_f64(node.get(&WITHIN_MS)? / 1e3))
}

fn terms(node: &Node<'_>) -> Result<Terms, Diagnostic> {
    Ok(Terms { within: Some(within(node)?), ..Terms::default() })
}

fn gather(node: &Node<'_>) -> Result<Duration, Diagnostic> {
    Ok(Duration::from_secs_f64(node.get(&GATHER_MS)? / 1e3))
}

/// Where a model of Silero's takes and gives what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Slots {
    sound: usize,
    state: usize,
    probability: usize,
    next_state: usize,
    /// Samples of a chunk, and of what stands in front of it.
    chunk: usize,
    context: usize,
    /// Numbers of the state of one stream: two layers, of so many together.
    state_len: usize,
}

/// Layers of the net whose state goes from chunk to chunk.
const LAYERS: usize = 2;

impl Slots {
    fn of(node: &Node<'_>, service: &ModelService) -> Result<Self, Diagnostics> {
        check_rate(node, &[16_000.0, 8_000.0])?;
        let (chunk, context) = if node.rate_hz("in") == 16_000.0 { (512, 64) } else { (256, 32) };
        let signature = service.model.signature();
        let wrong = || {
            let message = format!(
                "`{}` is no model of Silero VAD, version 5 or 6: it is {signature}",
                service.model.name()
            );
            let problem = node.problem(Code::FormatMismatch, MODEL.name(), message);
            problem.hint("name a file such as silero_vad.onnx, or leave `model` out")
        };
        let is_sound = |slot: &Slot| {
            let fits = |len: &Option<usize>| len.is_none_or(|len| len == chunk + context);
            let floats = slot.element == Element::F32;
            floats && slot.shape.len() == 2 && fits(&slot.shape[1])
        };
        let is_state = |slot: &Slot| {
            let layers = slot.shape.first() == Some(&Some(LAYERS));
            slot.element == Element::F32 && slot.shape.len() == 3 && layers
        };
        let place = |slots: &[Slot], is: &dyn Fn(&Slot) -> bool| slots.iter().position(is);
        let sound = place(&signature.inputs, &is_sound).ok_or_else(wrong)?;
        let state = place(&signature.inputs, &is_state).ok_or_else(wrong)?;
        let width = signature.inputs[state].shape[2].ok_or_else(wrong)?;
        let floats = |slot: &Slot| slot.element == Element::F32;
        let is_probability = |slot: &Slot| {
            floats(slot) && slot.shape.len() == 2 && slot.shape[1].is_none_or(|len| len == 1)
        };
        let probability = place(&signature.outputs, &is_probability).ok_or_else(wrong)?;
        let is_next = |slot: &Slot| floats(slot) && slot.shape.len() == 3;
        let next_state = place(&signature.outputs, &is_next).ok_or_else(wrong)?;
        let is_else = |(number, slot): (usize, &Slot)| {
            number != sound && number != state && !slot.shape.is_empty()
        };
        if signature.inputs.iter().enumerate().any(is_else) {
            return Err(wrong().into());
        }
        let state_len = LAYERS * width;
        Ok(Self { sound, state, probability, next_state, chunk, context, state_len })
    }
}

/// Where a model of turns takes sound.
#[derive(Clone, Debug, PartialEq, Eq)]
struct TurnSlots {
    sound: usize,
    shape: Vec<usize>,
    /// Samples that it takes.
    samples: usize,
}

impl TurnSlots {
    fn of(node: &Node<'_>, service: &ModelService) -> Result<Self, Diagnostics> {
        let signature = service.model.signature();
        let name = service.model.name();
        let wrong = |why: String| {
            let message = format!("`{name}` cannot judge turns: {why}");
            let problem = node.problem(Code::FormatMismatch, TURN_MODEL.name(), message);
            problem.hint("it takes samples of sound and gives how likely the turn is over, 0 to 1")
        };
        let free = |slot: &Slot| !service.fixed.iter().any(|(fixed, _)| *fixed == slot.name);
        let is_sound = |slot: &Slot| slot.element == Element::F32 && free(slot);
        let sound = signature.inputs.iter().position(is_sound);
        let sound = sound.ok_or_else(|| wrong(format!("it is {signature}")))?;
        let slot = &signature.inputs[sound];
        let lens = slot.question();
        let any = (TURN_S * node.rate_hz("in")) as usize;
        let open = lens.iter().filter(|len| len.is_none()).count();
        let long = lens.iter().flatten().filter(|&&len| len > 1).count();
        if open + long != 1 {
            return Err(wrong(format!("its input `{slot}` takes no row of samples")).into());
        }
        let shape: Vec<usize> = lens.iter().map(|len| len.unwrap_or(any)).collect();
        let samples = shape.iter().product();
        if samples > 60 * any {
            let why = format!("its input `{slot}` takes more than {} samples", 60 * any);
            return Err(wrong(why).into());
        }
        if let Some(output) = signature.outputs[0].count().filter(|count| !matches!(count, 1 | 2)) {
            return Err(wrong(format!("it gives {output} numbers")).into());
        }
        Ok(Self { sound, shape, samples })
    }
}

/// The way to a model cannot be made.
fn unfed(node: &Node<'_>, param: &Param<&'static str>, why: String) -> Diagnostic {
    let problem = node.problem(Code::MissingParameter, param.name(), why);
    problem.hint("write such as `fixed = { sr = 16000 }` in its section")
}

/// What stands in the inputs of a model that nobody feeds: what the graph says, else the rate in scalars.
fn fixed(service: &ModelService, rate_hz: f64) -> Vec<(String, f64)> {
    let mut fixed = service.fixed.clone();
    for slot in &service.model.signature().inputs {
        if !fixed.iter().any(|(name, _)| *name == slot.name) && slot.shape.is_empty() {
            fixed.push((slot.name.clone(), rate_hz));
        }
    }
    fixed
}

/// How a chunk is put to Silero, and what is read of the answer.
fn way(
    node: &Node<'_>,
    service: &ModelService,
    slots: Slots,
    read: Box<dyn crate::host::Rowwise>,
) -> Result<Way, Diagnostics> {
    let signature = service.model.signature();
    let mut fixed = fixed(service, node.rate_hz("in"));
    fixed.push((signature.inputs[slots.state].name.clone(), 0.0));
    let shape = vec![slots.context + slots.chunk];
    let way = Way::new(signature, slots.sound, shape, &fixed, read);
    let way = way.map_err(|why| unfed(node, &MODEL, why))?;
    Ok(way.feeding(&[slots.state]).gathering(gather(node)?))
}

/// Samples of a chunk where the net in the program hears it.
const fn own_chunk() -> usize {
    detector::CHUNK
}

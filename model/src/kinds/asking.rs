//! What all kinds that ask a model share: its input, how questions are cut, how long to wait.

use std::{sync::Arc, time::Duration};

use engine::{
    Answer, Call, Code, Diagnostic, Diagnostics, Dimension, Fault, Format, Frame, GapNotice, Io,
    Node, Param, Reply,
};

use crate::{
    host::{ModelService, Rowwise, Way},
    signature::{Element, Slot},
};

use super::cut::{Cut, Layout, Order, Pieces, Scale};

pub(super) const MODEL: Param<&str> =
    Param::required("model", "The model to ask, as in `[model.NAME]`.");
pub(super) const INPUT: Param<&str> = Param::optional(
    "input",
    "The model's input that gets the questions; the first that `fixed` does not fill, unless written.",
);
pub(super) const WINDOW_S: Param<f64> = Param::optional(
    "window_s",
    "Length of the pieces of a signal; as many samples as the model takes, unless written.",
)
.within(1e-4, 86_400.0);
pub(super) const HOP_S: Param<f64> =
    Param::optional("hop_s", "From one piece to the next; a whole one unless written.")
        .within(1e-4, 86_400.0);
pub(super) const LAYOUT: Param<&str> = Param::with_default(
    "layout",
    "auto",
    "Order of a question's numbers: \"channels_first\" or \"channels_last\"; \"auto\" goes by the model's \
     shape.",
)
.one_of(&["auto", "channels_first", "channels_last"]);
pub(super) const NORMALIZE: Param<&str> = Param::with_default(
    "normalize",
    "none",
    "What is done to each channel of a question: \"zscore\" to mean 0 and deviation 1, \"range\" to 0 to \
     1, \"peak\" to a largest magnitude of 1, \"given\" less `mean` over `std`.",
)
.one_of(&["none", "zscore", "range", "peak", "given"]);
pub(super) const MEAN: Param<&[f64]> = Param::with_default(
    "mean",
    &[0.0] as &[f64],
    "With \"given\": what is taken off each channel; the last holds for all further ones.",
)
.within(-1e12, 1e12);
pub(super) const STD: Param<&[f64]> = Param::with_default(
    "std",
    &[1.0] as &[f64],
    "With \"given\": what each channel is divided by; the last holds for all further ones.",
)
.within(1e-12, 1e12);
pub(super) const WITHIN_MS: Param<f64> =
    Param::optional("within_ms", "How long an answer may take; else it is dropped as late.")
        .within(0.01, 600_000.0);
pub(super) const IN_FLIGHT: Param<i64> =
    Param::with_default("in_flight", 8, "Most questions open at once.").within(1.0, 4_096.0);

/// Numbers of a question, at most.
const NUMBERS_MAX: usize = 64 << 20;

/// A node's questions, checked against its model.
pub(super) struct Planned {
    pub(super) service: ModelService,
    /// Nanoseconds of signal in a question; 0 for tensors and pictures.
    pub(super) span_ns: i64,
    input: usize,
    shape: Vec<usize>,
    cut: Cut,
    order: Order,
    in_flight: usize,
    within: Option<Duration>,
    /// Questions a second to expect.
    pub(super) rate_max: f64,
}

impl Planned {
    pub(super) fn of(node: &Node<'_>) -> Result<Self, Diagnostics> {
        let service = node.service::<ModelService>(&MODEL)?.clone();
        let input = input(node, &service)?;
        let slot = service.model.signature().inputs[input].clone();
        let scale = scale(node)?;
        let (channels, len, cut, span_ns, rate_max) = match node.input("in") {
            Format::Signal(signal) => {
                let channels = signal.channels.len();
                let rate = signal.rate;
                let len = match node.get_optional(&WINDOW_S)? {
                    Some(seconds) => whole(node, WINDOW_S.name(), seconds * rate.hz())?,
                    None => len_of(node, &slot, channels)?,
                };
                let hop = match node.get_optional(&HOP_S)? {
                    Some(seconds) => whole(node, HOP_S.name(), seconds * rate.hz())?,
                    None => len,
                };
                let pieces = Cut::Pieces(Pieces::new(channels, len, hop));
                (channels, len, pieces, rate.span_ns(len as i64), rate.hz() / hop as f64)
            }
            Format::Tensor(tensor) => {
                let fixed = |dimension: &Dimension| match dimension {
                    Dimension::Fixed(len) => Some(*len),
                    Dimension::Open { .. } => None,
                };
                let shape: Option<Vec<usize>> = tensor.shape.iter().map(fixed).collect();
                let (Some(shape), engine::Element::F32) = (shape, tensor.element) else {
                    let what = format!("a model takes f32 of one shape, not {}", node.input("in"));
                    return Err(misfit(node, what, "give it pieces of one length").into());
                };
                let channels = if shape.len() > 1 { shape[0] } else { 1 };
                let len = shape.iter().product::<usize>() / channels.max(1);
                (channels, len, Cut::Tensor, 0, node.input("in").frames_per_second())
            }
            Format::Image(image) => {
                let channels = match image.pixel {
                    engine::Pixel::Gray8 => 1,
                    engine::Pixel::Rgb8 => 3,
                };
                (channels, image.width * image.height, Cut::Picture, 0, image.rate.hz())
            }
            Format::Event(_) => {
                let what = "a model takes signals, tensors or pictures, not events".to_owned();
                let hint = "take pieces around events with `epoch`, and ask about those";
                return Err(misfit(node, what, hint).into());
            }
        };
        let layout = layout(node, &slot, channels, len)?;
        let shape = shape(node, &slot, channels, len, layout)?;
        let within = node.get_optional(&WITHIN_MS)?;
        Ok(Self {
            service,
            span_ns,
            input,
            shape,
            cut,
            order: Order { channels, layout, scale },
            in_flight: node.get(&IN_FLIGHT)? as usize,
            within: within.map(|ms| Duration::from_secs_f64(ms / 1e3)),
            rate_max,
        })
    }

    /// The numbers of output `number` for one question, if that is known.
    pub(super) fn outputs(&self) -> &[Slot] {
        &self.service.model.signature().outputs
    }

    /// The call, which reads answers like this.
    pub(super) fn call(
        self,
        node: &Node<'_>,
        read: Box<dyn Rowwise>,
    ) -> Result<ModelCall, Diagnostic> {
        let signature = self.service.model.signature();
        let way = Way::new(signature, self.input, self.shape, &self.service.fixed, read);
        let way = way.map_err(|why| {
            let message = format!("`{}` cannot be asked: {why}", self.service.model.name());
            let problem = node.problem(Code::MissingParameter, MODEL.name(), message);
            problem.hint("write such as `fixed = { sr = 16000 }` in its section")
        })?;
        Ok(ModelCall {
            service: self.service,
            way: Arc::new(way),
            cut: self.cut,
            order: self.order,
            in_flight: self.in_flight,
            within: self.within,
        })
    }
}

/// The model's input that a node feeds.
fn input(node: &Node<'_>, service: &ModelService) -> Result<usize, Diagnostic> {
    let inputs = &service.model.signature().inputs;
    let known = || inputs.iter().map(|slot| slot.name.as_str());
    let found = match node.get_optional(&INPUT)? {
        Some(name) => inputs.iter().position(|slot| slot.name == name).ok_or_else(|| {
            let message = format!("the model has no input `{name}`");
            let problem = node.problem(Code::UnknownPort, INPUT.name(), message);
            let all: Vec<&str> = known().collect();
            let problem = problem.hint(format!("its inputs are `{}`", all.join("`, `")));
            problem.did_you_mean(engine::nearest(name, known()))
        })?,
        None => {
            let is_free = |slot: &Slot| !service.fixed.iter().any(|(name, _)| *name == slot.name);
            inputs.iter().position(is_free).ok_or_else(|| {
                let message = "`fixed` fills every input of the model";
                node.problem(Code::OutOfRange, MODEL.name(), message).hint("leave one input free")
            })?
        }
    };
    if inputs[found].element == Element::Other {
        let message =
            format!("the model's input `{}` takes neither f32 nor i64", inputs[found].name);
        let problem = node.problem(Code::FormatMismatch, MODEL.name(), message);
        return Err(problem.hint("export the model with an input of f32"));
    }
    Ok(found)
}

fn scale(node: &Node<'_>) -> Result<Scale, Diagnostic> {
    Ok(match node.get(&NORMALIZE)? {
        "zscore" => Scale::Zscore,
        "range" => Scale::Range,
        "peak" => Scale::Peak,
        "given" => Scale::Given { mean: node.get(&MEAN)?, std: node.get(&STD)? },
        _ => Scale::None,
    })
}

fn whole(node: &Node<'_>, param: &'static str, samples: f64) -> Result<usize, Diagnostic> {
    // Past a rounding of the product, half a sample means something else than was written.
    let len = samples.round();
    if !(1.0..=1e7).contains(&len) {
        let message = format!("`{param}` is {samples} samples, not 1 to 10000000");
        return Err(node.problem(Code::OutOfRange, param, message).hint("choose another length"));
    }
    Ok(len as usize)
}

/// Samples of each channel that the model takes at once.
fn len_of(node: &Node<'_>, slot: &Slot, channels: usize) -> Result<usize, Diagnostic> {
    let is_length = |&count: &usize| count > 0 && count.is_multiple_of(channels);
    let count = slot.count().filter(|&count| count <= NUMBERS_MAX).filter(is_length);
    count.map(|count| count / channels).ok_or_else(|| match slot.count() {
        Some(count) => {
            let what = format!("the model's input `{slot}` takes {count} numbers, which {channels} channels cannot share");
            misfit(node, what, "pick the channels it was made for, as in `from = \"ecg[MLII]\"`")
        }
        None => {
            let what = format!("the model's input `{slot}` takes pieces of any length");
            misfit(node, what, "say which: `window_s`")
        }
    })
}

fn misfit(node: &Node<'_>, what: String, hint: &str) -> Diagnostic {
    let input = node.inputs().first();
    let problem = Diagnostic::error(Code::FormatMismatch, what);
    problem
        .at(&input.and_then(|input| input.place.clone()))
        .of_node(node.name())
        .hint(hint.to_owned())
}

/// Lengths of more than one, as far as they are known.
fn long(lens: &[Option<usize>]) -> Vec<Option<usize>> {
    lens.iter().copied().filter(|len| *len != Some(1)).collect()
}

fn layout(node: &Node<'_>, slot: &Slot, channels: usize, len: usize) -> Result<Layout, Diagnostic> {
    Ok(match node.get(&LAYOUT)? {
        "channels_first" => Layout::ChannelsFirst,
        "channels_last" => Layout::ChannelsLast,
        _ => {
            // Only where the last length can be the channels, and the first cannot.
            let question = slot.question();
            let fits = |known: Option<&Option<usize>>, len: usize| {
                known.is_some_and(|known| known.is_none_or(|known| known == len))
            };
            let is_last = channels > 1
                && question.len() > 1
                && fits(question.last(), channels)
                && !(fits(question.first(), channels) && question.first() != question.last())
                && (question.first() != question.last() || channels != len);
            if is_last { Layout::ChannelsLast } else { Layout::ChannelsFirst }
        }
    })
}

/// The shape of a question for that input, if it fits.
fn shape(
    node: &Node<'_>,
    slot: &Slot,
    channels: usize,
    len: usize,
    layout: Layout,
) -> Result<Vec<usize>, Diagnostic> {
    let count = channels * len;
    let question = slot.question();
    let known = question.iter().flatten().try_fold(1_usize, |known, &len| known.checked_mul(len));
    // Too many to be counted are more than any question has.
    let known = known.unwrap_or(usize::MAX);
    let open = question.iter().filter(|len| len.is_none()).count();
    let fits = match open {
        0 => known == count,
        1 => known > 0 && count.is_multiple_of(known),
        // Two lengths that are open are the two that are there.
        _ => long(&question).len() == 2 && known == 1,
    };
    let (first, last) = match layout {
        Layout::ChannelsFirst => (channels, len),
        Layout::ChannelsLast => (len, channels),
    };
    if !fits {
        let got = if channels == 1 { format!("{len}") } else { format!("{first} × {last}") };
        let what = format!("the model's input `{slot}` does not take {got} numbers a question");
        let hint = match (slot.count(), node.input("in")) {
            (Some(want), Format::Signal(signal)) if want.is_multiple_of(channels) => {
                let want = want / channels;
                let seconds = want as f64 / signal.rate.hz();
                format!(
                    "it wants {want} samples of each channel: `window_s = {seconds:?}` at this rate, or bring the signal to the model's rate with `resample`"
                )
            }
            (Some(want), _) => format!("it wants {want} numbers"),
            (None, _) => "change `window_s`, or the channels".to_owned(),
        };
        return Err(misfit(node, what, &hint));
    }
    let mut opens = [first, last].into_iter();
    Ok(question
        .iter()
        .map(|known_len| match (known_len, open) {
            (Some(len), _) => *len,
            (None, 1) => count / known,
            (None, _) => opens.next().expect("two are open"),
        })
        .collect())
}

/// Asks a model.
pub(super) struct ModelCall {
    service: ModelService,
    way: Arc<Way>,
    cut: Cut,
    order: Order,
    in_flight: usize,
    within: Option<Duration>,
}

impl Call for ModelCall {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        self.cut.process(io, &self.order);
        Ok(())
    }

    fn gap(&mut self, gap: &GapNotice) {
        self.cut.gap(gap);
    }

    fn ask(&mut self, question: &Frame, reply: Reply) -> Result<(), Fault> {
        self.service.model.ask(&self.way, question.buffer().clone(), reply);
        Ok(())
    }

    fn in_flight(&self) -> usize {
        self.in_flight
    }

    fn deadline(&self) -> Option<Duration> {
        self.within
    }

    fn fallback(&mut self, _: &Frame) -> Option<Answer> {
        None
    }
}

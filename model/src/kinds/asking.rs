//! What all kinds that ask a model share: its input, how questions are cut, how long to wait.

use std::{
    sync::{Arc, atomic::AtomicI64},
    time::Duration,
};

use engine::{Code, Diagnostic, Diagnostics, Dimension, Format, Node, Outline, Param};

use crate::{
    host::{ModelService, Priority, Quality, Rows},
    signature::{Element, Signature, Slot},
    transcription::SpeechModel,
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
pub(super) const GROW_S: Param<f64> = Param::optional(
    "grow_s",
    "Ask about a piece already when so much of it is there, and again for each further so much.",
)
.within(1e-4, 86_400.0);
pub(super) const LAYOUT: Param<&str> = Param::with_default(
    "layout",
    "auto",
    "Order of a question's numbers: \"channels_first\" or \"channels_last\"; \"auto\" goes by the model's \
     shape.",
)
.one_of(&["auto", "channels_first", "channels_last"]);
pub(super) const COLOURS: Param<&str> = Param::with_default(
    "colours",
    "rgb",
    "Order of a picture's colours in a question: \"rgb\", or \"bgr\", as OpenCV has them.",
)
.one_of(&["rgb", "bgr"]);
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
pub(super) const WITHIN_MS: Param<f64> = Param::with_default(
    "within_ms",
    60_000.0,
    "How long an answer may take; else it is dropped as late.",
)
.within(0.01, 600_000.0)
.live();
pub(super) const PRIORITY: Param<&str> = Param::with_default(
    "priority",
    "normal",
    "Which questions go first: \"high\", \"normal\" or \"low\", which waits for all others, or rides in their \
     runs where that costs nothing.",
)
.one_of(Priority::NAMES)
.live();
pub(super) const IN_FLIGHT: Param<i64> =
    Param::with_default("in_flight", 8, "Most questions open at once.").within(1.0, 4_096.0).live();

pub(super) const QUALITY: Param<Quality> = Param::optional(
    "quality",
    "Of a model with `variants`, the one to ask: from 0, the cheapest, to 1, the most accurate, or \"auto\", \
     the most accurate whose answer is expected in time; as its section says, unless written.",
)
.within(0.0, 1.0)
.live();
pub(super) const SESSION: Param<&str> = Param::optional(
    "session",
    "What the session is called where a model's `ab` and `shadow` take a share of the sessions, such as a \
     person's pseudonym: who has the same name is answered by the same model, after a restart and on another \
     host, too. Its number within the run, from 0, unless written.",
);

/// Numbers of a question, at most.
const NUMBERS_MAX: usize = 64 << 20;

/// What a node's questions are made of, whoever is asked.
pub(super) struct Made {
    /// Channels, and the lengths of each, in the order of the frames.
    pub(super) lens: Vec<usize>,
    pub(super) cut: Cut,
    /// Nanoseconds of signal in a question; 0 for tensors and pictures.
    pub(super) span_ns: i64,
    /// Questions a second to expect.
    pub(super) rate_max: f64,
}

impl Made {
    /// For an input of a model, or for none that is there.
    pub(super) fn of(node: &Node<'_>, slot: Option<&Slot>) -> Result<Self, Diagnostics> {
        let (lens, cut, span_ns, rate_max) = match node.input("in") {
            Format::Signal(signal) => {
                let channels = signal.channels.len();
                let rate = signal.rate;
                let len = match (node.get_optional(&WINDOW_S)?, slot) {
                    (Some(seconds), _) => whole(node, WINDOW_S.name(), seconds * rate.hz())?,
                    (None, Some(slot)) => len_of(node, slot, channels)?,
                    (None, None) => {
                        let what =
                            "only the model knows how long its pieces are, and it cannot be used";
                        return Err(misfit(node, what.to_owned(), "say it: `window_s`").into());
                    }
                };
                let hop = match node.get_optional(&HOP_S)? {
                    Some(seconds) => whole(node, HOP_S.name(), seconds * rate.hz())?,
                    None => len,
                };
                let mut pieces = Pieces::new(channels, len, hop);
                if grows(node)? {
                    let step = node.get_optional(&GROW_S)?.unwrap_or_default();
                    let step = whole(node, GROW_S.name(), step * rate.hz())?;
                    if hop < len {
                        let message = "pieces that grow may not overlap";
                        let problem = node.problem(Code::OutOfRange, GROW_S.name(), message);
                        let hint = "write `hop_s` at least as long as the piece, or leave it out";
                        return Err(problem.hint(hint).into());
                    }
                    pieces = pieces.growing(step);
                }
                let pieces = Cut::Pieces(pieces);
                let rate_max = rate.hz() / hop as f64;
                (vec![channels, len], pieces, rate.span_ns(len as i64), rate_max)
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
                let mut lens = if shape.len() > 1 { shape } else { [vec![1], shape].concat() };
                let len: usize = lens[1..].iter().product();
                // For a model of one channel the first counts, as for a kind that looks at one.
                if slot.is_some_and(|slot| slot.count() == Some(len)) {
                    lens[0] = 1;
                }
                let numbers = lens[0].saturating_mul(len);
                (lens, Cut::Tensor { numbers }, 0, node.input("in").frames_per_second())
            }
            Format::Image(image) => {
                let channels = match image.pixel {
                    engine::Pixel::Gray8 => 1,
                    engine::Pixel::Rgb8 => 3,
                };
                (vec![channels, image.height, image.width], Cut::Picture, 0, image.rate.hz())
            }
            Format::Event(_) => {
                let what = "a model takes signals, tensors or pictures, not events".to_owned();
                let hint = "take pieces around events with `epoch`, and ask about those";
                return Err(misfit(node, what, hint).into());
            }
        };
        Ok(Self { lens, cut, span_ns, rate_max })
    }
}

/// A node's questions, checked against its model.
pub(super) struct Planned {
    pub(super) service: ModelService,
    /// Nanoseconds of signal in a question; 0 for tensors and pictures.
    pub(super) span_ns: i64,
    pub(super) input: usize,
    /// Lengths of a question, in the model's order.
    pub(super) shape: Vec<usize>,
    pub(super) cut: Cut,
    pub(super) order: Order,
    pub(super) in_flight: usize,
    pub(super) within: Duration,
    pub(super) priority: Priority,
    pub(super) quality: Option<Quality>,
    /// Name of the session, for splits.
    pub(super) session: String,
    /// Questions a second to expect.
    pub(super) rate_max: f64,
    /// That of several channels one is looked at, or a knob moves nothing.
    warnings: Vec<Diagnostic>,
    /// How the model is asked row by row, where its file fixes how many questions a run has.
    pub(super) rows: Option<Arc<Rows>>,
    /// The moment of the piece that was told last, where pieces are asked about as they grow.
    pub(super) told: Option<Arc<AtomicI64>>,
}

/// The model that a parameter names.
///
/// # Errors
/// As [`Node::service`]; and if it is one of speech.
pub(super) fn model_of<'a>(
    node: &Node<'a>,
    param: &Param<&'static str>,
) -> Result<&'a ModelService, Diagnostics> {
    let name = node.get(param)?;
    if node.services().find::<SpeechModel>(name).is_some() {
        let message =
            format!("`{name}` is a Whisper model in ggml format, which understands speech");
        let problem = node.problem(Code::FormatMismatch, param.name(), message);
        let hint =
            format!("name an ONNX file in [model.{name}]; such models are asked by `transcribe`");
        return Err(problem.hint(hint).into());
    }
    node.service(param)
}

impl Planned {
    pub(super) fn of(node: &Node<'_>) -> Result<Self, Diagnostics> {
        let service = model_of(node, &MODEL)?.clone();
        let input = input(node, &service)?;
        let whole = Fitted::of(node, &service.model.signature().inputs[input]);
        // What has the lengths of the input is one question, even where its first dimension could count them.
        let is_one =
            whole.as_ref().is_ok_and(|fitted| fitted.is_exact(service.model.signature(), input));
        let rows = if is_one { None } else { service.by_rows(input) };
        let by_rows = rows.and_then(|rows| {
            let fitted = Fitted::of(node, &rows.signature.inputs[input]).ok()?;
            Some((fitted, Some(rows)))
        });
        let (fitted, rows) = by_rows.map_or_else(|| whole.map(|fitted| (fitted, None)), Ok)?;
        let Fitted { made: Made { lens, cut, span_ns, rate_max }, layout, shape } = fitted;
        let (channels, scale) = (lens[0], scale(node)?);
        let warnings = [
            of_several_rows(node, &lens),
            of_no_variants(node, &service)?,
            of_too_many(node, &service, rate_max),
        ];
        let warnings = warnings.into_iter().flatten().collect();
        Ok(Self {
            service,
            span_ns,
            input,
            shape,
            cut,
            order: Order { channels, layout, scale, is_bgr: node.get(&COLOURS)? == "bgr" },
            in_flight: node.get(&IN_FLIGHT)? as usize,
            within: Duration::from_secs_f64(node.get(&WITHIN_MS)? / 1e3),
            priority: Priority::named(node.get(&PRIORITY)?),
            rate_max,
            rows,
            quality: node.get_optional(&QUALITY)?,
            session: match node.get_optional(&SESSION)? {
                Some(name) => name.to_owned(),
                None => node.session().to_string(),
            },
            warnings,
            told: grows(node)?.then(|| Arc::new(AtomicI64::new(i64::MIN))),
        })
    }

    /// Height and width of a question that is a picture, or laid out like one.
    pub(super) fn size(&self) -> Option<(usize, usize)> {
        match (self.order.layout, &self.shape[..]) {
            (Layout::ChannelsFirst, [.., height, width])
            | (Layout::ChannelsLast, [.., height, width, _]) => Some((*height, *width)),
            _ => None,
        }
    }

    /// What the node gives, in this format.
    pub(super) fn outline(self, format: Format) -> Outline {
        let speed = self.service.speed;
        let answer_ns = speed.map_or(0, |speed| (speed.latency_ms * 1e6) as i64);
        let mut outline =
            Outline::of([format]).looking_back(self.span_ns).answering_after(answer_ns);
        outline.warnings.extend(self.warnings);
        outline
    }

    /// What the model gives.
    pub(super) fn outputs(&self) -> &[Slot] {
        let whole = self.service.model.signature();
        &self.rows.as_ref().map_or(whole, |rows| &rows.signature).outputs
    }
}

/// Warns where a signal or a camera brings more questions than the model has answered in a second.
fn of_too_many(node: &Node<'_>, service: &ModelService, asked_per_s: f64) -> Option<Diagnostic> {
    let answered_per_s = service.speed?.per_s?;
    let comes_steadily = matches!(node.input("in"), Format::Signal(_) | Format::Image(_));
    if !comes_steadily || service.cache.is_some() || asked_per_s <= answered_per_s {
        return None;
    }
    let message = format!(
        "`{}` asks {asked_per_s:.0} questions a second; by its profile the model answers {answered_per_s:.0}",
        node.name()
    );
    let hint =
        "ask less often (a longer `hop_s`), or a faster model: `variants`, int8, early exits";
    Some(Diagnostic::warning(Code::Outrun, message).at(node.place(HOP_S.name())).hint(hint))
}

/// Questions as an input takes them.
struct Fitted {
    made: Made,
    layout: Layout,
    /// Lengths of a question, in the model's order.
    shape: Vec<usize>,
}

impl Fitted {
    fn of(node: &Node<'_>, slot: &Slot) -> Result<Self, Diagnostics> {
        let made = Made::of(node, Some(slot))?;
        let (channels, len) = (made.lens[0], made.lens[1..].iter().product());
        let layout = layout(node, slot, channels, len)?;
        let shape = shape(node, slot, &made.lens, layout)?;
        Ok(Self { made, layout, shape })
    }

    /// Whether what comes has the lengths of the input one by one, not only as many numbers.
    fn is_exact(&self, signature: &Signature, input: usize) -> bool {
        let slot = &signature.inputs[input];
        let long =
            |lens: &[usize]| lens.iter().copied().filter(|&len| len != 1).collect::<Vec<_>>();
        let (mut given, mut taken) = (long(&self.made.lens), long(&self.shape));
        if self.layout == Layout::ChannelsLast {
            given.sort_unstable();
            taken.sort_unstable();
        }
        slot.batch_axis().is_none() && given == taken
    }
}

/// Whether pieces are asked about as they grow.
fn grows(node: &Node<'_>) -> Result<bool, Diagnostic> {
    let knows = node.kind().params.iter().any(|param| param.name() == GROW_S.name());
    if !knows || node.get_optional(&GROW_S)?.is_none() {
        return Ok(false);
    }
    if matches!(node.input("in"), Format::Signal(_)) {
        return Ok(true);
    }
    let message = "only pieces of a signal grow";
    let problem = node.problem(Code::OutOfRange, GROW_S.name(), message);
    Err(problem.hint("leave `grow_s` out, or give the node the signal itself"))
}

/// That only the first row of tensors is looked at, if it is so.
fn of_several_rows(node: &Node<'_>, lens: &[usize]) -> Option<Diagnostic> {
    let Format::Tensor(tensor) = node.input("in") else { return None };
    let [Dimension::Fixed(rows), _, ..] = tensor.shape[..] else { return None };
    let message = format!("`{}` looks at the first of {rows} channels", node.name());
    let place = node.inputs().first().and_then(|input| input.place.clone());
    let warning = Diagnostic::warning(Code::NoEffect, message).at(&place);
    let hint = "the model takes one; pick it where the pieces come from: `from = \"NODE[CHANNEL]\"`, with the name \
                or the number of the channel";
    (lens[0] < rows).then(|| warning.hint(hint))
}

/// That `quality` moves nothing, if it is so.
fn of_no_variants(
    node: &Node<'_>,
    service: &ModelService,
) -> Result<Option<Diagnostic>, Diagnostic> {
    if node.get_optional(&QUALITY)?.is_none() || service.variants().len() > 1 {
        return Ok(None);
    }
    let name = node.get(&MODEL)?;
    let message = format!("`quality` moves nothing: the model `{name}` has one variant");
    let warning = Diagnostic::warning(Code::NoEffect, message).at(node.place(QUALITY.name()));
    let hint = format!("name several in `variants` of `[model.{name}]`, or leave `quality` out");
    Ok(Some(warning.of_node(node.name()).hint(hint)))
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
        Some(count) if count > NUMBERS_MAX => {
            let what = format!("the model's input `{slot}` takes more than {NUMBERS_MAX} numbers");
            misfit(node, what, "export the model with a shorter input")
        }
        Some(count) => {
            let what = format!("the model's input `{slot}` takes {count} numbers, which {channels} channels cannot share");
            misfit(node, what, "pick the channels it was made for: `from = \"NODE[CHANNEL]\"`")
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

fn layout(node: &Node<'_>, slot: &Slot, channels: usize, len: usize) -> Result<Layout, Diagnostic> {
    Ok(match node.get(&LAYOUT)? {
        "channels_first" => Layout::ChannelsFirst,
        "channels_last" => Layout::ChannelsLast,
        _ => {
            let is_last = are_channels_last(&slot.question(), channels, len);
            if is_last { Layout::ChannelsLast } else { Layout::ChannelsFirst }
        }
    })
}

/// Whether so many channels of so many numbers can only lie moment by moment in this shape.
fn are_channels_last(question: &[Option<usize>], channels: usize, len: usize) -> bool {
    let [first, .., last] = question else { return false };
    let is_there = *last == Some(channels) || (last.is_none() && *first == Some(len));
    channels > 1 && *first != Some(channels) && is_there
}

/// The shape of a question for that input, if it fits.
fn shape(
    node: &Node<'_>,
    slot: &Slot,
    lens: &[usize],
    layout: Layout,
) -> Result<Vec<usize>, Diagnostic> {
    let (channels, rest) = (lens[0], &lens[1..]);
    let given = match layout {
        Layout::ChannelsFirst => lens.to_vec(),
        Layout::ChannelsLast => [rest, &[channels]].concat(),
    };
    if let Some(shape) = fitted(&slot.question(), &given) {
        return Ok(shape);
    }
    let got: Vec<String> = given.iter().filter(|&&len| len != 1).map(usize::to_string).collect();
    let got = if got.is_empty() { "1".to_owned() } else { got.join(" × ") };
    let what = format!("the model's input `{slot}` does not take {got} numbers a question");
    let hint = match (slot.count(), node.input("in")) {
        (Some(want), Format::Signal(signal)) if want.is_multiple_of(channels) => {
            let want = want / channels;
            let seconds = want as f64 / signal.rate.hz();
            format!(
                "it wants {want} samples of each channel: `window_s = {seconds:?}` at this rate, or bring the signal to the model's rate with `resample`"
            )
        }
        (Some(want), Format::Signal(_)) => format!("it wants {want} numbers"),
        _ => "bring it to the lengths of the model, in their order".to_owned(),
    };
    Err(misfit(node, what, &hint))
}

/// The lengths of a question for an input of this shape, if what is given has them: the same one after the other
/// but for those of one, or, for an input with one length or a signal of one channel, as many numbers.
fn fitted(question: &[Option<usize>], given: &[usize]) -> Option<Vec<usize>> {
    let count = given.iter().try_fold(1_usize, |count, &len| count.checked_mul(len))?;
    let wanted = question.iter().filter(|len| **len != Some(1)).count();
    let long: Vec<usize> = given.iter().copied().filter(|&len| len != 1).collect();
    if wanted > 1 && long.len() > 1 {
        let mut next = long.iter().copied();
        let lens = question.iter().map(|known| match known {
            Some(1) => Some(1),
            Some(known) => next.next().filter(|len| len == known),
            None => next.next(),
        });
        let lens: Vec<usize> = lens.collect::<Option<_>>()?;
        return next.next().is_none().then_some(lens);
    }
    let known =
        question.iter().flatten().try_fold(1_usize, |known, &len| known.checked_mul(len))?;
    let open = question.iter().filter(|len| len.is_none()).count();
    let is_whole = known > 0 && count.is_multiple_of(known);
    match open {
        0 if known == count => {}
        1 if is_whole => {}
        // Of two open lengths the first is that of the channels.
        2 if known == 1 && given.len() == 2 => {
            let mut next = given.iter().copied();
            return question.iter().map(|known| known.or_else(|| next.next())).collect();
        }
        _ => return None,
    }
    Some(question.iter().map(|len| len.unwrap_or(count / known)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_fit_one_after_the_other() {
        let fit = |question: &[i64], given: &[usize]| {
            let question: Vec<_> = question.iter().map(|&n| usize::try_from(n).ok()).collect();
            fitted(&question, given)
        };
        assert_eq!(fit(&[1, 3, 250], &[3, 250]), Some(vec![1, 3, 250]));
        assert_eq!(fit(&[3, -1], &[3, 250]), Some(vec![3, 250]));
        assert_eq!(fit(&[-1, -1], &[1, 250]), Some(vec![1, 250]));
        assert_eq!(fit(&[1, 1, 64, 128], &[64, 128]), Some(vec![1, 1, 64, 128]));
        // All in one row, or one channel as the model likes it.
        assert_eq!(fit(&[750], &[3, 250]), Some(vec![750]));
        assert_eq!(fit(&[16, 16], &[1, 256]), Some(vec![16, 16]));
        // As many numbers in another order are others.
        assert_eq!(fit(&[3, 240, 320], &[3, 320, 240]), None);
        assert_eq!(fit(&[250, 3], &[3, 250]), None);
        assert_eq!(fit(&[3, 250, 2], &[3, 250]), None);
        assert_eq!(fit(&[i64::MAX, 4], &[1, 250]), None);
    }

    #[test]
    fn the_layout_goes_by_the_shape() {
        let last = |question: &[i64], channels, len| {
            let question: Vec<_> = question.iter().map(|&n| usize::try_from(n).ok()).collect();
            are_channels_last(&question, channels, len)
        };
        assert!(last(&[250, 3], 3, 250));
        assert!(last(&[-1, 3], 3, 250));
        assert!(last(&[250, -1], 3, 250));
        assert!(last(&[240, 320, 3], 3, 76_800));
        // The frames' own order, also where both would do.
        for question in [&[3, 250][..], &[3, -1], &[-1, 250], &[3, 3], &[750], &[3, 240, 320]] {
            assert!(!last(question, 3, 250), "{question:?}");
        }
        assert!(!last(&[250, 1], 1, 250));
    }
}

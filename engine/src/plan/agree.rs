//! Formats, agreed along every edge from the sources down.

use std::{ops::Range, sync::Arc};

use crate::{
    align::AlignSpec,
    format::{Format, SignalFormat},
    graph::{ChannelRef, Code, Diagnostic, Diagnostics, Place, Spanned, nearest},
    kind::{Input, Kind, Node, Outline, Passed, Policy, Port, Shape},
};

use super::{
    draft::{Draft, PlanOptions, nanos},
    hosts::carried,
    moves::{may_move, with_host},
    output_label,
    words::listed,
};

/// Nodes an input remembers to have passed.
const THROUGH_MAX: usize = 8;

impl Draft<'_> {
    /// Asks every kind for its outputs. What hangs on a node with a problem stays unasked.
    pub(super) fn agree(&mut self, options: &PlanOptions) {
        for number in 0..self.nodes.len() {
            if !self.nodes[number].sound {
                continue;
            }
            let before = self.problems.len();
            let Some(inputs) = self.inputs(number, options) else { continue };
            if self.problems.len() > before {
                continue;
            }
            self.nodes[number].inputs = inputs;
            match self.outline(number, options) {
                Ok(mut outline) => {
                    let node = &mut self.nodes[number];
                    if may_move(node.spec) {
                        let told = with_host(&outline.outputs);
                        node.own_outputs = Some(std::mem::replace(&mut outline.outputs, told));
                    }
                    let above = node.inputs.iter().map(|input| input.delay_ns).max().unwrap_or(0);
                    node.delay_ns = above.saturating_add(outline.delay_ns);
                    node.outline = Some(outline);
                }
                Err(problems) => self.problems.extend(problems.0),
            }
        }
    }

    /// What enters a node, picked and checked; `None` if that is not known.
    fn inputs(&mut self, number: usize, options: &PlanOptions) -> Option<Vec<Input>> {
        let edges = self.nodes[number].in_edges.clone();
        let mut inputs = Vec::with_capacity(edges.len());
        let mut known = true;
        for number in edges {
            let edge = &self.edges[number];
            let (node, port) = edge.from;
            let (producer, consumer) = (&self.nodes[node], &self.nodes[edge.to.0]);
            let Some(outline) = &producer.outline else {
                known = false;
                continue;
            };
            let kind = producer.kind.expect("only known kinds are planned");
            let carried = carried(options, &producer.spec.name.value);
            let label = match carried {
                Some(carried) => carried.edge.from.clone(),
                None => output_label(&producer.spec.name.value, kind, port),
            };
            let whole = &outline.outputs[port];
            let source = &edge.written.source;
            let delay_ns = producer.delay_ns;
            let (format, pick) = match &source.value.channels {
                None => (whole.clone(), None),
                Some(channels) => match pick(&label, whole, channels) {
                    Ok(picked) => picked,
                    Err(problem) => {
                        let problem = problem.at(&channels.place);
                        self.problems.push(problem.of_node(&consumer.spec.name.value));
                        continue;
                    }
                },
            };
            let wanted = &consumer.kind.expect("only sound nodes come here").inputs[edge.to.1];
            if !wanted.shape.takes(&format) {
                let name = &consumer.spec.name.value;
                let message = format!(
                    "`{}` of `{name}` takes {}, but `{label}` delivers {}",
                    wanted.name,
                    wanted.shape.word(),
                    shape_of(&format),
                );
                let problem = Diagnostic::error(Code::FormatMismatch, message).at(&source.place);
                let fits =
                    (0..kind.outputs.len()).find(|&n| wanted.shape.takes(&outline.outputs[n]));
                // What a made-up body tells of itself is no use to who brings a sensor.
                let fits = fits.map(|port| {
                    format!(
                        "`{}` delivers {}",
                        output_label(&producer.spec.name.value, kind, port),
                        shape_of(&outline.outputs[port]),
                    )
                });
                let problem = match (between(wanted, &format), fits, instead(wanted, &format)) {
                    (Some(kinds), ..) => {
                        let what = "put a node between whose events it is for";
                        problem.hint(format!("{what}, such as {kinds}"))
                    }
                    (None, Some(fits), Some(instead)) => {
                        problem.hint(format!("{fits}; or {instead}"))
                    }
                    (None, Some(hint), None) | (None, None, Some(hint)) => problem.hint(hint),
                    (None, None, None) => problem,
                };
                self.problems.push(problem.of_node(name));
                continue;
            }
            let (port, place) = (wanted.name, source.place.clone());
            let above = producer.inputs.iter().take(1).flat_map(|input| &input.through);
            let own = Passed {
                kind: kind.name,
                params: producer.params.clone(),
                rate_hz: producer
                    .inputs
                    .first()
                    .and_then(|input| Some(input.format.as_signal()?.rate.hz())),
                delay_ns: outline.delay_ns,
            };
            let through = match carried {
                Some(carried) => carried.through.clone(),
                None => std::iter::once(own).chain(above.cloned()).take(THROUGH_MAX).collect(),
            };
            let named = edge.written.named.clone().unwrap_or_else(|| label.clone());
            let format_here = format.clone();
            inputs.push(Input {
                port,
                label,
                named,
                format: format_here,
                delay_ns,
                place,
                through,
            });
            let edge = &mut self.edges[number];
            (edge.format, edge.pick, edge.delay_ns) = (Some(format), pick, delay_ns);
        }
        known.then_some(inputs)
    }

    fn outline(&mut self, number: usize, options: &PlanOptions) -> Result<Outline, Diagnostics> {
        let spec = self.nodes[number].spec;
        let hosts: Vec<&str> = spec.options.on.iter().map(|on| &*on.value).collect();
        let common = self.commons.entry(hosts).or_default().clone();
        let draft = &self.nodes[number];
        let kind = draft.kind.expect("only known kinds are planned");
        let (name, op_place) = (&draft.spec.name.value, &draft.spec.op.place);
        let node = Node {
            name,
            kind,
            params: &draft.params,
            inputs: &draft.inputs,
            outputs: &[],
            frame_ms: draft.spec.options.frame_ms.as_ref().map(|ms| ms.value),
            files: &options.files,
            services: &options.services,
            common: &common,
            session: 0,
            graph_file: options.graph_file.as_deref(),
            taken: None,
            op_place,
        };
        // A kind knows neither its node's name nor, for what is not written, a place.
        let complete = |mut problem: Diagnostic| {
            problem.place = problem.place.or_else(|| op_place.clone());
            problem.of_node(name)
        };
        let mut outline = (kind.plan)(&node)
            .map_err(|problems| Diagnostics(problems.0.into_iter().map(complete).collect()))?;
        assert_eq!(
            outline.outputs.len(),
            kind.outputs.len(),
            "kind `{}` plans as many outputs as it has ports",
            kind.name
        );
        let warnings = std::mem::take(&mut outline.warnings);
        let warnings = warnings.into_iter().chain(draft.inputs.iter().filter_map(|input| {
            let port = kind.inputs.iter().find(|port| port.name == input.port)?;
            port.one_channel.then(|| of_several_channels(name, input))?
        }));
        let warnings: Vec<Diagnostic> = warnings.map(complete).collect();
        outline.align = match draft.inputs.len() {
            0 | 1 => None,
            // At once, whatever the other input has promised.
            _ if kind.flushes_on.is_some() => None,
            _ => {
                let mut align = outline.align.unwrap_or_else(|| node.join(kind.policy, None));
                if align.max_wait_ns.is_none() {
                    let written = draft.spec.options.max_wait_ms.as_ref();
                    align.max_wait_ns = written.map(|ms| nanos(ms.value));
                }
                check_join(&node, align)?;
                Some(align)
            }
        };
        self.problems.extend(warnings);
        Ok(outline)
    }
}

/// The kinds that make of a signal the events that a port is for.
fn between(wanted: &Port, format: &Format) -> Option<String> {
    if wanted.shape != Shape::Event || format.as_signal().is_none() {
        return None;
    }
    let kinds: Vec<_> = wanted.fed_by.iter().map(|kind| format!("`{kind}`")).collect();
    (!kinds.is_empty()).then(|| kinds.join(" or "))
}

/// What kinds do the same with what a port does not take.
fn instead(wanted: &Port, format: &Format) -> Option<String> {
    let kinds: Vec<_> = wanted.others_by.iter().map(|kind| format!("\"{kind}\"")).collect();
    let what = match format {
        Format::Signal(_) => "signals",
        other => shape_of(other),
    };
    (!kinds.is_empty()).then(|| format!("{what} go into a node with op = {}", kinds.join(" or ")))
}

/// Joins by moments need samples, and `exact` ones need them at the same moments.
fn check_join(node: &Node<'_>, align: AlignSpec) -> Result<(), Diagnostics> {
    if align.policy == Policy::Merge {
        return Ok(());
    }
    let (name, word) = (node.name(), align.policy.word());
    let mut problems = Vec::new();
    let mut refuse = |code, place: &Option<Place>, message, hint: &str| {
        let problem = Diagnostic::error(code, message).at(place).of_node(name);
        problems.push(problem.hint(hint));
    };
    for input in node.inputs().iter().filter(|input| input.format.as_signal().is_none()) {
        let (label, shape) = (&input.label, shape_of(&input.format));
        let message = format!("`{name}` joins samples (`{word}`), but `{label}` delivers {shape}");
        refuse(Code::FormatMismatch, &input.place, message, "join signals only");
    }
    let first = &node.inputs()[0];
    if let (Policy::Exact, Some(rate)) = (align.policy, first.format.rate()) {
        for input in &node.inputs()[1..] {
            let Some(other) = input.format.rate().filter(|&other| other != rate) else { continue };
            let message = format!(
                "`{name}` joins equal samples (`{word}`), but `{}` has {} per second and `{}` {}",
                first.label,
                rate.hz(),
                input.label,
                other.hz(),
            );
            let faster = if rate.hz() > other.hz() { first } else { input };
            let slower_hz = rate.hz().min(other.hz());
            let hint = format!(
                "bring `{}` to {slower_hz} Hz first, with `resample` or `regrid`{}",
                faster.label,
                // A kind whose samples must be of the same moments leaves no choice.
                if node.kind().policy == Policy::Exact {
                    ""
                } else {
                    ", or join by `nearest` or `hold`"
                },
            );
            refuse(Code::RateMismatch, &input.place, message, &hint);
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(Diagnostics(problems)) }
}

/// What a format is, for messages.
pub(super) const fn shape_of(format: &Format) -> &'static str {
    match format {
        Format::Signal(_) => "a signal",
        Format::Image(_) => "images",
        Format::Tensor(_) => "tensors",
        Format::Event(_) => "events",
    }
}

type Picked = (Format, Option<Arc<[u16]>>);

/// The format with the channels asked for, and their numbers unless they are all in order.
fn pick(
    label: &str,
    format: &Format,
    channels: &Spanned<Vec<ChannelRef>>,
) -> Result<Picked, Diagnostic> {
    let Some(signal) = format.as_signal() else {
        let message = format!("`{label}` delivers {}, which have no channels", shape_of(format));
        let problem = Diagnostic::error(Code::FormatMismatch, message);
        return Err(problem.hint("leave the brackets out"));
    };
    let mut numbers: Vec<usize> = Vec::new();
    for channel in &channels.value {
        numbers.extend(find(label, signal, channel)?);
    }
    if numbers.iter().copied().eq(0..signal.channels.len()) {
        return Ok((format.clone(), None));
    }
    let picked = SignalFormat {
        channels: numbers.iter().map(|&number| signal.channels[number].clone()).collect(),
        ..signal.clone()
    };
    let numbers = numbers.into_iter().map(|n| u16::try_from(n).expect("the grammar limits them"));
    Ok((Format::Signal(Arc::new(picked)), Some(numbers.collect())))
}

fn find(
    label: &str,
    signal: &SignalFormat,
    channel: &ChannelRef,
) -> Result<Range<usize>, Diagnostic> {
    let count = signal.channels.len();
    let missing = || format!("`{label}` has no channel `{channel}`");
    let range = match channel {
        ChannelRef::Index(index) => *index..index + 1,
        ChannelRef::Range(range) => range.clone(),
        ChannelRef::Name(name) => {
            let names = || signal.channels.iter().map(|channel| channel.name.as_str());
            let found = names().position(|known| known == name);
            let found = found.ok_or_else(|| {
                Diagnostic::error(Code::UnknownChannel, missing())
                    .hint(format!("it has {}", listed(names())))
                    .did_you_mean(nearest(name, names()))
            })?;
            found..found + 1
        }
    };
    if range.end <= count {
        return Ok(range);
    }
    let hint = match count {
        1 => "it has one channel, number 0".to_owned(),
        _ => format!("it has {count} channels, numbered from 0 to {}", count - 1),
    };
    Err(Diagnostic::error(Code::UnknownChannel, missing()).hint(hint))
}

/// Whether frames of a node can pass it unchanged.
pub(super) fn can_bypass(kind: &Kind, inputs: &[Input], outline: &Outline) -> bool {
    let [output, ..] = &outline.outputs[..] else { return false };
    // A join that failed has nothing to pass on in its inputs' stead.
    !kind.is_source()
        && outline.align.is_none()
        && inputs.iter().all(|input| input.format == *output)
}

/// Channels that a hint names.
const NAMED_CHANNELS: usize = 8;

/// Warns of channels that do not count, where only the first does.
fn of_several_channels(node: &str, input: &Input) -> Option<Diagnostic> {
    let channels = &input.format.as_signal()?.channels;
    let [first, _, ..] = &channels[..] else { return None };
    let (count, label) = (channels.len(), &input.label);
    let message = format!("`{node}` looks at `{}`, the first of {count} channels", first.name);
    let names = channels.iter().take(NAMED_CHANNELS).map(|channel| channel.name.as_str());
    let more = if count > NAMED_CHANNELS { ", …" } else { "" };
    let names = names.collect::<Vec<_>>().join(", ");
    let hint = format!("pick one of {names}{more}, such as `{label}[{}]`", first.name);
    Some(Diagnostic::warning(Code::NoEffect, message).at(&input.place).hint(hint))
}

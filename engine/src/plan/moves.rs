//! Calls that either of two hosts may answer: `on = ["edge", "cloud"]`.
//!
//! ```text
//! on edge    clean ──▶ classes ──▶ show         the call, as Carrier::moves makes it
//!                        │  ▲
//!               question ▼  │ answer            two edges more between the hosts
//! on cloud           answers_classes            the same call, behind Carrier::answers
//! ```
//!
//! The first host is its home: its inputs and outputs are there. Its events say in `host` who has answered.

use std::sync::Arc;

use crate::{
    body::Body,
    carrier::{CallEdge, CutEdge, MovingCall},
    fault::Fault,
    format::{Dimension, Element, Field, FieldKind, Format, Pixel, TensorFormat},
    graph::{Code, Diagnostic, NodeSpec, OnFull},
    kind::{BuildError, Kind, Placement},
};

use super::{Plan, PlanNode, draft::Draft, hosts::Links, words::listed};

/// The field that says who has answered.
const HOST: &str = "host";
/// Longest name of a host in it, in bytes.
const HOST_BYTES_MAX: usize = 64;
/// Fields an event may have.
const FIELDS_MAX: usize = 64;
/// Longest question or answer; a longer question is answered at home.
const BYTES_MAX: usize = 64 << 20;

/// Answers what another host asks.
pub(super) static ANSWERS: Kind = Kind {
    name: "link_answers",
    placement: Placement::Waits,
    live: true,
    build: |node| {
        let links = node.services().find::<Links>(super::hosts::SERVICE);
        let moving = links.and_then(|links| links.moves.get(node.name()));
        let Moving { call, theirs } = moving.expect("only split graphs have such nodes");
        let (plan, number) = theirs.as_ref().expect("only on the other host");
        let planned = &plan.nodes[*number];
        let view = plan.view(*number, &planned.params, node.session());
        let body = called((planned.kind.build)(&view)?)?;
        let carrier = &links.expect("just seen").carrier;
        Ok(Body::Live(carrier.answers(body, &call.of_session(node.session()))?))
    },
    ..Kind::BASE
};

/// A call that may move, as one of its hosts sees it.
pub(super) struct Moving {
    pub(super) call: MovingCall,
    /// Away from home: the whole graph and the call's node in it.
    pub(super) theirs: Option<(Arc<Plan>, usize)>,
}

/// Whether a node names several hosts.
pub(super) fn may_move(node: &NodeSpec) -> bool {
    node.options.on.len() > 1
}

/// The call of a body.
fn called(body: Body) -> Result<Box<dyn crate::call::Call>, BuildError> {
    match body {
        Body::Call(call) => match call.keeps_here() {
            None => Ok(call),
            Some(why) => Err(Fault::new(format!("it cannot move between hosts: {why}")).into()),
        },
        _ => Err(Fault::new("the kind built no call").into()),
    }
}

/// The body of a node of this host, which asks the other one as well if it may move.
pub(crate) fn at_home(
    plan: &Plan,
    node: usize,
    session: u32,
    body: Body,
) -> Result<Body, BuildError> {
    let links = plan.services.find::<Links>(super::hosts::SERVICE);
    let moving = links.and_then(|links| links.moves.get(&plan.nodes[node].name));
    match (links, moving) {
        (Some(links), Some(Moving { call, theirs: None })) => {
            let call = call.of_session(session);
            Ok(Body::Call(links.carrier.moves(called(body)?, &call)?))
        }
        _ => Ok(body),
    }
}

/// The outputs with a field for who has answered; nothing if no output has room for it.
pub(super) fn with_host(outputs: &[Format]) -> Vec<Format> {
    let with_field = |format: &Format| match format {
        Format::Event(event)
            if event.fields.len() < FIELDS_MAX
                && event.fields.iter().all(|field| field.name != HOST) =>
        {
            let mut event = (**event).clone();
            event.fields.push(Field::text(HOST, HOST_BYTES_MAX));
            Format::Event(Arc::new(event))
        }
        other => other.clone(),
    };
    outputs.iter().map(with_field).collect()
}

impl PlanNode {
    /// Whether events of a port have a field for who has answered that the body knows nothing of.
    pub(crate) fn tells_host(&self, port: usize) -> bool {
        self.own_outputs.as_ref().is_some_and(|own| own[port] != self.outputs[port])
    }
}

impl Draft<'_> {
    /// Only calls move, and between two hosts.
    pub(super) fn check_moves(&mut self) {
        for node in self.nodes.iter().filter(|node| may_move(node.spec)) {
            let on = &node.spec.options.on;
            let names: Vec<&str> = on.iter().map(|on| &on.value[..]).collect();
            let is_call = node.kind.is_none_or(|kind| kind.placement == Placement::Asks);
            let (message, hint) = match names[..] {
                _ if !is_call => {
                    let op = &node.spec.op.value;
                    let hint = "name one host; only what asks a model or a service may have two";
                    (format!("`{op}` cannot move between hosts"), hint.to_owned())
                }
                [a, b] if a != b => continue,
                [a, b] => {
                    let hint = format!("write `on = \"{a}\"`, or name another host beside it");
                    (format!("`{b}` is named twice"), hint)
                }
                _ => (
                    format!("it names {} hosts: {}", names.len(), listed(names.iter().copied())),
                    "a call moves between two: its home and another".to_owned(),
                ),
            };
            let problem = Diagnostic::error(Code::CannotMove, message).at(&on[1].place);
            self.problems.push(problem.of_node(&node.spec.name.value).hint(hint));
        }
    }
}

/// What moves, by the plan of the whole graph.
pub(super) fn moving_call(
    node: &PlanNode,
    hosts: [&str; 2],
    deadline_ns: Option<i64>,
) -> MovingCall {
    let own = node.own_outputs.as_ref().unwrap_or(&node.outputs);
    let span_s = node.look_back_ns as f64 / 1e9;
    let asked = node.inputs.iter().map(|input| content_bytes(&input.format, span_s)).sum();
    let said = own.iter().map(|format| content_bytes(format, 0.0)).sum();
    let at = |host: &str| format!("{}@{host}", node.name);
    let due_ns = within_ns(node).or(node.deadline_ns).or(deadline_ns);
    let edge = |from: String, [there, here]: [&str; 2], answers, bytes: usize| CutEdge {
        from,
        to: (at(here), 0),
        hosts: [there.to_owned(), here.to_owned()],
        session: 0,
        // The same on both hosts, whatever is `set` on one of them.
        format: bytes_format(),
        on_full: OnFull::DropOldest,
        capacity_ms: None,
        deadline_ns: due_ns,
        behind_device: false,
        may_void: false,
        call: Some(CallEdge { answers, bytes }),
        lag_ns: 0,
    };
    let [home, other] = hosts;
    MovingCall {
        node: node.name.clone(),
        hosts: hosts.map(str::to_owned),
        question: edge(node.name.clone(), [home, other], false, asked),
        answer: edge(at(other), [other, home], true, said),
        outputs: own.clone(),
    }
}

/// How long an answer may take, by the parameter of that name that asking kinds have.
fn within_ns(node: &PlanNode) -> Option<i64> {
    let within = node.params.written("within_ms")?;
    Some(super::draft::nanos(within.value.as_number()?))
}

fn bytes_format() -> Format {
    let shape = vec![Dimension::Open { max: BYTES_MAX }];
    Format::Tensor(Arc::new(TensorFormat { element: Element::U8, shape }))
}

/// About how many bytes a question has that gathers `span_s` seconds; exact where frames have one size.
fn content_bytes(format: &Format, span_s: f64) -> usize {
    match format {
        Format::Signal(signal) => {
            let gathered = (signal.rate.hz() * span_s).ceil() as usize;
            4 * signal.channels.len() * signal.frame_len.saturating_add(gathered)
        }
        Format::Image(image) => {
            let depth = if image.pixel == Pixel::Gray8 { 1 } else { 3 };
            image.width.saturating_mul(image.height).saturating_mul(depth)
        }
        Format::Tensor(tensor) => {
            let size = match tensor.element {
                Element::F32 => 4,
                Element::I64 => 8,
                Element::U8 => 1,
            };
            let len = |dimension: &Dimension| match *dimension {
                Dimension::Fixed(len) | Dimension::Open { max: len } => len,
            };
            tensor.shape.iter().map(len).fold(size, usize::saturating_mul)
        }
        Format::Event(event) => {
            let room = |field: &Field| match field.kind {
                FieldKind::Bool | FieldKind::I64 | FieldKind::F64 => 8,
                FieldKind::Text { max } | FieldKind::Bytes { max } => max.saturating_add(16),
                FieldKind::Floats { max } => max.saturating_mul(4).saturating_add(16),
            };
            event.fields.iter().map(room).fold(16, usize::saturating_add)
        }
    }
}

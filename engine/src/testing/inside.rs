//! One kind between ends that a test holds: its plan, its stage, its rings.

use std::sync::Arc;

use crate::{
    body::{Body, Sink},
    fault::Fault,
    files::Files,
    format::Format,
    graph::{Diagnostics, GraphSpec, OnFull, SourceText},
    kind::{BuildError, Catalog, Kind, Outline, Placement, Port},
    plan::{Home, Plan, PlanOptions},
    ring::{Nobody, Receiver, Sender, Wake, ring},
    service::Services,
    session::{Counts, latencies},
    stage::{Ends, Pace, SlotBody, Stage, Wiring, build_body},
    time::{Clock, ManualClock, Timestamp},
};

/// The name of the node on the bench.
pub(super) const NODE: &str = "bench";
/// Room of every ring: more than a test feeds between two looks.
const ROOM: usize = 1 << 14;

/// The body, where it runs.
pub(super) enum Place {
    Stage(Box<Stage>),
    /// A sink that waits has no stage.
    Sink(Box<dyn Sink>),
    /// It is being moved.
    Nowhere,
}

/// The kind's own stage and the far ends of its rings.
pub(super) struct Inside {
    pub(super) place: Place,
    /// One per input edge.
    pub(super) feeds: Vec<Sender>,
    /// One per output port.
    pub(super) taps: Vec<Receiver>,
}

/// Plans a graph of nothing but this kind, with ends for its inputs and outputs.
pub(super) fn plan(
    kind: &'static Kind,
    inputs: &[(&str, Format)],
    params: &str,
    files: Arc<dyn Files>,
    services: Services,
) -> Result<Arc<Plan>, Diagnostics> {
    let mut kinds: Vec<&'static Kind> = vec![kind, &TAP];
    let mut text = String::from("[graph]\nname = \"bench\"\n");
    for (n, (_, format)) in inputs.iter().enumerate() {
        kinds.push(feed_kind(n, format));
        text += &format!("[node.in{n}]\nop = \"bench_feed_{n}\"\nstage = \"in{n}\"\n");
    }
    for port in kind.outputs {
        let name = port.name;
        text += &format!("[node.tap_{name}]\nop = \"bench_tap\"\nfrom = \"{NODE}.{name}\"\n");
    }
    text += &format!("[node.{NODE}]\nop = \"{}\"\n", kind.name);
    if kind.placement != Placement::Waits {
        text += "stage = \"bench\"\n";
    }
    if !inputs.is_empty() {
        let ports = kind.inputs.iter().map(|port| {
            let edges = inputs.iter().enumerate().filter(|(_, (name, _))| *name == port.name);
            let edges: Vec<String> = edges.map(|(n, _)| format!("\"in{n}\"")).collect();
            (port.name, edges)
        });
        let ports = ports.filter(|(_, edges)| !edges.is_empty());
        let ports: Vec<String> =
            ports.map(|(name, edges)| format!("{name} = [{}]", edges.join(", "))).collect();
        text += &format!("from = {{ {} }}\n", ports.join(", "));
    }
    // Last, so that parameters may bring tables of their own.
    text += params;
    let spec = GraphSpec::parse(&SourceText::new("bench", text))?;
    let options = PlanOptions { services, ..PlanOptions::new(files) };
    let mut plan = spec.plan(&Catalog::new(&[&kinds]), &options).map_err(without_places)?;
    // As if somebody further down waited for its bound.
    for node in plan.nodes.iter_mut().filter(|node| node.name == NODE) {
        node.watched = true;
    }
    Ok(Arc::new(plan))
}

/// Places lie in a text that the test did not write.
fn without_places(problems: Diagnostics) -> Diagnostics {
    let bare = |problem| crate::graph::Diagnostic { place: None, related: Vec::new(), ..problem };
    Diagnostics(problems.0.into_iter().map(bare).collect())
}

/// A source of `format` that is planned and never built. Leaked: kinds live for ever, and a test
/// makes few.
fn feed_kind(number: usize, format: &Format) -> &'static Kind {
    let format: &'static Format = Box::leak(Box::new(format.clone()));
    Box::leak(Box::new(Kind {
        name: Box::leak(format!("bench_feed_{number}").into_boxed_str()),
        outputs: FED,
        plan: |node| {
            let format = node.kind().data.and_then(|data| data.downcast_ref::<Format>());
            Ok(Outline::of([format.expect("a feed has its format").clone()]))
        },
        data: Some(format),
        ..Kind::BASE
    }))
}

static FED: &[Port] = &[Port::any("out")];

/// A sink that is planned and never built.
static TAP: Kind = Kind {
    name: "bench_tap",
    inputs: &[Port::any("in")],
    placement: Placement::Waits,
    ..Kind::BASE
};

impl Inside {
    /// Builds the body and everything around it.
    pub(super) fn build(plan: &Arc<Plan>, node: usize) -> Result<Self, BuildError> {
        Ok(Self::around(plan, node, build_body(plan, node, 0)?))
    }

    /// Puts new rings, ports and counters around a body.
    pub(super) fn around(plan: &Arc<Plan>, node: usize, body: Body) -> Self {
        let counts = Arc::new(Counts::new(plan, &latencies(plan)));
        let mut ends = Ends {
            senders: plan.edges.iter().map(|_| None).collect(),
            receivers: plan.edges.iter().map(|_| None).collect(),
        };
        let open = |edge: usize| {
            let (wake, sleep) = (Arc::new(Nobody), Arc::new(Nobody));
            ring(ROOM, OnFull::Block, &counts.edges[edge], wake, sleep)
        };
        let (mut feeds, mut taps) = (Vec::new(), Vec::new());
        for &edge in &plan.nodes[node].in_edges {
            let (sender, receiver) = open(edge);
            feeds.push(sender);
            ends.receivers[edge] = Some(receiver);
        }
        for &edge in plan.nodes[node].out_edges.iter().flatten() {
            let (sender, receiver) = open(edge);
            taps.push(receiver);
            ends.senders[edge] = Some(sender);
        }
        let wiring = Wiring {
            plan,
            session: 0,
            counts: &counts,
            clock: &Clock::Manual(ManualClock::new()),
            pace: Pace { start: Timestamp::ZERO, speed: None },
            epoch: 0,
            onlooker: None,
        };
        let place = match (plan.nodes[node].home, body) {
            (Home::Stage(stage), body) => {
                let wake: Arc<dyn Wake> = Arc::new(Nobody);
                let stage = Stage::wire(wiring, stage, &mut ends, vec![SlotBody::of(body)], &wake);
                Place::Stage(Box::new(stage))
            }
            (Home::Io, Body::Sink(sink)) => Place::Sink(sink),
            (Home::Io, _) => panic!("sources that wait for the world need a real run"),
        };
        Self { place, feeds, taps }
    }

    /// Takes the body out, as good as new.
    pub(super) fn into_fresh_body(mut self) -> Result<Body, Fault> {
        match std::mem::replace(&mut self.place, Place::Nowhere) {
            Place::Stage(mut stage) => {
                match std::mem::replace(&mut stage.slots[0].body, SlotBody::Empty) {
                    SlotBody::Source(mut source) => source.reset().map(|()| Body::Source(source)),
                    SlotBody::Operator(mut operator) => {
                        operator.reset();
                        Ok(Body::Operator(operator))
                    }
                    SlotBody::Block(mut block) => {
                        block.reset();
                        Ok(Body::Block(block))
                    }
                    SlotBody::Sink(sink) => Ok(Body::Sink(sink)),
                    SlotBody::Call(call) => Ok(Body::Call(call)),
                    _ => Err(Fault::new("the body has failed")),
                }
            }
            Place::Sink(sink) => Ok(Body::Sink(sink)),
            Place::Nowhere => Err(Fault::new("there is no body")),
        }
    }
}

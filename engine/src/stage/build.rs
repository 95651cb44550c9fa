//! From plan to stage: slots with bodies, rings with ends.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use crate::{
    align::Aligner,
    body::Body,
    buffer::Sole,
    flush::Roots,
    frame::Header,
    io::{Line, MayFlush, Outlet as PortOutlet, Ports},
    kind::BuildError,
    plan::{Home, Plan, PlanNode},
    ring::{Receiver, Sender, Wake},
    session::Counts,
    tap::Onlooker,
    ticks::Stopwatch,
    time::{Clock, Grid, Timestamp},
};

use super::{
    Inlet, Mark, Outlet, Pace, Poison, Route, Slot, SlotBody, SourceState, Stage, ask::Asking,
    slot::SlotParts, turn::FRAMES_PER_TURN, void::Watch,
};

/// Ring ends of one session, by edge of the plan; taken by whoever owns the end.
pub(crate) struct Ends {
    pub(crate) senders: Vec<Option<Sender>>,
    pub(crate) receivers: Vec<Option<Receiver>>,
}

/// What all stages of a session share.
#[derive(Clone, Copy)]
pub(crate) struct Wiring<'a> {
    pub(crate) plan: &'a Arc<Plan>,
    pub(crate) session: u32,
    pub(crate) counts: &'a Arc<Counts>,
    pub(crate) clock: &'a Clock,
    pub(crate) pace: Pace,
    pub(crate) epoch: u32,
    pub(crate) onlooker: Option<&'a Onlooker>,
}

impl Wiring<'_> {
    /// The output by which a source is measured: the first that somebody takes, if it is a signal.
    pub(crate) fn measured(&self, node: usize) -> Option<usize> {
        let planned = &self.plan.nodes[node];
        let taken = planned.out_edges.iter().position(|edges| !edges.is_empty());
        taken.filter(|&port| planned.outputs[port].as_signal().is_some())
    }
}

impl Stage {
    /// Wires bodies, one per node of the stage in its order.
    /// `wake` is called when something that a call has asked for is there.
    pub(crate) fn wire(
        wiring: Wiring<'_>,
        stage: usize,
        ends: &mut Ends,
        bodies: Vec<SlotBody>,
        wake: &Arc<dyn Wake>,
    ) -> Self {
        let plan = wiring.plan;
        let members = &plan.stages[stage].nodes;
        let slot_of = |node: usize| members.iter().position(|&member| member == node);
        let (mut inlets, mut outlets, mut sources) = (Vec::new(), Vec::new(), Vec::new());
        let (mut slots, mut asking) = (Vec::with_capacity(members.len()), Vec::new());
        for (at, (&node, body)) in members.iter().zip(bodies).enumerate() {
            let planned = &plan.nodes[node];
            for (line, &edge) in planned.in_edges.iter().enumerate() {
                if plan.edges[edge].ring.is_some() && !planned.gone {
                    let ring = ends.receivers[edge].take().expect("one end per edge");
                    inlets.push((ring, at, line));
                }
            }
            let mut routes = Vec::with_capacity(planned.outputs.len());
            for (port, edges) in planned.out_edges.iter().enumerate() {
                let mut port_routes = Vec::with_capacity(edges.len());
                for &edge in edges.iter().filter(|_| !planned.gone) {
                    let counts = wiring.counts.edges[edge].clone();
                    let (next, line) = plan.edges[edge].to;
                    port_routes.push(if plan.edges[edge].ring.is_some() {
                        let ring = ends.senders[edge].take().expect("one end per edge");
                        let outlet = outlets.len();
                        outlets.push(Outlet {
                            ring,
                            backlog: VecDeque::new(),
                            slot: at,
                            port,
                            edge,
                        });
                        Route::Ring { outlet, counts }
                    } else {
                        let slot = slot_of(next).expect("without a ring both ends share a stage");
                        Route::Local { slot, line, counts }
                    });
                }
                routes.push(port_routes.into_boxed_slice());
            }
            match body {
                SlotBody::Source(_) => sources.push((at, node)),
                SlotBody::Call(_) => {
                    asking.push(Asking::new(at, planned, wake.clone()));
                }
                _ => {}
            }
            slots.push(slot(wiring, node, body, routes.into_boxed_slice()));
        }
        // Nothing will ever come to those that were taken out before.
        let mut any_gone = false;
        for slot in slots.iter_mut().filter(|slot| plan.nodes[slot.node].gone) {
            slot.line_bounds.fill(Timestamp::MAX);
            any_gone = true;
        }
        let roots = members.iter().map(|&node| plan.nodes[node].roots);
        let roots = roots.fold(Roots::NONE, Roots::and);
        let root = members.iter().find_map(|&node| plan.root_number(node));
        debug_assert!(root.is_none() || members.len() == 1, "what flushes is alone");
        let flushes = Watch::new(&wiring.counts.flushes, roots, root);
        for slot in &mut slots {
            // As of now, so that what comes from above is never newer than what is sent on.
            if let Some(watch) = flushes.as_ref().filter(|_| !slot.roots.is_empty()) {
                slot.epoch = watch.seen.required(slot.roots);
            }
        }
        let sinks = (0..slots.len()).filter(|&slot| slots[slot].latency.is_some()).collect();
        let any_watched = slots.iter().any(|slot| slot.watched);
        let any_patience = slots.iter().any(Slot::gives_up);
        let inlets = inlets
            .into_iter()
            .map(|(ring, slot, line)| {
                let feeds = feeds(&slots, &[], Some((slot, line)));
                let required = flushes
                    .as_ref()
                    .map_or(0, |watch| watch.seen.required(slots[slot].line_roots[line]));
                let planned = &plan.nodes[slots[slot].node];
                let is_urgent = planned.kind.flushes_on == Some(planned.inputs[line].port);
                Inlet { ring, slot, line, feeds, required, is_urgent, is_empty: true }
            })
            .collect();
        let is_device = |node: &PlanNode| node.home == Home::Io && node.kind.is_source();
        let beside_device = !sources.is_empty() && plan.nodes.iter().any(is_device);
        let sources: Vec<_> =
            sources.into_iter().map(|(at, _)| source(wiring, &slots, at)).collect();
        let mut this = Self {
            slots: slots.into(),
            mark: Mark::new(sources.len()),
            sources,
            taps: Vec::new(),
            asking,
            sinks,
            inlets,
            outlets,
            flushes,
            clock: wiring.clock.clone(),
            pace: wiring.pace,
            poison: Arc::new(Poison::default()),
            work: Vec::with_capacity(8),
            out: Vec::with_capacity(8),
            current: None,
            current_line: 0,
            spare: Sole::empty(),
            any_watched,
            ending: any_gone,
            settled: !any_gone,
            left: 0,
            per_turn: FRAMES_PER_TURN,
            is_blocked: false,
            any_patience,
            turns: 0,
            timing: false,
            following: false,
            steps: wiring.counts.steps.clone(),
            slow_ns: 0,
            turn_began: Timestamp::MIN,
            stepping: None,
            session: wiring.session,
            trouble: None,
            counts: wiring.counts.stages[stage].clone(),
            entered: Timestamp::ZERO,
            looked: Timestamp::ZERO,
            together: 1,
            is_cold: false,
            watch: Stopwatch::default(),
            paused: false,
            beside_device,
        };
        if let Some(onlooker) = wiring.onlooker {
            this.let_look_on(wiring, onlooker);
        }
        this
    }
}

/// The inputs of joins inside the stage that frames can reach along these routes.
fn feeds(
    slots: &[Slot],
    routes: &[Box<[Route]>],
    at: Option<(usize, usize)>,
) -> Box<[(usize, usize)]> {
    let mut feeds = Vec::new();
    let locals = |routes: &[Box<[Route]>]| -> Vec<(usize, usize)> {
        let local = |route: &Route| match route {
            Route::Local { slot, line, .. } => Some((*slot, *line)),
            Route::Ring { .. } => None,
        };
        routes.iter().flatten().filter_map(local).collect()
    };
    let mut open = at.map_or_else(|| locals(routes), |at| vec![at]);
    while let Some((slot, line)) = open.pop() {
        if slots[slot].aligner.is_some() {
            if feeds.contains(&(slot, line)) {
                continue;
            }
            feeds.push((slot, line));
        }
        open.extend(locals(&slots[slot].routes));
    }
    feeds.into()
}

/// Builds the body of a node.
pub(crate) fn build_body(plan: &Plan, node: usize, session: u32) -> Result<Body, BuildError> {
    let planned = &plan.nodes[node];
    (planned.kind.build)(&plan.view(node, &planned.params, session))
}

/// What is kept for the source in a slot that has made nothing yet.
pub(super) fn source(wiring: Wiring<'_>, slots: &[Slot], at: usize) -> SourceState {
    let here = &slots[at];
    let feeds = feeds(slots, &here.routes, None);
    let early_ns = match &here.body {
        // Whoever wires sessions must not die of one body.
        SlotBody::Source(body) => {
            catch_unwind(AssertUnwindSafe(|| body.may_be_early_ns())).unwrap_or(0)
        }
        _ => 0,
    };
    let outputs = &wiring.plan.nodes[here.node].outputs;
    SourceState::new(at, outputs, wiring.measured(here.node), early_ns, feeds)
}

/// A slot with nothing behind it.
pub(super) fn slot(
    wiring: Wiring<'_>,
    node: usize,
    body: SlotBody,
    routes: Box<[Box<[Route]>]>,
) -> Slot {
    let plan = wiring.plan;
    let planned = &plan.nodes[node];
    debug_assert!(matches!(planned.home, Home::Stage(_)));
    let in_edges = || planned.in_edges.iter().map(|&edge| &plan.edges[edge]);
    // Blocks and sinks never ask when a sample happened.
    let asks_when = matches!(body, SlotBody::Operator(_) | SlotBody::Call(_));
    let counts_samples = asks_when || planned.align.is_some();
    let port_of = |n: usize| {
        let name = planned.inputs[n].port;
        planned.kind.inputs.iter().position(|port| port.name == name).unwrap_or(0) as u16
    };
    let lines: Box<[Line]> = in_edges()
        .enumerate()
        .map(|(n, edge)| Line {
            port: port_of(n),
            format: edge.format.clone(),
            grid: edge.format.as_signal().filter(|_| counts_samples).map(|s| Grid::new(s.rate)),
        })
        .collect();
    let outlets = planned
        .outputs
        .iter()
        .map(|format| PortOutlet { format: format.clone(), promise: Timestamp::MIN })
        .collect();
    let channels_of =
        |line: &Line| line.format.as_signal().map_or(1, |signal| signal.channels.len());
    let aligner =
        planned.align.map(|spec| Aligner::new(spec, lines.iter().map(channels_of).collect()));
    let picks: Box<[_]> = in_edges().map(|edge| edge.pick.clone()).collect();
    let flushes = planned.kind.flushes_on.is_some();
    let has_timers = planned.kind.timers && !flushes && matches!(body, SlotBody::Operator(_));
    let source = Header { source: planned.source, ..Header::at(Timestamp::ZERO) };
    let is_joined = aligner.is_some();
    let is_plain = !has_timers
        && !is_joined
        && picks.iter().all(Option::is_none)
        && lines.iter().all(|line| line.grid.is_none());
    Slot::new(SlotParts {
        node,
        channels: lines.first().map_or(1, channels_of),
        aligner,
        has_timers,
        is_plain,
        picks,
        watched: planned.watched,
        line_counts: planned.in_edges.iter().map(|&e| wiring.counts.edges[e].clone()).collect(),
        delay_ns: planned.delay_ns,
        look_back_ns: planned.look_back_ns,
        keeps_last: planned.on_fault == crate::graph::OnFault::HoldLast,
        counts: wiring.counts.nodes[node].clone(),
        latency: planned.kind.is_sink().then(|| wiring.counts.latency[node].clone()).flatten(),
        epoch: wiring.epoch,
        roots: planned.roots,
        line_roots: in_edges().map(|edge| plan.nodes[edge.from.0].roots).collect(),
        ports: Ports {
            aligned: if is_joined { vec![None; lines.len()] } else { Vec::new() },
            lines,
            outlets,
            line: 0,
            cause: source,
            flush: if flushes { MayFlush::May } else { MayFlush::Never },
        },
        body,
        routes,
    })
}

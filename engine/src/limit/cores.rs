//! Cores that have no time left.

use super::{Cause, Limit, Load, Role, find::percent};

/// A core that is at work for so long has no time left.
pub(super) const BUSY: f64 = 0.85;
/// A core that waits for a processor for so long shares it with others.
const WAITED: f64 = 0.2;
/// One that waits less is hardly disturbed.
const DISTURBED: f64 = 0.03;
/// One body that has so much of the work of its core is what the core is short of,
const MOST: f64 = 0.5;
/// and so is one that has less, and by so much more than any other.
const MUCH: f64 = 0.3;
const MORE: f64 = 2.5;
/// A core with so much time left could do something for another.
const IDLE: f64 = 0.6;

/// What a node takes of its core's time, or of each core's where sessions are spread.
pub(super) fn share_of(load: &Load, node: usize) -> f64 {
    let spread = if load.nodes[node].core.is_some() { 1 } else { load.cores.len().max(1) };
    load.share(node) / spread as f64
}

impl Load {
    /// What a run is short of whose core has no time left: what the core does, or, where that is not much, the
    /// processor that others have.
    pub(super) fn short_of(&self, core: usize) -> Limit {
        self.of_others(core).unwrap_or_else(|| self.of_core(self.to_blame(core)))
    }

    /// Others have the processor: at the pace of its content the core would need less time than there is. As fast as
    /// it goes there is no such thing, and whatever takes most of what it gets counts.
    fn of_others(&self, core: usize) -> Option<Limit> {
        let waited = self.waited.get(core).copied().unwrap_or(0.0);
        let had = self.cores.get(core)? - waited;
        let paces = self.nodes.iter().filter_map(|node| node.pace);
        let kept = paces.fold(1.0, f64::min).max(1e-3);
        if self.is_fast || waited < WAITED || had / kept >= BUSY {
            return None;
        }
        Some(self.of_machine(core))
    }

    /// A core waits for a processor that others have.
    pub(super) fn of_machine(&self, core: usize) -> Limit {
        let waited = self.waited.get(core).copied().unwrap_or(0.0);
        let why = format!(
            "core {core} was at work {} of the time and waited {} of it for a processor, which others have",
            percent(self.cores[core] - waited),
            percent(waited)
        );
        Limit { cause: Cause::Machine, node: None, edge: None, why, change: String::new() }
    }

    /// For how long a core waits for a processor, if that is longer than it has one.
    pub(super) fn disturbed(&self, core: usize) -> Option<f64> {
        let waited = *self.waited.get(core)?;
        let had = self.cores.get(core)? - waited;
        (waited > had && waited > DISTURBED).then_some(waited)
    }

    /// The core that keeps another from its work: itself, unless that waits for a processor. Then cores share
    /// processors, and whoever has them most holds the others up. Not whose bodies take most: those are timed by the
    /// clock, on which a body that is interrupted is a slow one.
    pub(super) fn to_blame(&self, core: usize) -> usize {
        if self.waited.get(core).is_none_or(|waited| *waited < WAITED) {
            return core;
        }
        let had = |core: &usize| self.cores[*core] - self.waited[*core];
        let others = 0..self.cores.len().min(self.waited.len());
        others.max_by(|a, b| had(a).total_cmp(&had(b))).unwrap_or(core)
    }

    /// What a core that has no time left is busy with.
    pub(super) fn of_core(&self, core: usize) -> Limit {
        let busy: f64 = self.on_core(core).map(|node| self.nodes[node].busy_ns()).sum();
        let share = |node: usize| self.nodes[node].busy_ns() / busy.max(1.0);
        let top = self.on_core(core).max_by(|&a, &b| share(a).total_cmp(&share(b)));
        let Some(top) = top.filter(|_| busy > 0.0) else {
            let why = match top {
                None => "no frame has come".to_owned(),
                Some(_) => {
                    let at_work = percent(self.busy(core));
                    format!(
                        "core {core} is at work {at_work} of the time, and no body on it was timed"
                    )
                }
            };
            let (cause, change) = (Cause::Nothing, String::new());
            return Limit { cause, node: None, edge: None, why, change };
        };
        let second = self.on_core(core).filter(|&node| node != top).map(share).fold(0.0, f64::max);
        let stands_out = share(top) >= MOST || (share(top) >= MUCH && share(top) >= MORE * second);
        let could_move = self.idle_core(core).is_some() || self.could_have_more_cores();
        let cause = match self.nodes[top].role {
            Role::Source if stands_out => Cause::Source,
            _ if stands_out || !could_move => Cause::Compute,
            _ => Cause::Core,
        };
        let at_work = percent(self.busy(core));
        // Between bodies frames are handed on, which is no node's.
        let whole = self.busy(core).max(self.bodies(core)).max(1e-9);
        let of_whole = |share: f64| percent((share / whole).min(1.0));
        let (name, most) = (&self.nodes[top].name, of_whole(share_of(self, top)));
        let between = match whole - self.bodies(core) {
            rest if rest > share_of(self, top) => {
                format!(", and {} in handing frames on", of_whole(rest))
            }
            _ => String::new(),
        };
        let why = match cause {
            Cause::Core => {
                let other = match self.idle_core(core) {
                    Some(idle) => format!("core {idle} has time left"),
                    None => format!("the machine has {} processors", self.processors),
                };
                format!(
                    "core {core} is at work {at_work} of the time, for many: `{name}` has most of it, {most}{between}; {other}"
                )
            }
            _ => {
                format!(
                    "core {core} is at work {at_work} of the time, {most} of that in `{name}`{between}"
                )
            }
        };
        Limit { cause, node: Some(top), edge: None, why, change: String::new() }
    }

    /// Whether `--cores` may be raised.
    pub(super) const fn could_have_more_cores(&self) -> bool {
        self.cores.len() < self.processors
    }

    /// How busy the core of a node is.
    pub(super) fn busiest(&self, node: usize) -> f64 {
        let core = self.nodes[node].core.unwrap_or_else(|| self.busiest_core());
        self.busy(core)
    }

    pub(super) fn busiest_core(&self) -> usize {
        let cores = 0..self.cores.len();
        cores.max_by(|&a, &b| self.busy(a).total_cmp(&self.busy(b))).unwrap_or(0)
    }

    /// As fast as it goes, the busiest of the cores with a source.
    pub(super) fn busiest_feeder(&self) -> Option<usize> {
        let feeds =
            |&core: &usize| self.on_core(core).any(|node| self.nodes[node].role == Role::Source);
        let cores = (0..self.cores.len()).filter(|core| self.is_fast && feeds(core));
        cores.max_by(|&a, &b| self.busy(a).total_cmp(&self.busy(b)))
    }

    /// A core that has time left.
    pub(super) fn idle_core(&self, than: usize) -> Option<usize> {
        let others = (0..self.cores.len()).filter(|core| *core != than);
        let least = others.min_by(|&a, &b| self.busy(a).total_cmp(&self.busy(b)))?;
        (self.busy(least) < IDLE).then_some(least)
    }
}

//! [`Asker`]: a call that asks this host or another.

use std::{sync::Arc, time::Duration};

use engine::{Answer, Call, Fault, Frame, GapNotice, Io, MovingCall, Node, Reply};
use tokio::runtime::Handle as Runtime;

use super::{desk::Desk, figures::Register};
use crate::carrier::{LentInlet, LentOutlet};

/// Stands in for a call at its home: gathers questions as that does, and has each answered here or there.
pub(crate) struct Asker(Arc<Desk>);

impl Asker {
    /// Around `call`; without `away`, the ends of the link and who drives it, this host answers alone.
    pub(crate) fn new(
        call: Box<dyn Call>,
        moving: &MovingCall,
        away: Option<((LentOutlet, LentInlet), Runtime)>,
        register: Register,
    ) -> Self {
        Self(Desk::new(call, moving, away, register))
    }
}

impl Drop for Asker {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Call for Asker {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        self.0.here().process(io)
    }

    fn gap(&mut self, gap: &GapNotice) {
        self.0.here().gap(gap);
    }

    fn flush(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        self.0.here().flush(io)
    }

    fn ask(&mut self, question: &Frame, reply: Reply) -> Result<(), Fault> {
        self.0.tell_here();
        self.0.ask(question, reply)
    }

    fn in_flight(&self) -> usize {
        self.0.here().in_flight()
    }

    fn deadline(&self) -> Option<Duration> {
        self.0.here().deadline()
    }

    fn fallback(&mut self, question: &Frame) -> Option<Answer> {
        self.0.tell_here();
        self.0.here().fallback(question)
    }

    fn keeps_here(&self) -> Option<&'static str> {
        Some("it does already")
    }

    fn retune(&mut self, node: &Node<'_>) -> Result<(), Fault> {
        self.0.here().retune(node)
    }

    fn remark(&self) -> Option<String> {
        let own = self.0.here().remark();
        let counts = self.0.counters.counts();
        let [home, other] = self.0.hosts();
        let [here, there] = counts.answers;
        let some = |count: u64, what: &str| (count > 0).then(|| format!("{count} {what}"));
        let more = [
            some(counts.doubted, "were in doubt here and asked there as well"),
            some(counts.hedged, "were late on one side and asked on the other as well"),
            some(counts.changes, "changes of side"),
        ];
        let answered = (here + there > 0)
            .then(|| format!("{here} answers by `{home}` and {there} by `{other}`"));
        let trouble = self.0.trouble().map(|why| format!("trouble with `{other}`: {why}"));
        let whole: Vec<String> = own
            .into_iter()
            .chain(answered)
            .chain(more.into_iter().flatten())
            .chain(trouble)
            .collect();
        (!whole.is_empty()).then(|| whole.join(", "))
    }
}

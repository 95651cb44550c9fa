//! [`ModelCall`]: the body of all kinds that ask a model.

use std::{
    fmt::Debug,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use engine::{
    Answer, BuildError, Call, Code, Diagnostics, Fault, Format, Frame, GapNotice, Io, Node, Rate,
    Reply,
};

use crate::{
    cache::{Cache, Fit, Identity, Key, Question, unchanged::Unchanged},
    host::{Door, ModelService, Note, Rowwise, Terms, Way},
};

use super::{
    asking::{MODEL, Planned},
    cut::{Cut, Order},
    stand_in::{FALLBACK, LAST, StandIn},
};

/// Makes something of what a node says.
type OfNode<T> = fn(&Node<'_>, &Planned) -> Result<T, Diagnostics>;

/// What a kind adds to the asking that all share.
pub(super) struct Asks {
    /// Makes what reads its answers, as the node says.
    pub(super) read: OfNode<Box<dyn Reads>>,
    /// The answer that a `fallback` other than "last" means, if it means one.
    pub(super) stand_in: fn(&Node<'_>, &Planned, &str) -> Result<Option<Answer>, Diagnostics>,
    /// What such a `fallback` may be, for the hint.
    pub(super) stand_ins: &'static str,
}

/// Reads answers and can say by what: everything an answer depends on is in its `Debug`.
pub(super) trait Reads: Rowwise + Debug {}

impl<T: Rowwise + Debug> Reads for T {}

impl Asks {
    /// What stands in for an answer, as the node says.
    pub(super) fn stand_in_of(
        &self,
        node: &Node<'_>,
        planned: &Planned,
    ) -> Result<Option<StandIn>, Diagnostics> {
        let Some(written) = node.get_optional(&FALLBACK)? else { return Ok(None) };
        if written == LAST {
            return Ok(Some(StandIn::Last(Arc::default())));
        }
        if let Some(answer) = (self.stand_in)(node, planned, written)? {
            return Ok(Some(StandIn::Fixed(answer)));
        }
        let message = format!("`fallback` = {written:?} is no answer of `{}`", node.kind().name);
        let problem = node.problem(Code::OutOfRange, FALLBACK.name(), message);
        Err(problem.hint(format!("write \"last\", or {}", self.stand_ins)).into())
    }

    /// The body.
    pub(super) fn call(&'static self, node: &Node<'_>) -> Result<ModelCall, BuildError> {
        let planned = Planned::of(node).map_err(BuildError::Graph)?;
        ModelCall::of(node, planned, self).map_err(BuildError::Graph)
    }
}

/// Asks a model.
pub(super) struct ModelCall {
    asks: &'static Asks,
    door: Door,
    cache: Option<Arc<Cache>>,
    /// Who is asked and how, for the cache.
    identity: Identity,
    fit: Arc<Fit>,
    cut: Cut,
    order: Order,
    in_flight: usize,
    within: Duration,
    stand_in: Option<StandIn>,
    unchanged: Option<Unchanged>,
    growing: Option<Growing>,
}

/// Pieces that are asked about as they grow: one question at a time, so that none is asked about a piece
/// that was told.
struct Growing {
    told: Arc<AtomicI64>,
    rate: Rate,
    /// Samples of a whole piece.
    len: usize,
}

impl Growing {
    fn of(node: &Node<'_>, planned: &Planned) -> Option<Self> {
        let (Format::Signal(signal), Cut::Pieces(pieces)) = (node.input("in"), &planned.cut) else {
            return None;
        };
        let told = planned.told.clone()?;
        Some(Self { told, rate: signal.rate, len: pieces.len() })
    }

    /// The note for a question; none if its piece was told.
    fn note(&self, question: &Frame) -> Option<Note> {
        let (time, have) = (question.header.time.nanos(), question.buffer().count());
        // Of one piece all moments are the same, but for a rounding.
        let apart = self.told.load(Ordering::Relaxed).saturating_sub(time).saturating_abs();
        let is_told = apart < self.rate.span_ns(self.len as i64) / 2;
        let span_ns = Some(self.rate.span_ns(have as i64));
        (!is_told).then_some(Note { time_ns: time, span_ns, grows: have < self.len })
    }

    fn is_whole(&self, question: &Frame) -> bool {
        question.buffer().count() >= self.len
    }
}

impl ModelCall {
    fn of(node: &Node<'_>, planned: Planned, asks: &'static Asks) -> Result<Self, Diagnostics> {
        let stand_in = asks.stand_in_of(node, &planned)?;
        let unchanged = Unchanged::of(node)?;
        let growing = Growing::of(node, &planned);
        let read = (asks.read)(node, &planned)?;
        let Planned {
            service, input, shape, cut, order, in_flight, within, priority, rows, ..
        } = planned;
        let (quality, session) = (planned.quality, planned.session);
        let formats: Vec<_> =
            (0..node.kind().outputs.len()).map(|port| node.output(port).clone()).collect();
        let identity = identity(&service, input, &shape, &format!("{read:?} {formats:?}"));
        let ModelService { model, fixed, .. } = &service;
        let way = match rows {
            Some(rows) => Way::new(&rows.signature, input, shape, fixed, read)
                .map(|way| way.in_rows(rows.count)),
            None => Way::new(model.signature(), input, shape, fixed, read),
        };
        let terms = Terms { within: Some(within), priority };
        let door = way.and_then(|way| service.door(way, terms, quality, &session));
        let door = door.map_err(|why| {
            let message = format!("`{}` cannot be asked: {why}", model.name());
            let problem = node.problem(Code::MissingParameter, MODEL.name(), message);
            problem.hint("write such as `fixed = { sr = 16000 }` in its section")
        })?;
        let (cache, fit) = (service.cache, Arc::new(Fit::of(formats)));
        Ok(Self {
            asks,
            door,
            cache,
            identity,
            fit,
            cut,
            order,
            in_flight,
            within,
            stand_in,
            unchanged,
            growing,
        })
    }
}

/// Everything that decides an answer of a model besides the question's own numbers.
fn identity(service: &ModelService, input: usize, shape: &[usize], read: &str) -> Identity {
    let fixed = service.fixed.iter().map(|(name, value)| format!("{name}={:x}", value.to_bits()));
    let way = format!("{input} {shape:?} {:?} {read}", fixed.collect::<Vec<_>>());
    // Two runtimes round differently.
    Identity::of(&[b"model", service.model.backend().as_bytes(), way.as_bytes()])
}

impl Call for ModelCall {
    fn process(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        self.cut.process(io, &self.order);
        Ok(())
    }

    fn gap(&mut self, gap: &GapNotice) {
        self.cut.gap(gap);
        if let Some(unchanged) = &mut self.unchanged {
            unchanged.forget();
        }
    }

    fn ask(&mut self, question: &Frame, reply: Reply) -> Result<(), Fault> {
        let samples = question.buffer();
        let (have, takes) = (samples.floats().len(), self.door.takes());
        // Another host may ask, whose model takes something else.
        if self.growing.is_none() && have != takes {
            let why = format!("a question of {have} numbers, where the model takes {takes}");
            reply.fail(Fault::data(why));
            return Ok(());
        }
        let reply = match &mut self.unchanged {
            None => reply,
            Some(unchanged) => match unchanged.meet(samples, reply) {
                Some(reply) => reply,
                None => return Ok(()),
            },
        };
        let reply = match &self.stand_in {
            Some(stand_in) => stand_in.watch(reply),
            None => reply,
        };
        if let Some(growing) = &self.growing {
            match growing.note(question) {
                Some(note) => self.door.ask_about(samples.clone(), note, reply),
                None => reply.answer(Answer::nothing()),
            }
            return Ok(());
        }
        let Some(cache) = &self.cache else {
            self.door.ask(samples.clone(), reply);
            return Ok(());
        };
        // Which one is asked has to be known before: its answer, and no other's, is kept under its name.
        let chosen = self.door.choose(reply.left());
        let serves = self.door.model_at(chosen).content().now();
        let question = Question {
            // Another version gives other answers.
            key: Key::of(self.identity.of_content(serves.hash()), samples.bytes()),
            bytes: samples.bytes_len(),
            patience: self.within,
            fit: &self.fit,
            serves: Some(&serves),
            cost: None,
        };
        cache.ask(question, reply, || {
            let (door, samples) = (self.door.clone(), samples.clone());
            move |reply| door.ask_at(chosen, samples, reply)
        });
        Ok(())
    }

    fn in_flight(&self) -> usize {
        if self.growing.is_some() { 1 } else { self.in_flight }
    }

    fn deadline(&self) -> Option<Duration> {
        Some(self.within)
    }

    fn fallback(&mut self, question: &Frame) -> Option<Answer> {
        if self.growing.as_ref().is_some_and(|growing| !growing.is_whole(question)) {
            // More of the same will be asked about.
            return Some(Answer::nothing());
        }
        self.stand_in.as_ref()?.answer()
    }

    fn retune(&mut self, node: &Node<'_>) -> Result<(), Fault> {
        let wrong = |problems: Diagnostics| {
            let first = problems.0.first().map(|problem| problem.message.clone());
            Fault::new(first.unwrap_or_else(|| "it cannot be changed to that".to_owned()))
        };
        let planned = Planned::of(node).map_err(wrong)?;
        let mut fresh = Self::of(node, planned, self.asks).map_err(wrong)?;
        // What has been gathered for the next question, and what was answered last, stays.
        std::mem::swap(&mut fresh.cut, &mut self.cut);
        fresh.unchanged = fresh.unchanged.map(|it| it.after(self.unchanged.take()));
        if let (Some(StandIn::Last(_)), Some(StandIn::Last(known))) =
            (&fresh.stand_in, &self.stand_in)
        {
            fresh.stand_in = Some(StandIn::Last(known.clone()));
        }
        if let (Some(fresh), Some(old)) = (&fresh.growing, &self.growing) {
            fresh.told.store(old.told.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        *self = fresh;
        Ok(())
    }

    fn keeps_here(&self) -> Option<&'static str> {
        match (&self.growing, &self.unchanged) {
            (Some(_), _) => Some("with `grow_s` each question hangs on the answer before it"),
            (_, Some(_)) => {
                Some("with `skip_unchanged` each question is compared with the one before it")
            }
            _ => None,
        }
    }

    fn hear(&mut self, answer: &Answer) {
        if let Some(stand_in) = &self.stand_in {
            stand_in.hear(answer);
        }
    }

    fn remark(&self) -> Option<String> {
        self.unchanged.as_ref()?.remark()
    }
}

//! [`Answerer`]: answers what another host asks.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use engine::{Answer, Buffer, Call, Fault, Frame, LiveIo, LiveSource, Relay, Reply, Waiting};

use super::letter::{put_answer, read_question};
use crate::{
    carrier::{LentInlet, LentOutlet},
    driver::Arrived,
};

/// Of more questions than the call asks at once, times this, each is refused at once; and of fewer than
/// so many none.
const OPEN_MAX: [usize; 2] = [4, 16];
/// Bytes of questions that may be open.
const OPEN_BYTES_MAX: usize = 256 << 20;

/// A source without outputs: takes questions from the link, has a call answer them, and sends the answers
/// back.
pub(crate) struct Answerer {
    call: Box<dyn Call>,
    questions: LentInlet,
    outbox: Arc<Outbox>,
}

/// Where answers leave.
struct Outbox {
    /// None once nothing more will be sent.
    answers: Mutex<Option<LentOutlet>>,
    /// Longest answer, in bytes.
    most: usize,
    open: AtomicUsize,
    bytes: AtomicUsize,
}

/// The way back of one answer.
struct Back {
    outbox: Arc<Outbox>,
    number: u64,
    /// Its header; the content is not needed any more.
    about: Frame,
    bytes: usize,
    until: Option<Instant>,
}

impl Answerer {
    pub(crate) fn new(
        call: Box<dyn Call>,
        questions: LentInlet,
        answers: LentOutlet,
        most: usize,
    ) -> Self {
        let (open, bytes) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let outbox = Outbox { answers: Mutex::new(Some(answers)), most, open, bytes };
        Self { call, questions, outbox: Arc::new(outbox) }
    }

    fn ask(&mut self, frame: &Frame) -> Result<(), Fault> {
        // What is no question has no number to answer to: the other host does without.
        let Ok(question) = read_question(frame) else { return Ok(()) };
        let own = self.call.deadline();
        let left = [question.left, own].into_iter().flatten().min();
        let bytes = frame.buffer().bytes_len();
        let open = self.outbox.open.fetch_add(1, Ordering::Relaxed);
        let held = self.outbox.bytes.fetch_add(bytes, Ordering::Relaxed);
        let [times, least] = OPEN_MAX;
        let is_full = open >= self.call.in_flight().saturating_mul(times).max(least)
            || held.saturating_add(bytes) > OPEN_BYTES_MAX;
        let back = Arc::new(Back {
            outbox: self.outbox.clone(),
            number: question.number,
            about: Frame::new(frame.header, Buffer::with_bytes(0, 0)),
            bytes,
            until: left.and_then(|left| Instant::now().checked_add(left)),
        });
        let reply = Reply::through(back).within(left);
        if is_full {
            reply.give_up("the other host has too many questions open");
            return Ok(());
        }
        // Refused or dropped, the reply says so to who has asked.
        self.call.ask(&question.frame, reply)
    }

    async fn work(&mut self) -> Result<(), Fault> {
        loop {
            match self.questions.next().await {
                Some(Arrived::Frame(frame)) => self.ask(&frame)?,
                // Questions and answers are not taken back.
                Some(Arrived::Gap { .. } | Arrived::Bound(_) | Arrived::Flush | Arrived::Void) => {}
                Some(Arrived::End) | None => return Ok(()),
            }
        }
    }
}

impl LiveSource for Answerer {
    fn run<'a>(&'a mut self, _: &'a mut LiveIo) -> Waiting<'a> {
        Box::pin(async move {
            self.work().await?;
            self.questions.end();
            if let Some(answers) = self.outbox.lock().take() {
                answers.end();
            }
            Ok(())
        })
    }

    fn ends_within(&self) -> Option<Duration> {
        self.questions.ends_within()
    }
}

/// Answers that come later go nowhere.
impl Drop for Answerer {
    fn drop(&mut self) {
        drop(self.outbox.lock().take());
    }
}

impl Outbox {
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<LentOutlet>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Relay for Back {
    fn pass_on(&self, answer: Result<Answer, Fault>) {
        self.outbox.open.fetch_sub(1, Ordering::Relaxed);
        self.outbox.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        let frame = put_answer(self.number, &self.about, &answer, self.outbox.most);
        if let Some(answers) = &mut *self.outbox.lock() {
            answers.send(frame);
        }
    }

    fn is_wanted(&self) -> bool {
        self.until.is_none_or(|until| Instant::now() < until)
    }
}

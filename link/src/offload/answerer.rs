//! [`Answerer`]: answers what another host asks.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use engine::{Answer, Call, Fault, Frame, LiveIo, LiveSource, Relay, Reply, Waiting};

use super::letter::{put_answer, read_question};
use crate::{
    carrier::{LentInlet, LentOutlet},
    driver::Arrived,
};

/// Questions that may be open; of more each is refused at once.
const OPEN_MAX: usize = 1 << 10;

/// A source without outputs: takes questions from the link, has a call answer them, and sends the answers
/// back.
pub(crate) struct Answerer {
    call: Box<dyn Call>,
    questions: LentInlet,
    desk: Arc<Desk>,
}

/// Where answers leave.
struct Desk {
    /// None once nothing more will be sent.
    answers: Mutex<Option<LentOutlet>>,
    /// Longest answer, in bytes.
    most: usize,
    open: AtomicUsize,
}

/// The way back of one answer.
struct Back {
    desk: Arc<Desk>,
    number: u64,
    about: Frame,
    until: Option<Instant>,
}

impl Answerer {
    pub(crate) fn new(
        call: Box<dyn Call>,
        questions: LentInlet,
        answers: LentOutlet,
        most: usize,
    ) -> Self {
        let (answers, open) = (Mutex::new(Some(answers)), AtomicUsize::new(0));
        Self { call, questions, desk: Arc::new(Desk { answers, most, open }) }
    }

    fn ask(&mut self, frame: &Frame) -> Result<(), Fault> {
        // What is no question has no number to answer to: the other host does without.
        let Ok(question) = read_question(frame) else { return Ok(()) };
        let own = self.call.deadline();
        let left = [question.left, own].into_iter().flatten().min();
        self.desk.open.fetch_add(1, Ordering::Relaxed);
        let back = Arc::new(Back {
            desk: self.desk.clone(),
            number: question.number,
            about: Frame::new(frame.header, frame.buffer().clone()),
            until: left.and_then(|left| Instant::now().checked_add(left)),
        });
        let reply = Reply::through(back).within(left);
        if self.desk.open.load(Ordering::Relaxed) > OPEN_MAX {
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
                Some(Arrived::Gap { .. } | Arrived::Bound(_)) => {}
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
            if let Some(answers) = self.desk.lock().take() {
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
        drop(self.desk.lock().take());
    }
}

impl Desk {
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<LentOutlet>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Relay for Back {
    fn pass_on(&self, answer: Result<Answer, Fault>) {
        self.desk.open.fetch_sub(1, Ordering::Relaxed);
        let frame = put_answer(self.number, &self.about, &answer, self.desk.most);
        if let Some(answers) = &mut *self.desk.lock() {
            answers.send(frame);
        }
    }

    fn is_wanted(&self) -> bool {
        self.until.is_none_or(|until| Instant::now() < until)
    }
}

//! [`HandOver`]: the least that lies between one who asks and threads that run a model: a queue behind one lock, one
//! condition to wait for. No deadlines, priorities, costs, faults or counts; what a service adds to that is what it
//! takes more.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread::JoinHandle,
};

use engine::{Buffer, Reply};
use model::backend::{Array, Loaded, Values, rten};

/// Threads that run a model, each with a runner of its own. They end with it.
pub(crate) struct HandOver {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    work: Condvar,
    runs: AtomicU64,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<(Buffer, Reply)>,
    asleep: usize,
    ended: bool,
}

impl HandOver {
    /// So many threads, which take up to `most` questions at once.
    pub(crate) fn new(loaded: &Arc<dyn Loaded>, threads: usize, most: usize) -> Self {
        let shared = Arc::new(Shared::default());
        let thread = |_| {
            let (shared, loaded) = (shared.clone(), loaded.clone());
            let work = move || rten::on_own_thread(|| work(&shared, &*loaded, most));
            std::thread::spawn(work)
        };
        let threads = (0..threads).map(thread).collect();
        Self { shared, threads }
    }

    /// Runs so far.
    pub(crate) fn runs(&self) -> u64 {
        self.shared.runs.load(Ordering::Relaxed)
    }

    /// Lets a question wait.
    pub(crate) fn ask(&self, question: Buffer, reply: Reply) {
        let mut state = self.shared.lock();
        state.waiting.push_back((question, reply));
        let wakes = state.asleep > 0;
        drop(state);
        if wakes {
            self.shared.work.notify_one();
        }
    }
}

impl Drop for HandOver {
    fn drop(&mut self) {
        self.shared.lock().ended = true;
        self.shared.work.notify_all();
        self.threads.drain(..).for_each(|thread| thread.join().expect("it ends"));
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes out what waits, and waits for it; nothing at the end.
    fn take(&self, most: usize, into: &mut Vec<(Buffer, Reply)>) {
        let mut state = self.lock();
        while state.waiting.is_empty() && !state.ended {
            state.asleep += 1;
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.asleep -= 1;
        }
        let count = most.min(state.waiting.len());
        into.extend(state.waiting.drain(..count));
    }
}

fn work(shared: &Shared, loaded: &dyn Loaded, most: usize) {
    let mut runner = loaded.runner().expect("it runs");
    let mut outputs = vec![Vec::new(); loaded.signature().outputs.len()];
    let shape = loaded.signature().inputs[0].question().into_iter().flatten();
    let shape: Vec<usize> = std::iter::once(0).chain(shape).collect();
    let mut inputs = [Array { shape, values: Values::F32(Vec::new()) }];
    let mut taken = Vec::with_capacity(most);
    loop {
        shared.take(most, &mut taken);
        if taken.is_empty() {
            return;
        }
        inputs[0].shape[0] = taken.len();
        if let Values::F32(values) = &mut inputs[0].values {
            values.clear();
            taken.iter().for_each(|(question, _)| values.extend_from_slice(question.floats()));
        }
        runner.run(&inputs, &mut outputs).expect("it runs");
        shared.runs.fetch_add(1, Ordering::Relaxed);
        let each = outputs[0].len() / taken.len();
        for (answer, (_, reply)) in outputs[0].chunks(each).zip(taken.drain(..)) {
            reply.answer(Buffer::of_floats(answer, answer.len()));
        }
    }
}

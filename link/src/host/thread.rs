//! [`LinkThread`]: where sockets and sessions of a process wait.

use std::{io, sync::mpsc, thread::JoinHandle};

use tokio::{
    runtime::{Builder, Handle},
    sync::oneshot,
};

/// A thread with a runtime of its own. Dropping it ends everything on it.
#[derive(Debug)]
pub(super) struct LinkThread {
    handle: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl LinkThread {
    /// Starts the thread.
    ///
    /// # Errors
    /// If the system has none to spare.
    pub(super) fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let (begun, begins) = mpsc::sync_channel(1);
        let thread = std::thread::Builder::new().name("afferent-link".to_owned());
        let thread = thread.spawn(move || {
            let _ = begun.send(());
            // Dropped or sent, both mean the end.
            let _ = runtime.block_on(stopped);
            // A name that is looked up takes as long as the system likes, and nobody waits for it any more.
            runtime.shutdown_background();
        })?;
        let _ = begins.recv();
        Ok(Self { handle, stop: Some(stop), thread: Some(thread) })
    }

    /// Where tasks are spawned.
    pub(super) const fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for LinkThread {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // It has panicked at worst, which was told when it happened.
            let _ = thread.join();
        }
    }
}

//! Those who read too slowly, answer too late, or take the processor.

use std::{
    fs::File,
    io::{BufRead as _, BufReader, Read, Write as _},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use super::planted::Service;

#[expect(
    clippy::disallowed_methods,
    reason = "others take their time; there is nothing to wait for"
)]
pub(crate) fn sleep(span: Duration) {
    std::thread::sleep(span);
}

/// Between two looks of a slow reader.
const READS: Duration = Duration::from_millis(5);

/// Reads so many bytes a second until there are no more.
pub(crate) fn read(mut from: impl Read + Send + 'static, bytes_per_s: f64) {
    drop(std::thread::spawn(move || {
        let mut room = vec![0; (bytes_per_s * READS.as_secs_f64()).max(1.0) as usize];
        while from.read(&mut room).is_ok_and(|read| read > 0) {
            sleep(READS);
        }
    }));
}

pub(crate) fn read_pipe(path: PathBuf, bytes_per_s: f64) {
    drop(std::thread::spawn(move || {
        if let Ok(pipe) = File::open(path) {
            read(pipe, bytes_per_s);
        }
    }));
}

/// A service that is there as long as this is.
pub(crate) struct Served {
    pub(crate) port: u16,
    ended: Arc<AtomicBool>,
}

impl Served {
    pub(crate) fn start(service: &Service) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("it is bound").port();
        let ended = Arc::new(AtomicBool::new(false));
        let (service, over) = (service.clone(), ended.clone());
        let turn = Arc::new(Mutex::new(()));
        drop(std::thread::spawn(move || {
            for caller in listener.incoming().flatten() {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                let (service, turn) = (service.clone(), turn.clone());
                drop(std::thread::spawn(move || serve(&caller, &service, &turn)));
            }
        }));
        Self { port, ended }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // It looks when somebody calls.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn serve(caller: &TcpStream, service: &Service, turn: &Mutex<()>) {
    let _ = caller.set_nodelay(true);
    let mut asked = BufReader::new(caller);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if !asked.read_line(&mut line).is_ok_and(|read| read > 0) {
                return;
            }
            let line = line.trim().to_ascii_lowercase();
            if let Some(number) = line.strip_prefix("content-length:") {
                length = number.trim().parse().unwrap_or(0);
            }
            if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        if asked.read_exact(&mut body).is_err() {
            return;
        }
        let own = service.one_by_one.then(|| turn.lock().unwrap_or_else(PoisonError::into_inner));
        sleep(Duration::from_secs_f64(service.answer_ms / 1e3));
        drop(own);
        let body = "{\"score\": 1.0}";
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut caller = caller;
        if caller.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// Threads that take all of the processor they can get.
pub(crate) struct Neighbours {
    ended: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Neighbours {
    pub(crate) fn start(count: usize) -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        let one = |_| {
            let ended = ended.clone();
            std::thread::spawn(move || {
                while !ended.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            })
        };
        let threads = (0..count).map(one).collect();
        Self { ended, threads }
    }
}

impl Drop for Neighbours {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

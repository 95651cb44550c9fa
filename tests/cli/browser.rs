//! A headless Chromium, led over W3C WebDriver: JSON over plain HTTP to ChromeDriver.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::program::Folder;

/// Anything a page comes to takes a fraction of this, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// What Chromium is started with: no screen, and nobody asked for anything.
const ARGUMENTS: [&str; 9] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
];

/// A browser with one page.
pub(crate) struct Browser {
    driver: Child,
    port: u16,
    session: String,
    _profile: Folder,
}

impl Browser {
    /// Starts one; none where there is no Chromium, which is said.
    pub(crate) fn start() -> Option<Self> {
        let (Some(driver), Some(chromium)) = (
            found(&["chromedriver"]),
            found(&["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]),
        ) else {
            eprintln!(
                "SKIPPED: the page of `--web` in a browser: there is no Chromium with its driver; \
                 apt-get install chromium chromium-driver"
            );
            return None;
        };
        let mut driver = Command::new(driver)
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the driver starts");
        let mut said = BufReader::new(driver.stdout.take().expect("a pipe"));
        let port = loop {
            let mut line = String::new();
            assert!(said.read_line(&mut line).expect("text") > 0, "the driver says its port");
            let port = line.trim().trim_end_matches('.').rsplit_once("successfully on port ");
            if let Some(port) = port.and_then(|(_, port)| port.parse().ok()) {
                break port;
            }
        };
        let profile = Folder::with(&[]);
        let data = format!("--user-data-dir={}", profile.0.display());
        let arguments: Vec<&str> = ARGUMENTS.into_iter().chain([data.as_str()]).collect();
        let mut this = Self { driver, port, session: String::new(), _profile: profile };
        let made = this.ask(
            "POST",
            "/session",
            &json!({ "capabilities": { "alwaysMatch": {
                "goog:chromeOptions": { "binary": chromium, "args": arguments },
                "goog:loggingPrefs": { "browser": "ALL" },
            } } }),
        );
        made["sessionId"].as_str().expect("a session").clone_into(&mut this.session);
        Some(this)
    }

    /// One question to the driver, and the `value` of its answer.
    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("the driver listens");
        let asked = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.port,
            body.len()
        );
        stream.write_all(asked.as_bytes()).expect("it is heard");
        let mut said = BufReader::new(stream);
        let mut length = 0;
        loop {
            let mut line = String::new();
            said.read_line(&mut line).expect("text");
            let (name, value) = line.split_once(':').unwrap_or((line.trim(), ""));
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().expect("a number");
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut answer = vec![0; length];
        said.read_exact(&mut answer).expect("as long as it says");
        let mut answer: Value = serde_json::from_slice(&answer).expect("JSON");
        let value = answer["value"].take();
        assert!(value["error"].is_null(), "{method} {path}: {value}");
        value
    }

    fn of_session(&self, method: &str, path: &str, body: &Value) -> Value {
        self.ask(method, &format!("/session/{}{path}", self.session), body)
    }

    /// A screen so large, light or dark.
    pub(crate) fn screen(&self, width: u32, height: u32, is_dark: bool) {
        let devtools = |cmd: &str, params: Value| {
            let asked = json!({ "cmd": cmd, "params": params });
            self.of_session("POST", "/goog/cdp/execute", &asked);
        };
        let size =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        devtools("Emulation.setDeviceMetricsOverride", size);
        let scheme = if is_dark { "dark" } else { "light" };
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        devtools("Emulation.setEmulatedMedia", features);
    }

    pub(crate) fn open(&self, url: &str) {
        self.of_session("POST", "/url", &json!({ "url": url }));
    }

    /// What a script returns.
    pub(crate) fn run(&self, script: &str) -> Value {
        self.of_session("POST", "/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// Waits until a script returns something that is true.
    pub(crate) fn until(&self, script: &str) -> Value {
        let began = Instant::now();
        loop {
            let said = self.run(script);
            if said.as_bool() == Some(true) || said.as_f64() > Some(0.0) || said.is_string() {
                return said;
            }
            assert!(began.elapsed() < PATIENCE, "never so: {script}\n{}", self.text("body"));
            std::thread::yield_now();
        }
    }

    /// What is written in an element.
    pub(crate) fn text(&self, selector: &str) -> String {
        let script = format!("return document.querySelector({selector:?})?.innerText ?? ''");
        self.run(&script).as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn click(&self, selector: &str) {
        // SVG has no `click()` of its own.
        let event = "new MouseEvent('click', { bubbles: true })";
        self.run(&format!("document.querySelector({selector:?}).dispatchEvent({event})"));
    }

    /// What the page complained of since it was asked last.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let said = self.of_session("POST", "/se/log", &json!({ "type": "browser" }));
        let said = said.as_array().cloned().unwrap_or_default();
        said.iter().map(|entry| format!("{}: {}", entry["level"], entry["message"])).collect()
    }

    /// Keeps a picture of the screen where AFFERENT_SCREENSHOTS says, for people to look at.
    pub(crate) fn picture(&self, name: &str) {
        let Some(folder) = std::env::var_os("AFFERENT_SCREENSHOTS").map(PathBuf::from) else {
            return;
        };
        let said = self.of_session("GET", "/screenshot", &Value::Null);
        let png = decoded(said.as_str().expect("a picture"));
        std::fs::create_dir_all(&folder).expect("there is room");
        std::fs::write(folder.join(format!("{name}.png")), png).expect("there is room");
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver ends the browser, and is ended itself.
        if !self.session.is_empty() && !std::thread::panicking() {
            self.of_session("DELETE", "", &Value::Null);
        } else if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) {
            let asked = format!("DELETE /session/{} HTTP/1.1\r\nHost: x\r\n\r\n", self.session);
            let _ = stream.write_all(asked.as_bytes());
            let _ = stream.read(&mut [0; 64]);
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// The first of these programs that there is.
fn found(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let all = names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    all.into_iter().find(|path| path.is_file())
}

/// Bytes from base64.
fn decoded(text: &str) -> Vec<u8> {
    let digit = |c: u8| match c {
        b'A'..=b'Z' => c - b'A',
        b'a'..=b'z' => c - b'a' + 26,
        b'0'..=b'9' => c - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    for c in text.bytes().filter(|c| *c != b'=') {
        (bits, count) = (bits << 6 | u32::from(digit(c)), count + 6);
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    bytes
}

//! `--web`: the page in a browser, and what the program says of it.

use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    path::Path,
    process::{Child, ChildStderr},
};

use crate::{
    browser::Browser,
    program::{Folder, HEART, afferent, end_of, start},
};

/// A graph that runs with a page.
struct Served {
    child: Child,
    said: BufReader<ChildStderr>,
    url: String,
}

impl Served {
    fn start(folder: &Folder, arguments: &[&str]) -> Self {
        let mut words = vec!["run"];
        words.extend(arguments);
        words.extend(["--web", "127.0.0.1:0", "--no-attach"]);
        let mut child = start(folder, &words);
        let mut said = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut line = String::new();
        let url = loop {
            line.clear();
            assert!(said.read_line(&mut line).expect("text") > 0, "it says where its page is");
            if let Some(url) = line.trim().strip_prefix("the page is at ") {
                break url.to_owned();
            }
        };
        Self { child, said, url }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A graph of this repository, as it is named on a command line.
fn graph(name: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    root.join("graphs").join(name).display().to_string()
}

/// A sink whose reader never reads loses frames; what gets through is late.
const LOSSY: &str = r#"
[graph]
name = "lossy"
deadline_ms = 100

[node.ecg]
op = "ecg"

[node.clean]
op = "bandpass"
from = "ecg"
low_hz = 5.0
high_hz = 15.0

[node.beats]
op = "qrs"
from = "clean"

[node.tone]
op = "sine"
rate_hz = 16000.0
frequency_hz = 3.0

[node.soft]
op = "lowpass"
from = "tone"
cutoff_hz = 100.0

[node.log]
op = "jsonl"
from = "soft"
on_full = "drop_oldest"
capacity_ms = 200.0

[node.out]
op = "null"
from = ["beats", "ecg"]
stage = "apart"
"#;

/// What limits it is planted: one node that computes far longer than the others, as fast as it goes.
pub(crate) const SLOW: &str = r#"
[graph]
name = "slow"

[node.tone]
op = "sine"
rate_hz = 10000.0
frequency_hz = 3.0

[node.soft]
op = "lowpass"
from = "tone"
cutoff_hz = 100.0

[node.heavy]
op = "fir"
from = "soft"
low_hz = 10.0
high_hz = 400.0
taps = 4001

[node.out]
op = "null"
from = "heavy"
"#;

/// Another sink of it, on its own.
const LOUD: &str = r#"
[node.loud]
op = "null"
from = "soft"
stage = "apart"
"#;

/// Pixels that are painted on the nth waveform.
const PAINTED: &str = "const canvas = document.querySelector('#waves canvas.plot'); \
    if (!canvas || !canvas.width) return 0; \
    const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', { willReadFrequently: true }); \
    copy.drawImage(canvas, 0, 0); \
    const data = copy.getImageData(0, 0, canvas.width, canvas.height).data; \
    const colour = getComputedStyle(document.documentElement).getPropertyValue('--series-1').trim(); \
    const [r, g, b] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16)); \
    let painted = 0; \
    for (let n = 0; n < data.length; n += 4) { \
        if (data[n + 3] > 100 && Math.abs(data[n] - r) + Math.abs(data[n + 1] - g) + Math.abs(data[n + 2] - b) < 60) painted += 1; \
    } \
    return painted;";

/// Whether something is wider than the screen.
const WIDER: &str =
    "return document.documentElement.scrollWidth - document.documentElement.clientWidth";

#[test]
fn a_browser_shows_the_graph_alive_and_its_end() {
    let Some(browser) = Browser::start() else { return };
    let folder = Folder::with(&[]);
    let biofeedback = graph("biofeedback.toml");
    let mut served = Served::start(&folder, &[&biofeedback]);
    browser.screen(1_280, 800, false);
    browser.open(&served.url);
    browser.until("return document.querySelectorAll('[data-node]').length");
    let nodes = browser.run(
        "return [...document.querySelectorAll('[data-node]')].map((n) => n.dataset.node).join()",
    );
    assert_eq!(nodes, "ecg,clean,beats,hrv,level,slow,pieces,kind,out");
    assert_eq!(browser.run("return document.title"), "biofeedback — Afferent");
    assert_eq!(browser.run("return location.hash"), "", "the token does not stay in the address");
    assert_eq!(browser.run("return document.querySelector('#controls').hidden"), true);

    // A second of it at the least; and it goes on.
    browser.until(&PAINTED.replace("return painted", "return painted > 300 ? painted : 0"));
    let painted = "const tiles = document.querySelector('#tiles').innerText;";
    let first = browser.text("#tiles");
    let moves = format!("{painted} return tiles !== {first:?}");
    browser.until(&moves);
    browser.until("return document.querySelector('#state').innerText === 'running'");
    let rated = "return [...document.querySelectorAll('.rate')].every((of) => parseFloat(of.textContent) > 0)";
    browser.until(rated);

    browser.click("[data-node=clean]");
    browser.until("return document.querySelector('#details [data-tap=clean] output').innerText.includes('mV')");
    assert!(browser.text("#details").contains("low_hz"), "{}", browser.text("#details"));
    assert_eq!(browser.run("return document.querySelectorAll('.knob').length"), 0, "it only shows");
    // Beats are marked by then, and the rate of the heart has a line.
    browser.until("return [...document.querySelectorAll('#waves output')].some((of) => of.innerText.includes('bpm'))");
    browser.picture("biofeedback-1280-light");
    for (width, is_dark, name) in
        [(1_280, true, "biofeedback-1280-dark"), (380, false, "biofeedback-380-light")]
    {
        browser.screen(width, 800, is_dark);
        browser.until(&PAINTED.replace("return painted", "return painted > 100 ? painted : 0"));
        assert_eq!(browser.run(WIDER), 0, "at {width} pixels");
        browser.picture(name);
    }
    browser.run("document.querySelector('#waves').scrollIntoView()");
    browser.picture("biofeedback-380-waves");
    browser.screen(1_280, 800, false);

    #[cfg(unix)]
    {
        let pid = rustix::process::Pid::from_child(&served.child);
        rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it is ours");
        let (status, _) = end_of(&mut served.child);
        assert_eq!(status.code(), Some(0));
        browser.until(
            "return document.querySelector('#state').innerText.startsWith('ended: drained after')",
        );
        assert!(browser.run(PAINTED).as_f64() > Some(0.0), "the last picture stays");
        browser.run("scrollTo(0, 0)");
        browser.picture("biofeedback-ended");
    }
    assert_eq!(browser.complaints(), Vec::<String>::new());
    let mut rest = String::new();
    let _ = std::io::Read::read_to_string(&mut served.said, &mut rest);
}

#[test]
fn a_browser_shows_drops_and_sessions_and_stops_the_run_where_it_may() {
    let Some(browser) = Browser::start() else { return };
    let folder = Folder::with(&[("lossy.toml", LOSSY)]);
    let mut served = Served::start(&folder, &["lossy.toml", "--sessions", "3", "--allow-control"]);
    browser.screen(1_280, 800, false);
    browser.open(&served.url);
    browser.until("return document.querySelectorAll('#session option').length === 3");
    browser.until("return document.querySelectorAll('.node.bad').length");
    browser.until("return document.querySelector('#drops').innerText.includes('full')");
    browser.until(&PAINTED.replace("return painted", "return painted > 300 ? painted : 0"));
    browser.click("[data-node=ecg]");
    browser.until("return document.querySelectorAll('#details .knob').length");
    let session = "const pick = document.querySelector('#session'); pick.value = '2'; \
        pick.dispatchEvent(new Event('change'));";
    browser.run(session);
    browser.until(&PAINTED.replace("return painted", "return painted > 100 ? painted : 0"));
    let set = "const knob = [...document.querySelectorAll('#details tr')]\
        .find((row) => row.textContent.startsWith('heart_rate_bpm')); \
        knob.querySelector('input').value = '90'; knob.querySelector('button').click();";
    browser.run(set);
    browser.until("return document.querySelector('#details .said.good') !== null");
    browser.until(
        "return document.querySelector('#details .params').textContent.includes('was 70.0')",
    );
    browser.picture("lossy-1280-light");
    browser.screen(1_280, 800, true);
    browser.until("return document.querySelector('#state').innerText === 'running'");
    browser.picture("lossy-1280-dark");
    browser.screen(380, 800, true);
    browser.until(&PAINTED.replace("return painted", "return painted > 50 ? painted : 0"));
    assert_eq!(browser.run(WIDER), 0, "at 380 pixels");
    browser.picture("lossy-380-dark");

    let press = |name: &str| {
        browser.run(&format!(
            "[...document.querySelectorAll('#controls button')].find((of) => of.innerText === {name:?}).click()"
        ));
    };
    press("Pause");
    browser.until("return document.querySelector('#state').innerText === 'paused'");
    press("Resume");
    browser.until("return document.querySelector('#state').innerText === 'running'");
    press("Stop");
    press("Stop now?");
    let (status, _) = end_of(&mut served.child);
    assert_eq!(status.code(), Some(1), "what was inside is lost");
    browser.until(
        "return document.querySelector('#state').innerText.startsWith('ended: stopped after')",
    );
    assert_eq!(browser.run("return document.querySelector('#controls').hidden"), true);
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn a_browser_shows_where_the_time_goes_and_what_limits() {
    let Some(browser) = Browser::start() else { return };
    let folder = Folder::with(&[("slow.toml", &format!("{SLOW}{LOUD}"))]);
    let served = Served::start(&folder, &["slow.toml", "--speed", "max"]);
    browser.screen(1_280, 900, false);
    browser.open(&served.url);
    browser
        .until("return document.querySelector('#limit')?.innerText.startsWith('compute heavy: ')");
    assert!(browser.text("#change").contains("[node.heavy]"), "{}", browser.text("#change"));
    browser.until("return document.querySelectorAll('#time-sinks [data-time]').length === 2");
    let first = "const row = document.querySelector('[data-time=out] .legs tbody tr'); ";
    browser.until(&format!("{first} return row?.querySelector('th').innerText === 'heavy'"));
    let share = format!("{first} return parseFloat(row.querySelector('td').innerText)");
    assert!(browser.run(&share).as_f64() > Some(50.0), "{}", browser.text("[data-time=out]"));
    // Words beside the colours: what is drawn is told, and sums up.
    let sum = "return [...document.querySelectorAll('[data-time=out] .way .keys')].map((of) => \
        [...of.innerText.matchAll(/(?:waiting|computing|moving) <?([0-9.]+) %/g)].reduce((sum, [, share]) => sum + Number(share), 0))";
    let sums = browser.run(sum);
    for sum in sums.as_array().expect("two latencies") {
        let sum = sum.as_f64().expect("a number");
        // Each of three is rounded to a whole per cent, or to a tenth.
        assert!((98.4..101.6).contains(&sum), "{sums}: {}", browser.text("[data-time=out]"));
    }
    let drawn = "const bar = document.querySelector('[data-time=out] .bar'); \
        return [...bar.children].reduce((sum, rect) => sum + Number(rect.getAttribute('width')), 0)";
    let drawn = browser.run(drawn).as_f64().expect("a width");
    assert!((999.0..1_001.0).contains(&drawn), "the whole of a bar is the whole: {drawn}");
    assert_eq!(browser.run("return document.querySelectorAll('#time [aria-live]').length"), 0);
    browser.until(
        "return document.querySelector('[data-node=heavy]').getAttribute('aria-label').includes('of the latency at out')",
    );

    // A node of the table is looked into like one of the graph.
    browser.run(&format!("{first} row.querySelector('button').click()"));
    browser.until("return document.querySelector('#details').innerText.includes(' at out: ')");
    browser.run("document.querySelector('#time').scrollIntoView()");
    browser.picture("time-1280-light");
    for (width, is_dark, name) in [
        (1_280, true, "time-1280-dark"),
        (380, false, "time-380-light"),
        (380, true, "time-380-dark"),
    ] {
        browser.screen(width, 900, is_dark);
        browser.run("document.querySelector('#time').scrollIntoView()");
        assert_eq!(browser.run(WIDER), 0, "at {width} pixels");
        browser.picture(name);
    }
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn a_browser_without_the_token_is_asked_for_it() {
    let Some(browser) = Browser::start() else { return };
    let folder = Folder::with(&[("heart.toml", HEART)]);
    let served = Served::start(&folder, &["heart.toml"]);
    let (bare, token) = served.url.split_once("#token=").expect("a token is made up");
    browser.screen(1_280, 800, false);
    browser.open(bare);
    browser.until("return !document.querySelector('#gate').hidden");
    browser.run("document.querySelector('#token').value = 'wrong'; document.querySelector('#gate').requestSubmit()");
    browser.until("return document.querySelector('#gate-why').innerText.includes('not the one')");
    browser.picture("token");
    browser.run(&format!(
        "document.querySelector('#token').value = {token:?}; document.querySelector('#gate').requestSubmit()"
    ));
    browser.until("return document.querySelectorAll('[data-node]').length");
    browser.run("location.reload()");
    browser.until("return document.querySelectorAll('[data-node]').length");
    let complaints = browser.complaints();
    assert!(complaints.iter().all(|said| said.contains("401")), "{complaints:?}");
}

#[test]
fn a_page_that_cannot_be_served_starts_nothing() {
    let folder = Folder::with(&[("heart.toml", HEART)]);
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it has one").to_string();
    let no = |arguments: &[&str], code: i32, words: &[&str]| {
        let words_of_run = [&["run", "heart.toml", "--speed", "max"], arguments].concat();
        let ended = afferent(&folder, &words_of_run);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(code), ""), "{}", ended.stderr);
        for word in words {
            assert!(ended.stderr.contains(word), "{word}: {}", ended.stderr);
        }
    };
    no(&["--web", &address], 74, &["cannot listen on", "another program has this port"]);
    no(&["--web", "0.0.0.0:0"], 2, &["open to other machines", "AFFERENT_WEB_TOKEN"]);
    no(&["--web", "0.0.0.0:0", "--web-token", "short"], 2, &["its token is short"]);
    no(&["--web", "nowhere"], 2, &["is no address", "127.0.0.1:8080"]);
    no(&["--allow-control"], 2, &["--web <ADDRESS>"]);
    no(&["--web-token", "0123456789abcdef"], 2, &["--web <ADDRESS>"]);
}

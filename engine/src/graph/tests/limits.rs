//! Large files, hostile files, and files that are no files.

use std::fmt::Write;
use std::time::{Duration, Instant};

use crate::graph::{Code, FILE_BYTES_MAX, GraphSpec, Override};

/// Everything a caller does with bytes: read, override, judge, print.
fn exercise(bytes: &[u8]) {
    match GraphSpec::parse_bytes("fuzz.toml", bytes) {
        Ok(mut spec) => {
            let text = String::from_utf8_lossy(bytes);
            let changes: Vec<_> = text.lines().flat_map(Override::parse).collect();
            spec.apply(&changes);
            let _ = spec.checked().map_err(|problems| problems.render(true));
        }
        Err(problems) => assert!(!problems.render(true).is_empty()),
    }
}

fn first_code(bytes: &[u8]) -> Code {
    let problems = GraphSpec::parse_bytes("g.toml", bytes).expect_err("refused");
    problems.0[0].code
}

fn chain(nodes: usize) -> String {
    let mut text = String::new();
    for n in 0..nodes {
        let from = n.saturating_sub(1);
        write!(
            text,
            "[node.n{n}]\nop = \"bandpass\"\nfrom = \"n{from}\"\nlow_hz = 5.0\nhigh_hz = 15.0\n\n"
        )
        .expect("a String");
    }
    text
}

/// It takes 0.08 s, optimised, on two busy cores. The margin is for machines under load; work that
/// grows with the square of the nodes would still show.
const AT_ONCE: Duration = Duration::from_secs(2);

#[test]
fn ten_thousand_nodes_are_read_at_once() {
    let text = chain(10_000);
    let start = Instant::now();
    let spec = GraphSpec::parse_bytes("g.toml", text.as_bytes()).expect("valid");
    assert!(spec.problems().is_empty());

    assert!(start.elapsed() < AT_ONCE, "{:?}", start.elapsed());
    assert_eq!(spec.nodes.len(), 10_000);
}

#[test]
fn ten_thousand_problems_are_found_and_printed_as_fast() {
    let text = chain(10_000).replace("5.0\nhigh", "5.0\ncore = -1\nhigh");
    let start = Instant::now();
    let spec = GraphSpec::parse_bytes("g.toml", text.as_bytes()).expect("is TOML");
    let problems = spec.checked().expect_err("every node is wrong");
    let rendered = problems.render(false);

    assert!(start.elapsed() < AT_ONCE, "{:?}", start.elapsed());
    assert_eq!(problems.0.len(), 10_000);
    assert!(rendered.contains("… and 9000 more\n"));
    assert!(rendered.ends_with("10000 problems; nothing was started\n"));
}

#[test]
fn what_is_no_text_is_refused_with_the_byte() {
    let problems = GraphSpec::parse_bytes("g.toml", b"[node.a]\nop = \"\xff\"").expect_err("bytes");

    assert_eq!(
        problems.to_string(),
        "\
error[not-text]: byte 0xff is not UTF-8 text
 --> g.toml:2:7
  |
2 | op = \"\u{fffd}\"
  |       ^
  = hint: save it as UTF-8

1 problem; nothing was started
"
    );
    assert_eq!(first_code(b"\xff\xfe[\0n\0"), Code::NotText);
    assert_eq!(first_code(b"[node.a]\nop = \"x\0\""), Code::Syntax);
}

#[test]
fn a_file_too_large_is_not_even_read() {
    let huge = "x".repeat(100 << 20);

    let problems = GraphSpec::parse_bytes("g.toml", huge.as_bytes()).expect_err("100 MB");

    assert_eq!(problems.0[0].code, Code::TooLarge);
    assert!(problems.render(false).contains(" --> g.toml\n"));
    assert_eq!(first_code("[a]\n".repeat(50_000).as_bytes()), Code::TooLarge);
}

#[test]
fn endless_nesting_is_an_error() {
    let deep = 200_000;
    for text in [
        "a = ".to_owned() + &"[".repeat(deep),
        "a = ".to_owned() + &"{a=".repeat(deep),
        "a.".repeat(deep) + "a = 1",
        format!("[{}a]", "a.".repeat(deep)),
        format!("a = {{{}a = 1}}", "a.".repeat(deep)),
        format!("[[{}a]]\nb = 1", "test.".repeat(deep)),
    ] {
        assert_eq!(first_code(text.as_bytes()), Code::Syntax);
    }
}

#[test]
fn the_deepest_nesting_that_is_read_fits_a_small_stack() {
    let text = format!(
        "[node.n.{}a]\n{}a = {}1{}",
        "a.".repeat(70),
        "b.".repeat(70),
        "[".repeat(70),
        "]".repeat(70)
    );
    let thread = std::thread::Builder::new().stack_size(512 << 10);
    let reading = thread.spawn(move || exercise(text.as_bytes())).expect("a thread starts");
    reading.join().expect("no overflow");
}

#[test]
fn a_text_as_long_as_the_file_may_be_is_cut_in_messages() {
    let text = format!("[node.a]\nop = \"x\"\nstage = \"{}\"", "y".repeat(FILE_BYTES_MAX - 100));
    let spec = GraphSpec::parse_bytes("g.toml", text.as_bytes()).expect("is TOML");

    let rendered = spec.checked().expect_err("no name").render(false);

    assert!(rendered.len() < 2_000, "{}", rendered.len());
}

/// xorshift64*, so that the same seed makes the same bytes on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % limit
    }
}

const ROUNDS: usize = 3_000;

#[test]
fn random_bytes_never_panic() {
    let mut random = Random(0x5eed);
    for _ in 0..ROUNDS {
        let length = random.below(200);
        let bytes: Vec<u8> = (0..length).map(|_| random.below(256) as u8).collect();
        exercise(&bytes);
    }
}

#[test]
fn random_words_never_panic() {
    const WORDS: &[&str] = &[
        "[",
        "]",
        "[[",
        "]]",
        "{",
        "}",
        "=",
        ".",
        ",",
        "\n",
        "\n",
        " ",
        "\"",
        "'",
        "\"\"\"",
        "#",
        "node",
        "graph",
        "test",
        "model",
        "op",
        "from",
        "set",
        "expect",
        "input",
        "a",
        "b",
        "ecg",
        "-1",
        "0",
        "3.5",
        "nan",
        "true",
        "2026-11-21",
        "ä",
        "\u{1f600}",
        "\\u0041",
        "\r\n",
        "\t",
        "count",
        "samples",
        "events",
        "t_s",
        "rate_hz",
        "on_full",
        "\"block\"",
        "..",
        "/",
    ];
    let mut random = Random(0x5eed);
    for _ in 0..ROUNDS {
        let length = random.below(60);
        let text: String = (0..length).map(|_| WORDS[random.below(WORDS.len())]).collect();
        exercise(text.as_bytes());
    }
}

#[test]
fn damaged_files_never_panic() {
    let whole = include_str!("diagnostics.txt").as_bytes();
    let mut random = Random(0x5eed);
    for _ in 0..ROUNDS {
        let start = random.below(whole.len());
        let end = (start + random.below(800)).min(whole.len());
        let mut bytes = whole[start..end].to_vec();
        for _ in 0..random.below(6) {
            if bytes.is_empty() {
                break;
            }
            let at = random.below(bytes.len());
            match random.below(4) {
                0 => bytes[at] = random.below(256) as u8,
                1 => {
                    bytes.remove(at);
                }
                2 => bytes.insert(at, b"[]{}=.,\"'\n #"[random.below(12)]),
                _ => bytes.truncate(at),
            }
        }
        exercise(&bytes);
    }
}

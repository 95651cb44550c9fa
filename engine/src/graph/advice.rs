//! What `afferent explain CODE` tells besides the sentence of a code: an example of the mistake,
//! and what to do about it.

use super::code::Code;

impl Code {
    /// Lines of a graph file, or of the command line, that make the mistake.
    pub fn example(self) -> &'static str {
        self.advice().0
    }

    /// What to do about it, in a sentence or two.
    pub fn remedy(self) -> &'static str {
        self.advice().1
    }

    fn advice(self) -> (&'static str, &'static str) {
        let found = ADVICE.iter().find(|(code, ..)| *code == self);
        let (_, example, remedy) = found.expect("a test sees to it that every code has its advice");
        (example, remedy)
    }
}

const ADVICE: &[(Code, &str, &str)] = &[
    (
        Code::AboveNyquist,
        "[node.clean]             # `ecg` delivers 100 samples per second\nop      = \"bandpass\"\nfrom    = \"ecg\"\nlow_hz  = 5.0\nhigh_hz = 80.0           # below 50.0",
        "Choose a frequency below half the sample rate, or a source with a higher one.",
    ),
    (
        Code::BadFile,
        "--set ecg.op=wfdb --set ecg.file=100.dat    # the header is 100.hea",
        "Look at the place in the file that the message names. The file may be of another format, cut off, or not what it says it is.",
    ),
    (
        Code::BadFrom,
        "from = \"ecg:truth\"       # a port stands behind a point: \"ecg.truth\"",
        "Write `node`, `node.port`, `node[channels]` or `node.port[channels]`; channels by name or number: `eeg[Fz,Cz]`, `eeg[0..4]`.",
    ),
    (
        Code::BadName,
        "[node.Left-Hand]         # left_hand",
        "Begin with a letter and use lower-case letters, digits and `_`.",
    ),
    (
        Code::BadTest,
        "[[test.expect]]\nfrom  = \"ecg\"\nfield = \"rr_ms\"          # `ecg` carries samples, which have no fields",
        "Ask for what the output carries. `afferent explain test` tells what a test may say, `afferent check` what an output carries.",
    ),
    (
        Code::BudgetTooSmall,
        "deadline_ms = 20         # a join waits 80 ms for the slower of its inputs",
        "Allow more, wait less (`max_wait_ms`), or give the slow branch a filter with less delay.",
    ),
    (
        Code::CannotBypass,
        "[node.beats]\nop       = \"qrs\"          # takes a signal and gives events\non_fault = \"bypass\"",
        "Choose `restart`, `stop` or `hold_last`.",
    ),
    (
        Code::CannotMove,
        "[node.beats]\nop = \"qrs\"\non = [\"edge\", \"cloud\"]   # keeps what it has seen where it is",
        "Name one host. What asks a model or a service, such as `classify`, may name two: its home and another that answers as well.",
    ),
    (
        Code::Cycle,
        "[node.a]\nop   = \"copy\"\nfrom = \"b\"\n\n[node.b]\nop   = \"copy\"\nfrom = \"a\"",
        "Take one of the edges out: no frame could ever enter.",
    ),
    (
        Code::DeadLock,
        "[node.both]              # the other is 500 ms late\nop          = \"align\"\nfrom        = [\"ecg\", \"slow\"]\ncapacity_ms = 100",
        "Give the input that waits room for as long as the other is late (`capacity_ms`).",
    ),
    (
        Code::DoorClash,
        "[node.live]\nop = \"websocket\"         # a session for each of its connections\n\n[node.ask]\nop = \"http\"              # and who answers while there is none?",
        "Make two graphs of them, each with a port of its own.",
    ),
    (
        Code::DuplicateName,
        "GraphSpec::new(\"g\").node(\"ecg\", …).node(\"ecg\", …)",
        "Give one of them another name.",
    ),
    (Code::EmptyGraph, "[graph]\nname = \"empty\"", "Write a table `[node.NAME]` for each node."),
    (
        Code::FileAccess,
        "[node.ecg]\nop   = \"wfdb\"\nfile = \"records\"         # a folder",
        "Name a file, not a folder, and make it readable or writable for this user.",
    ),
    (
        Code::FileClash,
        "[node.table]\nop   = \"csv\"\nfile = \"mine.csv\"        # which `ecg` reads\nfrom = \"ecg\"",
        "Write to another file: writing begins by emptying it.",
    ),
    (
        Code::FormatMismatch,
        "[node.clean]\nop   = \"bandpass\"        # filters samples\nfrom = \"beats\"           # events",
        "Take another output, or put a node in between that makes the one of the other.",
    ),
    (
        Code::IncludeCycle,
        "[include.left]            # in left.toml\nfile = \"left.toml\"",
        "Take one of the includes out.",
    ),
    (
        Code::MissingInput,
        "[node.clean]\nop = \"bandpass\"          # of what?",
        "Name a node in `from`; for a kind with several ports, one for each.",
    ),
    (
        Code::MissingParameter,
        "[node.clean]\nop     = \"bandpass\"\nfrom   = \"ecg\"\nlow_hz = 5.0             # `high_hz` has no default",
        "Write the key. `afferent explain KIND` tells which a kind needs.",
    ),
    (
        Code::NeverSettles,
        "[node.both]\nop          = \"align\"\nfrom        = [\"ecg\", \"slow\"]   # `slow` is 500 ms late\nmax_wait_ms = 100",
        "Wait at least as long as the input is late, or without limit.",
    ),
    (
        Code::NoAddress,
        "[host.edge]\n[host.cloud]              # where is it?",
        "Give one of the two an `address`, such as `address = [\"127.0.0.1:24433\"]`: the other calls it there.",
    ),
    (Code::NoCarrier, "[node.net]\non = \"cloud\"", "Run the graph on one host: leave `on` out."),
    (
        Code::NoDevice,
        "[node.mic]\nop = \"microphone\"\ndevice = \"hw:7\"",
        "Name one that `afferent devices` lists.",
    ),
    (
        Code::NoEffect,
        "[node.clean]\nop      = \"bandpass\"\nidle_ms = 100            # only live sources fall silent",
        "Leave the key out, or write it where it counts: `afferent explain KEY` tells where.",
    ),
    (
        Code::NoHost,
        "[host.edge]\n[host.cloud]\n[node.ecg]               # on which of them?",
        "Write `on = \"HOST\"` at the sources.",
    ),
    (
        Code::NoOutput,
        "[node.out]\nop   = \"jsonl\"\n\n[node.next]\nop   = \"copy\"\nfrom = \"out\"             # a sink delivers nothing",
        "Take the node that the sink takes.",
    ),
    (
        Code::NoSuchFile,
        "[node.ecg]\nop   = \"wfdb\"\nfile = \"100.hea\"         # sought beside the graph file",
        "Check the name and the folder. A path in a graph file starts from the folder of that file, one in `--set` from the current folder; `~` is not expanded.",
    ),
    (
        Code::NobodyAnswers,
        "[node.ask]\nop    = \"http\"\nshape = [1, 250]         # and no `op = \"http\"` with a `from`",
        "Add a sink that answers: a node of the same kind whose `from` is what the answer shall be.",
    ),
    (Code::NotText, "a graph file saved as UTF-16", "Save it as UTF-8."),
    (
        Code::NotWhileRunning,
        "rate_hz = 500.0           # it was 250.0 when `--watch` began",
        "Take it back, or end the run and start it again.",
    ),
    (
        Code::NothingLeaves,
        "[node.ecg]\nop = \"ecg\"              # and no node with `op = \"jsonl\"` or another sink",
        "Add a sink, or nothing will be seen.",
    ),
    (
        Code::OpenToAll,
        "[node.ask]\nop      = \"http\"\naddress = \"0.0.0.0\"      # and no `token_env`",
        "Name a token with `token_env` or `token_file`, or leave `address` out.",
    ),
    (
        Code::OutOfRange,
        "order = 11               # 1 to 10",
        "Choose a value that the message names. `afferent explain KIND` tells ranges and defaults.",
    ),
    (
        Code::Outrun,
        "[node.out]\nop   = \"csv\"\nfrom = \"radio\"           # 20 million samples a second, as text",
        "Send it less: `resample`, `decimate`, fewer channels, a feature of each window; or give a model more workers or a cheaper variant.",
    ),
    (
        Code::RateMismatch,
        "[node.both]\nop   = \"align\"\nfrom = [\"ecg\", \"eeg\"]    # 250 and 256 samples per second, joined exactly",
        "Bring both to one rate, or join by `nearest` or `hold`.",
    ),
    (
        Code::SettlesLate,
        "[node.level]\nop        = \"highpass\"\ncutoff_hz = 0.01           # 100 s until it has settled",
        "Set `settle = true`, give it a longer input, a wider band or a shorter window.",
    ),
    (
        Code::StageConflict,
        "[node.a]\nstage = \"s\"\ncore  = 0\n\n[node.b]\nstage = \"s\"\ncore  = 1                # one stage runs on one core",
        "Give the nodes different stages, or the same keys.",
    ),
    (
        Code::StageNotConvex,
        "a (stage \"s\") → b → c (stage \"s\")",
        "Put what lies between into the stage, too, or take an end out.",
    ),
    (
        Code::Syntax,
        "op = ecg                 # texts stand in quotes: \"ecg\"",
        "Mend the line; https://toml.io shows how TOML is written.",
    ),
    (
        Code::TakesNoInput,
        "[node.ecg]\nop   = \"ecg\"\nfrom = \"other\"",
        "Leave `from` out, or choose a kind that takes an input.",
    ),
    (
        Code::TooLarge,
        "afferent run recording.dat",
        "Name a graph file; keep recordings in files of their own, and start sessions in place of copies.",
    ),
    (
        Code::TooManyInputs,
        "[node.clean]\nop   = \"bandpass\"\nfrom = [\"ecg\", \"eeg\"]    # takes one",
        "Write a node for each, or merge them first.",
    ),
    (
        Code::UnitMismatch,
        "from = \"eda\"             # microsiemens, where millivolts are wanted",
        "Scale by the factor that the hint names, or take another output.",
    ),
    (
        Code::UnknownChannel,
        "from = \"ecg[V9]\"",
        "Choose one of the channels that the message lists, or a number from 0.",
    ),
    (Code::UnknownHost, "[node.net]\non = \"clowd\"", "Name a host that has its `[host.NAME]`."),
    (
        Code::UnknownKey,
        "[node.clean]\nop     = \"bandpass\"\nlow_hs = 5.0             # low_hz",
        "Correct the key. `afferent explain KIND` lists the parameters of a kind, `afferent explain node` the keys of every node.",
    ),
    (
        Code::UnknownKind,
        "op = \"bandpas\"           # bandpass",
        "Choose one that `afferent list` prints.",
    ),
    (
        Code::UnknownModel,
        "model = \"hart\"          # [model.heart]",
        "Describe the model in a section of its own, with its `file`, and name that section.",
    ),
    (Code::UnknownNode, "from = \"egc\"             # ecg", "Name a node of this graph."),
    (
        Code::UnknownPort,
        "from = \"ecg.thruth\"      # ecg.truth",
        "Name a port of the kind; `afferent explain KIND` lists them.",
    ),
    (
        Code::Unstable,
        "[node.level]\nop        = \"highpass\"\ncutoff_hz = 0.001          # of a million samples per second",
        "Reduce the rate first (`decimate`), or choose a higher frequency.",
    ),
    (
        Code::UnusedOutput,
        "[node.clean]             # and no `from = \"clean\"` anywhere\nop   = \"bandpass\"\nfrom = \"ecg\"",
        "Feed a node from it, or leave it out with `enabled = false`.",
    ),
    (
        Code::Useless,
        "[node.wide]\nop        = \"lowpass\"\ncutoff_hz = 124            # of 250 samples per second",
        "Leave the filter out, or choose frequencies that are there; a `fir` needs more taps for lower ones.",
    ),
    (
        Code::WindowTooLong,
        "[node.mean]\nwindow_s = 1e6           # more samples than a buffer holds",
        "Shorten the window, or reduce the rate first.",
    ),
    (
        Code::WrongType,
        "low_hz = \"5\"             # low_hz = 5.0",
        "Write a value of the type that the message names.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_advice_once_and_in_order() {
        let advised: Vec<Code> = ADVICE.iter().map(|(code, ..)| *code).collect();

        assert_eq!(advised, Code::ALL);
    }

    #[test]
    fn remedies_are_sentences_and_examples_fit_a_terminal() {
        for (code, example, remedy) in ADVICE {
            assert!(remedy.starts_with(char::is_uppercase) && remedy.ends_with('.'), "{code:?}");
            let widest = example.lines().map(|line| line.chars().count()).max();
            assert!(widest.is_some_and(|columns| (1..=78).contains(&columns)), "{code:?}");
        }
    }
}

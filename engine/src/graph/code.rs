//! The codes of all diagnostics, one line each.

/// Writes the enum, its names and its explanations from one list, so that no code can lack one.
macro_rules! codes {
    ($($variant:ident $name:literal $explanation:literal)+) => {
        /// What is wrong with a graph, as a stable word that can be searched for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Code {
            $(#[doc = $explanation] $variant,)+
        }

        impl Code {
            /// Every code, in the order of the list.
            pub const ALL: &[Code] = &[$(Code::$variant,)+];

            /// The word in brackets: `unknown-key`.
            pub fn name(self) -> &'static str {
                match self {
                    $(Code::$variant => $name,)+
                }
            }

            /// One sentence about what the code means.
            pub fn explanation(self) -> &'static str {
                match self {
                    $(Code::$variant => $explanation,)+
                }
            }
        }
    };
}

codes! {
    AboveNyquist "above-nyquist" "A frequency is not below half the sample rate."
    BadFile "bad-file" "A file is not what its kind can read."
    BadFrom "bad-from" "A `from` is not written as `path[.port][[channels]]`."
    BadName "bad-name" "A name is not lower-case letters, digits and `_`, a letter first."
    BadTest "bad-test" "A `[[test]]` block asks for something that cannot be checked."
    BudgetTooSmall "budget-too-small" "Frames must wait longer than the latency allows."
    CannotBypass "cannot-bypass" "A node has no output that its input could pass for."
    CannotMove "cannot-move" "A node names two hosts, and only one can run it."
    Cycle "cycle" "Nodes feed each other in a circle."
    DeadLock "dead-lock" "A join waits for frames that a full ring keeps back."
    DoorClash "door-clash" "Sessions come and go at one node, and another waits for visitors as well."
    DuplicateName "duplicate-name" "Two things of one graph have the same name."
    EmptyGraph "empty-graph" "The graph has no nodes."
    FileAccess "file-access" "A file that a node names is there, but cannot be read or written."
    FileClash "file-clash" "A node writes where another node, or the graph itself, has its file."
    FormatMismatch "format-mismatch" "An output delivers a format that the input cannot take."
    IncludeCycle "include-cycle" "Graph files include each other in a circle."
    MissingInput "missing-input" "A port that must be fed is not."
    MissingParameter "missing-parameter" "A key without a default is not written."
    NeverSettles "never-settles" "A join gives up waiting before an input can come."
    NoAddress "no-address" "Two hosts share an edge, and neither says where it is reached."
    NoCarrier "no-carrier" "An edge leads to another host and nothing carries it."
    NoDevice "no-device" "A device that a node names is not there, or cannot do what is asked of it."
    NoEffect "no-effect" "A key is written where it changes nothing."
    NoHost "no-host" "Where a node runs is not said."
    NoOutput "no-output" "A `from` names a node from which nothing comes."
    NoSuchFile "no-such-file" "A file, or the folder it is to be in, is not there."
    NobodyAnswers "nobody-answers" "A source asks, and no sink answers what it asks."
    NotText "not-text" "The file is not UTF-8 text."
    NotWhileRunning "not-while-running" "What has changed cannot take effect while the graph runs."
    NothingLeaves "nothing-leaves" "The graph has no sink."
    OpenToAll "open-to-all" "Other machines may ask a graph, and need no token."
    OutOfRange "out-of-range" "A number lies outside what its key allows."
    Outrun "outrun" "More comes in a second than a node can deal with in one."
    RateMismatch "rate-mismatch" "Signals that must have one sample rate have two."
    SettlesLate "settles-late" "What a node says is about its own beginning for as long as its input lasts."
    StageConflict "stage-conflict" "A node asks to be in a stage and apart from it."
    StageNotConvex "stage-not-convex" "A stage is left and entered again."
    Syntax "syntax" "The text is not TOML."
    TakesNoInput "takes-no-input" "A source has a `from`."
    TooLarge "too-large" "The file, or what it includes, is larger than any graph."
    TooManyInputs "too-many-inputs" "A port that takes one input is given several."
    UnitMismatch "unit-mismatch" "An output delivers another unit than the input takes."
    UnknownChannel "unknown-channel" "A `from` picks a channel that the output does not have."
    UnknownHost "unknown-host" "A host is named that the graph does not describe."
    UnknownKey "unknown-key" "A key is not one of those its table knows."
    UnknownKind "unknown-kind" "An `op` is not in the catalogue."
    UnknownModel "unknown-model" "A node names a model that the graph has no section for."
    UnknownNode "unknown-node" "A node is named that the graph does not have."
    UnknownPort "unknown-port" "A port is named that the kind does not have."
    Unstable "unstable" "A filter cannot be computed at this sample rate: its poles cannot be told from 1."
    UnusedOutput "unused-output" "Nothing takes what a node delivers."
    Useless "useless" "A filter changes next to nothing, or nothing is left for it to pass."
    WindowTooLong "window-too-long" "A window holds more than its buffer can."
    WrongType "wrong-type" "A value is of another type than its key takes."
}

impl Code {
    /// What the system's refusal to open, read or write a file is called.
    pub fn of_io(error: &std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::NotFound => Self::NoSuchFile,
            _ => Self::FileAccess,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_variants_in_kebab_case_and_in_order() {
        let names: Vec<_> = Code::ALL.iter().map(|code| code.name()).collect();
        assert!(names.is_sorted());

        for code in Code::ALL {
            let camel: String =
                code.name().split('-').map(|word| word[..1].to_uppercase() + &word[1..]).collect();
            assert_eq!(camel, format!("{code:?}"));
        }
    }

    #[test]
    fn explanations_are_sentences() {
        for code in Code::ALL {
            let text = code.explanation();
            assert!(text.starts_with(char::is_uppercase) && text.ends_with('.'), "{text}");
        }
    }
}

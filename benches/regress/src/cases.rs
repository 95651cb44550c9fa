//! What is run: whole graphs at full speed, with fixed seeds.

use std::path::Path;

/// One case.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// What it tells of.
    pub(crate) about: &'static str,
    /// What follows the name of the program; `@` stands for the folder of the cases' graphs.
    words: &'static [&'static str],
    /// What follows as well where instructions are counted, the same in small; none where threads that wait for each
    /// other make the count vary.
    small: Option<&'static [&'static str]>,
    /// How often in a row, so that a run is not too short to be timed.
    pub(crate) times: u32,
}

/// All of them. A run takes some 0.2 s of processor time, and a tenth of that under callgrind's eyes.
pub(crate) const CASES: &[Case] = &[
    Case {
        name: "biofeedback",
        about: "band-pass, beats, HRV, lines",
        words: &["run", "@/biofeedback.toml", "--speed", "max"],
        small: Some(&["--set", "ecg.seconds=200"]),
        times: 1,
    },
    Case {
        name: "sessions",
        about: "200 sessions of eight channels in frames of ten samples, two cores",
        words: &["run", "@/sessions.toml", "--speed", "max", "--sessions", "200", "--cores", "2"],
        small: Some(&["--sessions", "4", "--cores", "1"]),
        times: 1,
    },
    Case {
        name: "join",
        about: "signals of three rates aligned, events joined",
        words: &["run", "@/join.toml", "--speed", "max"],
        small: Some(&[
            "--set",
            "ecg.seconds=100",
            "--set",
            "breath.seconds=100",
            "--set",
            "skin.seconds=100",
        ]),
        times: 1,
    },
    Case {
        name: "spectra",
        about: "short-time spectra and log-mel bands of 16 kHz",
        words: &["run", "@/spectra.toml", "--speed", "max"],
        small: Some(&["--set", "sound.seconds=5"]),
        times: 1,
    },
    Case {
        name: "model",
        about: "beats labelled by a model that 20 sessions share, in batches",
        words: &["run", "@/model.toml", "--speed", "max", "--sessions", "20", "--cores", "1"],
        small: None,
        times: 1,
    },
    Case {
        name: "start",
        about: "start and end of a graph that has nothing to do, ten times",
        words: &["run", "@/start.toml", "--speed", "max"],
        small: Some(&[]),
        times: 10,
    },
    Case {
        name: "check",
        about: "a graph is read, planned and told, twenty times",
        words: &["check", "@/biofeedback.toml"],
        small: Some(&[]),
        times: 20,
    },
];

impl Case {
    /// The command line, without the program.
    pub(crate) fn words(&self, folder: &Path) -> Vec<String> {
        let folder = folder.display().to_string();
        self.words.iter().map(|word| word.replace('@', &folder)).collect()
    }

    /// The command line for counting, where that makes sense.
    pub(crate) fn small(&self, folder: &Path) -> Option<Vec<String>> {
        // An option that is given twice is an error to some programs, so the small one replaces it.
        let mut words = self.words(folder);
        for pair in self.small?.chunks(2) {
            match words.iter().position(|word| word == pair[0] && word != "--set") {
                Some(at) => words[at + 1] = pair[1].to_owned(),
                None => words.extend(pair.iter().map(ToString::to_string)),
            }
        }
        Some(words)
    }
}

/// Those with one of these names, else all.
pub(crate) fn chosen(names: &[String]) -> Result<Vec<&'static Case>, String> {
    if let Some(unknown) = names.iter().find(|name| CASES.iter().all(|case| case.name != **name)) {
        let known: Vec<&str> = CASES.iter().map(|case| case.name).collect();
        return Err(format!("there is no case `{unknown}`; there are {}", known.join(", ")));
    }
    let asked = |case: &&Case| names.is_empty() || names.iter().any(|name| name == case.name);
    Ok(CASES.iter().filter(asked).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_case_replaces_what_it_makes_smaller() {
        let sessions = CASES.iter().find(|case| case.name == "sessions").expect("a case");
        let words = sessions.small(Path::new("/c")).expect("it is counted").join(" ");

        assert_eq!(words, "run /c/sessions.toml --speed max --sessions 4 --cores 1");
    }

    #[test]
    fn an_unknown_case_is_answered_with_those_there_are() {
        let wrong = chosen(&["joins".to_owned()]).expect_err("there is none");

        assert!(
            wrong.contains("`joins`") && wrong.contains("biofeedback, sessions, join"),
            "{wrong}"
        );
    }
}

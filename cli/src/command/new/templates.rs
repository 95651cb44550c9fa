//! The graphs that come with the program, and what they need.

use clap::builder::{PossibleValue, PossibleValuesParser};

/// A delivered graph.
pub(super) struct Template {
    /// Its file's name without the ending.
    pub(super) name: &'static str,
    pub(super) text: &'static str,
}

macro_rules! templates {
    ($($name:literal)+) => {
        &[$(Template {
            name: $name,
            text: include_str!(concat!("../../../../graphs/", $name, ".toml")),
        }),+]
    };
}

/// Those that run by themselves: no recording of yours is needed, and a model only where one says what was said.
pub(super) const TEMPLATES: &[Template] = templates! {
    "biofeedback" "breathing" "resonance" "hrv_coherence" "neurofeedback_alpha" "stress_index" "stress_model"
    "drowsiness" "posture" "voice_activity" "transcribe" "commands" "meeting" "hybrid_voice" "barge_in" "together" "compare" "table" "serve"
    "hybrid_biofeedback" "offload" "many_edges"
};

macro_rules! files {
    ($($path:literal)+) => {
        &[$(($path, include_bytes!(concat!("../../../../graphs/", $path)))),+]
    };
}

/// What templates name, by the path they name it by.
pub(super) const FILES: &[(&str, &[u8])] = files! {
    "models/beats.onnx" "models/beats.1.onnx" "models/beats.2.onnx" "models/beats.3.onnx" "models/stress.onnx"
    "parts/heart.toml"
};

impl Template {
    /// What it does, as its first line says.
    pub(super) fn summary(&self) -> &'static str {
        let line = self.text.lines().next().unwrap_or_default().trim_start_matches(['#', ' ']);
        // One that goes on in the next line is told up to its first stop.
        line.split_once(": ").filter(|_| !line.ends_with('.')).map_or(line, |(what, _)| what)
    }

    /// Whether it names a file.
    pub(super) fn needs(&self, path: &str) -> bool {
        self.text.contains(&format!("\"{path}\""))
    }
}

/// The names with what each does, for the command line.
pub(super) fn names() -> PossibleValuesParser {
    let value = |template: &Template| PossibleValue::new(template.name).help(template.summary());
    PossibleValuesParser::new(TEMPLATES.iter().map(value))
}

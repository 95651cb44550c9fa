//! The program itself: what it was built with, and which backends it finds.

use model::backend::onnxruntime;

use super::{Finding, Verdict};

const AREA: &str = "program";

pub(super) fn look() -> Vec<Finding> {
    let version = format!(
        "afferent {} for {} on {}",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        std::env::consts::ARCH
    );
    let mut findings = vec![Finding::good(AREA, "version", version), backends()];
    if cfg!(debug_assertions) {
        findings.push(
            Finding::good(AREA, "profile", "it was built with checks of its own, for tests")
                .but(Verdict::Note, "build it with `cargo build --release`"),
        );
    }
    findings.push(feature(
        cfg!(feature = "whisper"),
        "whisper",
        "models of speech",
        "cmake and a C++ compiler",
    ));
    findings.push(feature(
        cfg!(feature = "microphone"),
        "microphone",
        "sound cards",
        "on Linux `apt-get install pkg-config libasound2-dev`",
    ));
    findings
}

fn backends() -> Finding {
    match onnxruntime::is_there() {
        true => Finding::good(AREA, "backends", "models run on ONNX Runtime, or on rten where a section says so"),
        false => Finding::good(AREA, "backends", "models run on rten alone: ONNX Runtime is not found").but(
            Verdict::Note,
            "it is two to five times as fast: `pip install onnxruntime`, or name its library in ORT_DYLIB_PATH",
        ),
    }
}

fn feature(is_there: bool, name: &'static str, what: &str, wants: &str) -> Finding {
    match is_there {
        true => Finding::good(AREA, name, format!("{what}: built in")),
        false => Finding::good(AREA, name, format!("{what}: not built in")).but(
            Verdict::Note,
            format!("`cargo build --release --features {name}`, which wants {wants}"),
        ),
    }
}

//! What a calibration of models of speech came to, as JSON.

use serde_json::{Value as Json, json};

use super::spoken::{SpokenExits, SpokenOptions};

impl SpokenExits {
    /// As one JSON object. Shares are from 0 to 1, times in milliseconds a piece, what is not known or never happens is null: `model`;
    /// `recordings`, `silent` and `unknown` ones of them, `pieces` (turns) and their `seconds`; `loss`, `confidence`, `unit` and `seed` as
    /// asked; `language`; `samples` (turns) and `groups` (recordings, speakers or turns) that `tune`, `certify` and are `held` out;
    /// `models`, the largest one last, with `name`, `slope`, `offset`, worth where it is `silent`, `threshold` and the model's own
    /// confidence there (`own`), calibration `error` before and after, share of all turns that it understands no worse than the largest
    /// alone (`alone`), `ms`, and share that it is expected to answer; `risk` on the groups that certify; `expected`, of those held out:
    /// share `lost`, `ms` with the cascade and of the largest `alone`, share `saved`, each with bounds at that confidence, and errors of
    /// `words`; `written`.
    pub fn to_json(&self, options: &SpokenOptions) -> String {
        let found = &self.found;
        let expected = &found.expected;
        let models: Vec<Json> = self
            .models
            .iter()
            .enumerate()
            .map(|(at, name)| {
                let gate = found.gates.get(at);
                let worth = gate.and_then(|gate| gate.worth);
                let threshold = gate.filter(|gate| !gate.is_shut()).map(|gate| gate.threshold);
                json!({
                    "name": name,
                    "slope": worth.map(|worth| worth.slope),
                    "offset": worth.map(|worth| worth.offset),
                    "silent": gate.filter(|gate| !gate.is_shut()).map(|gate| gate.silent),
                    "threshold": threshold,
                    "own": self.own_threshold(at),
                    "error": found.errors.get(at),
                    "alone": found.alone[at],
                    "ms": 1e3 * self.took_s[at],
                    "share": expected.shares[at],
                })
            })
            .collect();
        let bounded = |[value, least, most]: [f64; 3]| json!({ "value": value, "least": least, "most": most });
        let parts = |[tune, certify, held]: [usize; 3]| json!({ "tune": tune, "certify": certify, "held": held });
        let [ours, theirs, of] = expected.errors;
        json!({
            "model": options.name,
            "recordings": self.heard.recordings,
            "silent": self.heard.silent,
            "unknown": self.heard.unknown,
            "pieces": self.heard.pieces,
            "seconds": self.heard.seconds,
            "loss": options.loss,
            "confidence": options.confidence,
            "unit": options.unit.name(),
            "seed": options.seed,
            "language": options.listening.language(),
            "samples": parts(found.samples),
            "groups": parts(found.groups),
            "models": models,
            "risk": found.risk,
            "expected": {
                "lost": bounded(expected.lost),
                "ms": { "early": 1e3 * expected.cost[0], "alone": 1e3 * expected.cost[1] },
                "saved": {
                    "value": expected.saved,
                    "least": expected.saved_between.map(|[least, _]| least),
                    "most": expected.saved_between.map(|[_, most]| most),
                },
                "words": { "wrong": ours, "wrong_alone": theirs, "of": of },
            },
            "written": self.written,
        })
        .to_string()
    }

    /// The confidence, by a model's own word, from which on it answers; nothing where it never does, and for the largest.
    pub fn own_threshold(&self, model: usize) -> Option<f64> {
        let gate = self.found.gates.get(model).filter(|gate| !gate.is_shut())?;
        let own = gate.worth.map_or(gate.threshold, |worth| worth.confidence_at(gate.threshold));
        Some(own).filter(|own| *own <= 1.0)
    }
}

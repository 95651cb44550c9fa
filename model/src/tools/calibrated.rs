//! What a calibration came to, as JSON.

use serde_json::{Value as Json, json};

use super::calibrate::{CalibrateOptions, EarlyExits};

impl EarlyExits {
    /// As one JSON object. Shares are from 0 to 1, times in microseconds a question, what is not known or never happens is null:
    /// `model`, `backend`, `rows`, `labelled`; `loss`, `confidence`, `signal` and `seed` as asked; `samples` that `tune` and that
    /// `certify`; `exits`, the last one among them, with `threshold`, `temperature`, `share` that leaves there, `alone` (right, or as of the
    /// whole model) and `cost_us` of its segment; `cost_us` and `accuracy` with early exits and of the `whole`; `saved`; `risk` on
    /// the samples that certify and `risk_most` at that confidence; `differs` from the whole model, `seen` and at `most`; `curve`, every
    /// step of the path, of which number `step` is chosen; `written`.
    pub fn to_json(&self, options: &CalibrateOptions) -> String {
        let found = &self.found;
        let limit = |threshold: Option<&f64>| threshold.copied().filter(|limit| limit.is_finite());
        let exits: Vec<Json> = (0..found.shares.len())
            .map(|exit| {
                json!({
                    "threshold": limit(found.thresholds.get(exit)),
                    "temperature": found.temperatures[exit].value,
                    "share": found.shares[exit],
                    "alone": self.alone[exit],
                    "cost_us": self.costs_us[exit],
                })
            })
            .collect();
        let curve: Vec<Json> = found
            .curve
            .iter()
            .map(|point| {
                let thresholds: Vec<_> =
                    point.thresholds.iter().map(|threshold| limit(Some(threshold))).collect();
                json!({
                    "thresholds": thresholds, "cost_us": point.cost, "risk": point.risk,
                    "accuracy": point.accuracy,
                })
            })
            .collect();
        let [tune, certify] = found.samples;
        let of = |[early, whole]: [f64; 2]| json!({ "early": early, "whole": whole });
        json!({
            "model": options.model.name,
            "backend": self.backend,
            "rows": self.rows,
            "labelled": self.is_labelled,
            "loss": options.loss,
            "confidence": options.confidence,
            "signal": options.signal.at_run_time().name(),
            "seed": options.seed,
            "samples": { "tune": tune, "certify": certify },
            "exits": exits,
            "cost_us": of(found.cost),
            "saved": 1.0 - self.cost(),
            "accuracy": found.accuracy.filter(|_| self.is_labelled).map(of),
            "risk": found.risk,
            "risk_most": found.risk_below,
            "differs": found.differs.map(|[seen, most]| json!({ "seen": seen, "most": most })),
            "step": found.step,
            "curve": curve,
            "written": self.written,
        })
        .to_string()
    }
}

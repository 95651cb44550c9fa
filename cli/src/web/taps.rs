//! [`Taps`]: one for each output that anybody looks at, however many do.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use engine::{Running, Seen, Tap, TapLimits};
use serde_json::json;

use super::{content::Content, message::Want};

/// Outputs that are looked at, all viewers together.
const TAPS_MAX: usize = 32;
/// What may wait until the next look. Nobody waits for whoever looks on.
const LIMITS: TapLimits =
    TapLimits { frames: 8_192, bytes: 8 << 20, patience: Duration::ZERO, every_bound: false };
/// What could not be tapped is tried again so often: a session may open, a stage get a successor.
const AGAIN: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Default)]
pub(super) struct Taps {
    open: BTreeMap<Want, (Tap, Content)>,
    refused: BTreeMap<Want, Refused>,
}

struct Refused {
    why: String,
    at: Instant,
    /// When it was told last: again every now and then, as others may have come to look.
    told: Option<Instant>,
}

impl Taps {
    /// Opens what is wanted, and lets go of what is not any more.
    pub(super) fn follow(&mut self, wants: &BTreeSet<Want>, running: &Running, now: Instant) {
        self.open.retain(|want, _| wants.contains(want));
        self.refused.retain(|want, _| wants.contains(want));
        for want in wants {
            if self.open.contains_key(want) {
                continue;
            }
            let tried = self.refused.get(want);
            if tried.is_some_and(|refused| now.saturating_duration_since(refused.at) < AGAIN) {
                continue;
            }
            let opened = match self.open.len() < TAPS_MAX {
                true => opened(want, running),
                false => Err(format!("{TAPS_MAX} outputs are shown already")),
            };
            match opened {
                Ok(opened) => {
                    self.refused.remove(want);
                    self.open.insert(want.clone(), opened);
                }
                Err(why) => {
                    let told = tried.filter(|refused| refused.why == why);
                    let told = told.and_then(|refused| refused.told);
                    self.refused.insert(want.clone(), Refused { why, at: now, told });
                }
            }
        }
    }

    /// Lets go of all.
    pub(super) fn close(&mut self) {
        self.open.clear();
        self.refused.clear();
    }

    /// Takes what has come by; of an output that brings more all the while, what had room to wait and no more.
    pub(super) fn drain(&mut self) {
        for (tap, content) in self.open.values_mut() {
            let mut missed = 0;
            for tapped in std::iter::from_fn(|| tap.try_next()).take(LIMITS.frames) {
                missed += tapped.missed;
                // What is told with a bound is told with the next frame.
                if let Seen::Frame(frame) = tapped.what {
                    content.take(frame, std::mem::take(&mut missed));
                }
            }
        }
    }

    /// What has come since it was told last, each as an object of JSON.
    pub(super) fn told(&mut self, now: Instant) -> Vec<(Want, String)> {
        let mut told = Vec::new();
        for (want, (_, content)) in &mut self.open {
            told.extend(content.told(want).map(|json| (want.clone(), json)));
        }
        let ended: Vec<Want> = self
            .open
            .iter()
            .filter(|(_, (tap, _))| tap.has_ended())
            .map(|(want, _)| want.clone())
            .collect();
        for want in ended {
            self.open.remove(&want);
            let why =
                "nothing more comes: the session is over, or its stage was given up".to_owned();
            self.refused.insert(want, Refused { why, at: now, told: None });
        }
        let is_due = |refused: &Refused| {
            refused.told.is_none_or(|told| now.saturating_duration_since(told) >= AGAIN)
        };
        for (want, refused) in self.refused.iter_mut().filter(|(_, refused)| is_due(refused)) {
            refused.told = Some(now);
            let Want { session, output } = want;
            let json = json!({ "session": session, "output": output, "refused": refused.why });
            told.push((want.clone(), json.to_string()));
        }
        told
    }

    /// How many are open.
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }
}

fn opened(want: &Want, running: &Running) -> Result<(Tap, Content), String> {
    let plan = running.plan();
    let Some(output) = plan.output(&want.output) else {
        return Err(format!("the graph has no output `{}`", want.output));
    };
    let tap = running.tap(want.session, &want.output, LIMITS).map_err(|error| error.to_string())?;
    Ok((tap, Content::new(&want.output, output.format)))
}

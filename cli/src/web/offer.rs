//! [`Offer`]: what there is to look at, and what is shown before anybody chooses.

use engine::{Format, Output, Plan};
use serde::Serialize;

use crate::{
    local::{formats, message::TapFormat},
    scope::{Events, Scope, measure},
};

/// See the module.
#[derive(Serialize)]
pub(super) struct Offer {
    outputs: Vec<Offered>,
    /// What `--view` and `--report` draw, too: signals that come in, and what events say of them.
    signals: Vec<String>,
    events: Vec<Told>,
}

/// An output.
#[derive(Serialize)]
struct Offered {
    /// As it is written in `from`.
    label: String,
    node: String,
    is_source: bool,
    is_taken: bool,
    format: TapFormat,
    /// Channels that are not shown.
    others: usize,
    /// Of the fields of events: what is measured, and the sign of its unit.
    measures: Vec<(&'static str, &'static str, &'static str)>,
}

/// Events that are shown.
#[derive(Serialize)]
struct Told {
    label: String,
    /// The signals that they are made of.
    made_of: Vec<String>,
    /// Whether they are beats of a heart.
    is_heart: bool,
    /// Fields with numbers: measures before shares and scores, these before what counts.
    numbers: Vec<&'static str>,
}

impl Offer {
    pub(super) fn of(plan: &Plan) -> Self {
        let scope = Scope::of(plan);
        Self {
            outputs: plan.outputs().map(|output| offered(&output)).collect(),
            signals: scope.signals.iter().map(|signal| signal.label.clone()).collect(),
            events: scope.events.iter().map(|events| told(&scope, events)).collect(),
        }
    }
}

fn offered(output: &Output<'_>) -> Offered {
    let fields = output.format.as_event().map_or(&[][..], |format| &format.fields);
    let known = fields.iter().filter_map(|field| {
        let (what, unit) = measure(field.name)?;
        Some((field.name, what, unit))
    });
    Offered {
        label: output.label(),
        node: output.node.to_owned(),
        is_source: output.is_source,
        is_taken: output.is_taken,
        format: shown(output.format),
        others: output
            .format
            .as_signal()
            .map_or(0, |signal| signal.channels.len().saturating_sub(super::wave::CHANNELS_MAX)),
        measures: known.collect(),
    }
}

/// A format, with no more channels than are shown.
fn shown(format: &Format) -> TapFormat {
    let mut told = formats::told(format);
    if let TapFormat::Signal { channels, .. } = &mut told {
        channels.truncate(super::wave::CHANNELS_MAX);
    }
    told
}

fn told(scope: &Scope, events: &Events) -> Told {
    let mut numbers: Vec<_> = events.numbers.iter().collect();
    numbers.sort_by_key(|series| series.rank());
    Told {
        label: events.label.clone(),
        made_of: events.made_of.iter().map(|&n| scope.signals[n].label.clone()).collect(),
        is_heart: events.number("rr_ms").is_some(),
        numbers: numbers.iter().map(|series| series.name()).collect(),
    }
}

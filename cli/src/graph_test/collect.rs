//! Sinks for tests: one that judges every frame, one that swallows them.

use std::sync::{Mutex, MutexGuard, PoisonError};

use engine::{
    AsTheyCome, Body, BuildError, Check, Code, Diagnostic, Diagnostics, Expectation, Fault, Frame,
    Kind, Node, Outline, Policy, Port, Sink, nearest,
};

use super::judge::Judge;

/// Where the frames for one expectation arrive.
pub(crate) struct Collected {
    expectation: Expectation,
    /// There once the node is built.
    judge: Mutex<Option<Judge>>,
}

impl Collected {
    /// Says what was wanted and what came, if they differ.
    pub(crate) fn verdict(&self) -> Result<(), String> {
        let from = self.expectation.from.value.to_string();
        match &*self.judge() {
            Some(judge) => judge.verdict(&from),
            None => Err(format!("nothing came from `{from}`")),
        }
    }

    fn judge(&self) -> MutexGuard<'_, Option<Judge>> {
        self.judge.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const IN: Port = Port::any("in");
const MANY: Port = Port::any("in").variadic();

/// A kind whose only body judges what arrives, and the place where it does.
pub(crate) fn kind(
    number: usize,
    expectation: &Expectation,
) -> (&'static Kind, &'static Collected) {
    let (expectation, judge) = (expectation.clone(), Mutex::default());
    let collected: &Collected = Box::leak(Box::new(Collected { expectation, judge }));
    let kind = Kind {
        name: Box::leak(format!("(expectation {number})").into()),
        summary: "Judges every frame.",
        inputs: &[IN],
        plan,
        build,
        data: Some(collected),
        ..Kind::BASE
    };
    (Box::leak(Box::new(kind)), collected)
}

/// Whether there can be what is looked for.
fn plan(node: &Node<'_>) -> Result<Outline, Diagnostics> {
    let check = &collected(node).expectation.check;
    let refuse = |message: String, hint: String| {
        let place = match &check.value {
            Check::Field(field, ..) => &field.place,
            _ => &check.place,
        };
        let problem = Diagnostic::error(Code::BadTest, message).at(place);
        Err(problem.hint(hint).into())
    };
    let label = &node.inputs()[0].label;
    match (&check.value, node.input("in")) {
        (Check::Sample(..), format) if format.as_signal().is_none() => refuse(
            format!("`{label}` carries no samples"),
            "write `field` to look at events".into(),
        ),
        (Check::Field(field, ..), format) => match format.as_event() {
            None => refuse(
                format!("`{label}` carries no events"),
                "leave `field` out to look at samples".into(),
            ),
            Some(event) => {
                let names = || event.fields.iter().map(|field| field.name).chain(["t_s"]);
                if names().any(|name| name == field.value) {
                    return Ok(Outline::default());
                }
                let hint = match nearest(&field.value, names()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("choose one of {}", names().collect::<Vec<_>>().join(", ")),
                };
                refuse(format!("the events of `{label}` have no field `{}`", field.value), hint)
            }
        },
        _ => Ok(Outline::default()),
    }
}

fn build(node: &Node<'_>) -> Result<Body, BuildError> {
    let collected = collected(node);
    let check = &collected.expectation.check.value;
    *collected.judge() = Some(Judge::new(check, node.input("in")));
    Ok(Body::sink(Collector(collected)))
}

fn collected(node: &Node<'_>) -> &'static Collected {
    let data = node.kind().data.expect("the kind was made with it");
    data.downcast_ref().expect("the kind was made with it")
}

struct Collector(&'static Collected);

impl Sink for Collector {
    fn take(&mut self, _: usize, frame: &Frame) -> Result<(), Fault> {
        if let Some(judge) = &mut *self.0.judge() {
            judge.take(frame);
        }
        Ok(())
    }
}

/// A kind that takes anything, for sinks to be replaced by.
pub(crate) fn swallow() -> &'static Kind {
    static SWALLOW: Kind = Kind {
        name: "(sink left out)",
        summary: "Takes anything.",
        inputs: &[MANY],
        plan: |_| Ok(Outline::default()),
        build: |_| Ok(Body::sink(Swallow)),
        ..Kind::BASE
    };
    &SWALLOW
}

/// The same, for sinks that take several inputs as they come, at the pace of the content or always.
pub(crate) fn swallow_as_they_come(order: &str) -> &'static Kind {
    fn taking(node: &Node<'_>, as_they_come: AsTheyCome) -> Outline {
        Outline::default().joining(node.join(Policy::Merge, None).taking(as_they_come))
    }
    static PACED: Kind = Kind {
        name: "(sink left out, as they come when paced)",
        summary: "Takes anything.",
        inputs: &[MANY],
        plan: |node| Ok(taking(node, AsTheyCome::Paced)),
        build: |_| Ok(Body::sink(Swallow)),
        ..Kind::BASE
    };
    static ALWAYS: Kind = Kind {
        name: "(sink left out, as they come)",
        plan: |node| Ok(taking(node, AsTheyCome::Always)),
        ..PACED
    };
    match order {
        "time" => swallow(),
        "arrival" => &ALWAYS,
        _ => &PACED,
    }
}

struct Swallow;

impl Sink for Swallow {
    fn take(&mut self, _: usize, _: &Frame) -> Result<(), Fault> {
        Ok(())
    }
}

//! Sinks for tests: one that keeps every frame, one that swallows them.

use std::sync::{Mutex, PoisonError};

use engine::{
    Body, BuildError, Check, Code, Diagnostic, Diagnostics, Fault, Format, Frame, Kind, Node,
    Outline, Port, Sink, Spanned, nearest,
};

/// What arrived for one expectation.
pub(crate) struct Collected {
    check: Spanned<Check>,
    kept: Mutex<Kept>,
}

/// Frames in the order they came, and what is in them.
#[derive(Default)]
pub(crate) struct Kept {
    pub(crate) format: Option<Format>,
    pub(crate) frames: Vec<Frame>,
}

impl Collected {
    /// Looks at what has arrived.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&Kept) -> T) -> T {
        look(&self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

const IN: Port = Port::any("in");
const MANY: Port = Port::any("in").variadic();

/// A kind whose only body keeps what arrives, and the place where it does.
pub(crate) fn kind(number: usize, check: &Spanned<Check>) -> (&'static Kind, &'static Collected) {
    let kept = Mutex::default();
    let collected: &Collected = Box::leak(Box::new(Collected { check: check.clone(), kept }));
    let kind = Kind {
        name: Box::leak(format!("(expectation {number})").into()),
        summary: "Keeps every frame.",
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
    let check = &collected(node).check;
    let refuse = |message: String, hint: String| {
        let problem = Diagnostic::error(Code::BadTest, message).at(&check.place);
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
    let mut kept = collected.kept.lock().unwrap_or_else(PoisonError::into_inner);
    kept.format = Some(node.input("in").clone());
    Ok(Body::sink(Collector(collected)))
}

fn collected(node: &Node<'_>) -> &'static Collected {
    let data = node.kind().data.expect("the kind was made with it");
    data.downcast_ref().expect("the kind was made with it")
}

struct Collector(&'static Collected);

impl Sink for Collector {
    fn take(&mut self, _: usize, frame: &Frame) -> Result<(), Fault> {
        let mut kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.frames.push(frame.clone());
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

struct Swallow;

impl Sink for Swallow {
    fn take(&mut self, _: usize, _: &Frame) -> Result<(), Fault> {
        Ok(())
    }
}

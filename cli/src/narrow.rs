//! Sound that was sampled more slowly than who hears speech in it was made for, as that of a telephone: `resample` makes the
//! samples more, and brings nothing back of what was above half their rate.

use std::collections::BTreeSet;

use engine::{Code, Diagnostic, NodeSpec, Plan};
use model::kinds::{absent::AbsentModel, speech};

/// What the net in the program was made for.
const HEARS_HZ: f64 = 16_000.0;

/// A warning for each node that hears such sound with the net in the program.
pub(crate) fn warnings(plan: &Plan) -> Vec<Diagnostic> {
    let hears = plan.spec().nodes.iter().filter(|node| node.op.value == speech::KIND.name);
    let alone = hears.filter(|node| !is_heard_by_a_model(plan, node));
    alone.filter_map(|node| warning(plan, node)).collect()
}

fn warning(plan: &Plan, node: &NodeSpec) -> Option<Diagnostic> {
    let name = &*node.name.value;
    let (source, hz) = slowest(plan, name).filter(|(_, hz)| *hz < HEARS_HZ)?;
    let message = format!(
        "`{name}` hears with the net in the program, made for {HEARS_HZ} samples a second, and `{source}` has {hz}: it will miss some speech"
    );
    let problem = Diagnostic::warning(Code::NarrowSound, message).at(&node.op.place).of_node(name);
    Some(problem.hint(format!(
        "Silero's hears such sound better: `model = \"silero\"` here, and `[model.silero]` with `file = \"silero_vad.onnx\"`; \
         `afferent explain {}`",
        speech::KIND.name
    )))
}

fn is_heard_by_a_model(plan: &Plan, node: &NodeSpec) -> bool {
    let name = node.param("model").and_then(|model| model.value.as_text());
    name.is_some_and(|name| plan.services().find::<AbsentModel>(name).is_none())
}

/// Of the sources whose signals come to a node the one with the fewest samples a second.
fn slowest<'a>(plan: &'a Plan, node: &'a str) -> Option<(&'a str, f64)> {
    let (mut open, mut seen) = (vec![node], BTreeSet::new());
    let mut found: Option<(&str, f64)> = None;
    while let Some(name) = open.pop() {
        if !seen.insert(name) {
            continue;
        }
        let before = open.len();
        open.extend(plan.producers_of(name));
        if open.len() > before {
            continue;
        }
        let format = plan.outputs_of(name).and_then(|outputs| outputs.first()?.as_signal());
        let hz = format.map(|signal| signal.rate.hz());
        if let Some(hz) = hz.filter(|hz| found.is_none_or(|(_, least)| *hz < least)) {
            found = Some((name, hz));
        }
    }
    found
}

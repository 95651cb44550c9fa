//! Kinds and their parameters as schemas.

use engine::{AnyParam, Catalog, Kind, RESERVED_KEYS};
use serde_json::{Map, Value, json};

use crate::command::explain::param_facts;

use super::keys;

/// The kinds a node may be of, told apart by `op`. A format that is read without a `from` and written with
/// one is two of them.
///
/// What they take stands in `variants`, which is what editors complete by; that they take nothing else, and
/// what must be written, in `rules`: of a node that breaks one, validators name the key rather than say that it
/// is like none of all kinds.
#[derive(Default)]
pub(super) struct Kinds {
    pub(super) variants: Vec<Value>,
    pub(super) rules: Vec<Value>,
}

/// Defines the reserved keys and every kind.
pub(super) fn define(catalog: &Catalog, defs: &mut Map<String, Value>) -> Kinds {
    for (key, _) in RESERVED_KEYS.iter().filter(|(key, _)| !matches!(*key, "op" | "from")) {
        defs.insert(format!("node.{key}"), keys::key("node", key));
    }
    let mut kinds: Vec<&Kind> = catalog.iter().collect();
    kinds.sort_by_key(|kind| kind.name);
    let mut all = Kinds::default();
    let given = json!({ "$ref": "#/$defs/given" });
    all.variants.push(json!({
        "title": "a kind that is a parameter of the file",
        "type": "object",
        "properties": { "op": given },
        "required": ["op"],
    }));
    for kind in kinds {
        let name = format!("kind.{}", kind.name);
        all.add(&name, kind, defs);
        if let Some(fed) = kind.when_fed {
            all.add(&format!("{name}{FED}"), fed, defs);
        }
    }
    all
}

impl Kinds {
    fn add(&mut self, name: &str, kind: &Kind, defs: &mut Map<String, Value>) {
        let mut variant = node(kind);
        if name.ends_with(FED) {
            variant["required"] = json!(["op", "from"]);
        }
        defs.insert(name.to_owned(), variant);
        self.variants.push(json!({ "$ref": format!("#/$defs/{name}") }));
        let is_fed = json!({ "required": ["from"] });
        let mut is_it =
            json!({ "properties": { "op": { "const": kind.name } }, "required": ["op"] });
        if name.ends_with(FED) {
            is_it["required"] = json!(["op", "from"]);
        } else if kind.when_fed.is_some() {
            is_it["not"] = is_fed;
        }
        let known = RESERVED_KEYS.iter().map(|(key, _)| *key).filter(|key| *key != "from");
        let known = known.chain((!kind.is_source()).then_some("from"));
        let known = known.chain(kind.params.iter().map(|param| param.name()));
        let known: Map<String, Value> = known.map(|key| (key.to_owned(), true.into())).collect();
        let mut required: Vec<&str> = Vec::new();
        required.extend(kind.inputs.iter().any(|port| !port.optional).then_some("from"));
        required.extend(kind.params.iter().filter(|it| it.is_required()).map(|it| it.name()));
        // One that is left out may be unfinished.
        let is_off =
            json!({ "properties": { "enabled": { "const": false } }, "required": ["enabled"] });
        let rule = json!({
            "properties": known, "additionalProperties": false,
            "if": is_off, "else": { "required": required },
        });
        self.rules.push(json!({ "if": is_it, "then": rule }));
    }
}

/// What ends the name of a kind that stands where a format is written.
const FED: &str = ".fed";

fn node(kind: &Kind) -> Value {
    let mut properties = Map::new();
    properties.insert("op".to_owned(), json!({ "const": kind.name, "description": kind.summary }));
    if !kind.is_source() {
        properties.insert("from".to_owned(), from(kind));
    }
    for (key, _) in RESERVED_KEYS.iter().filter(|(key, _)| !matches!(*key, "op" | "from")) {
        properties.insert((*key).to_owned(), json!({ "$ref": format!("#/$defs/node.{key}") }));
    }
    for known in kind.params {
        properties.insert(known.name().to_owned(), param(*known));
    }
    let mut schema = json!({
        "title": kind.name,
        "description": kind.summary,
        "type": "object",
        "properties": properties,
        "required": ["op"],
    });
    // A format with one name in both directions is read without a `from`, and written with one.
    if kind.when_fed.is_some() {
        schema["not"] = json!({ "required": ["from"] });
    }
    schema
}

fn from(kind: &Kind) -> Value {
    let ports = kind.inputs.iter().map(|port| {
        let shape = if port.optional { " (may be left out)" } else { "" };
        let what = format!("{}{shape}", port.shape.word());
        let feed = json!({ "description": what, "$ref": "#/$defs/feed" });
        (port.name.to_owned(), feed)
    });
    let ports: Map<String, Value> = ports.collect();
    json!({
        "description": "Where its input comes from: SOURCE, a list of them, or a table from ports to either.",
        "anyOf": [
            { "$ref": "#/$defs/feed" },
            { "type": "object", "properties": ports, "additionalProperties": false, "minProperties": 1 },
        ],
    })
}

/// The schema of a section whose keys are parameters, and some more.
pub(super) fn section(params: &[&dyn AnyParam], more: &[(&str, Value)]) -> Value {
    let known = params.iter().map(|known| (known.name().to_owned(), param(*known)));
    let more = more.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone()));
    let properties: Map<String, Value> = known.chain(more).collect();
    let required: Vec<_> =
        params.iter().filter(|param| param.is_required()).map(|param| param.name()).collect();
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

/// A value, or a parameter of the file in its place.
pub(super) fn param(param: &dyn AnyParam) -> Value {
    let mut schema = Map::new();
    let description = format!("{}\n\n{}", param.doc(), param_facts(param));
    schema.insert("description".to_owned(), description.into());
    let default = param.default_text().and_then(|text| serde_json::from_str::<Value>(&text).ok());
    schema.extend(default.map(|default| ("default".to_owned(), default)));
    let taken = taken(param).unwrap_or_else(|| json!({}));
    schema.insert("anyOf".to_owned(), json!([taken, { "$ref": "#/$defs/given" }]));
    schema.into()
}

/// What a parameter takes; `None` for a type that is not known here.
pub(super) fn taken(param: &dyn AnyParam) -> Option<Value> {
    let number = |of: &str| {
        let mut schema = Map::new();
        schema.insert("type".to_owned(), of.into());
        let (min, max) = param.range();
        let whole = |limit: f64| match of {
            // Past 2^53 a number has no exact neighbour; none of these has a limit there.
            "integer" => json!(limit as i64),
            _ => json!(limit),
        };
        schema.extend(min.is_finite().then(|| ("minimum".to_owned(), whole(min))));
        schema.extend(max.is_finite().then(|| ("maximum".to_owned(), whole(max))));
        Value::Object(schema)
    };
    Some(match param.type_name() {
        "a number" => number("number"),
        "a whole number" => number("integer"),
        "`true` or `false`" => json!({ "type": "boolean" }),
        "text" if !param.choices().is_empty() => json!({ "enum": param.choices() }),
        "text" => json!({ "type": "string" }),
        "a text or a whole number" => json!({ "type": ["string", "integer"] }),
        "a list of numbers" => {
            let each = json!([number("number"), { "$ref": "#/$defs/given" }]);
            json!({ "type": "array", "items": { "anyOf": each } })
        }
        // What stands for a parameter of the file is one, too.
        "a list of texts" => json!({ "type": "array", "items": { "type": "string" } }),
        "a number from 0 to 1, or \"auto\"" => {
            json!({ "anyOf": [{ "type": "number", "minimum": 0, "maximum": 1 }, { "const": "auto" }] })
        }
        "a list of files or tables" => {
            json!({ "type": "array", "items": { "type": ["string", "object"] } })
        }
        table if table.starts_with("a table ") => json!({ "type": "object" }),
        _ => return None,
    })
}

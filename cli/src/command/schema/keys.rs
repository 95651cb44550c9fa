//! Keys that graph files know apart from parameters, as schemas.

use engine::KeyTable;
use serde_json::{Map, Value, json};

/// One key of the table that `explain` knows by this name.
///
/// # Panics
/// If there is no such key, or nobody said here what its value may be: a test goes through all.
pub(super) fn key(table: &str, name: &str) -> Value {
    let mut keys = tables(table).flat_map(|table| table.keys);
    let key = keys.find(|key| key.name == name).expect("a key of that table");
    let what = taken(table, name, key.takes);
    let what = what.unwrap_or_else(|| panic!("`{}` of {table}.{name} has no schema", key.takes));
    let description = format!("{}\n\n{} · default {}", key.doc, key.takes, key.default);
    json!({ "description": description, "anyOf": [what, { "$ref": "#/$defs/given" }] })
}

/// `input` is the name of two.
fn tables(name: &str) -> impl Iterator<Item = &'static KeyTable> {
    KeyTable::ALL.iter().copied().filter(move |table| table.name == name)
}

/// What a key takes, by the words of its table.
fn taken(table: &str, name: &str, takes: &str) -> Option<Value> {
    Some(match (table, name, takes) {
        (_, "doc", _) | (_, _, "text" | "the name of a field") => json!({ "type": "string" }),
        (_, _, "true or false") => json!({ "type": "boolean" }),
        (_, _, "a number") => json!({ "type": "number" }),
        (_, _, "a number above 0") => json!({ "type": "number", "exclusiveMinimum": 0 }),
        (_, _, "0 or a number above it") => json!({ "type": "number", "minimum": 0 }),
        (_, _, "a whole number from 0") => json!({ "type": "integer", "minimum": 0 }),
        (_, _, "a name" | "the name of a host") => json!({ "$ref": "#/$defs/name" }),
        (_, _, "the name of a kind") => json!({ "type": "string" }),
        (_, _, "the name of a host, or a list of them") => json!({
            "anyOf": [
                { "$ref": "#/$defs/name" },
                { "type": "array", "items": { "$ref": "#/$defs/name" }, "minItems": 1 },
            ],
        }),
        (_, "on_full", _) => json!({ "enum": ["block", "drop_newest", "drop_oldest", "latest"] }),
        (_, "on_fault", _) => json!({ "enum": ["restart", "stop", "bypass", "hold_last"] }),
        (_, _, "SOURCE") => json!({ "$ref": "#/$defs/source" }),
        ("include", "from", _) => json!({
            "anyOf": [
                { "$ref": "#/$defs/feed" },
                { "type": "object", "additionalProperties": { "$ref": "#/$defs/feed" } },
            ],
        }),
        ("include", "file", _) => json!({ "type": "string" }),
        ("param", "type", _) => json!({ "enum": ["boolean", "integer", "list", "number", "text"] }),
        ("param", "default", _) => json!({ "type": ["boolean", "number", "string", "array"] }),
        ("param", "choices", _) => json!({ "type": "array" }),
        ("test", "set", _) => json!({ "type": "object" }),
        ("test", "input", _) => json!({ "type": "object", "additionalProperties": stand_in() }),
        ("test", "expect", _) => {
            json!({ "type": "array", "items": closed("test.expect"), "minItems": 1 })
        }
        ("test.expect", "at", _) => json!({
            "anyOf": [{ "enum": ["every", "first", "last"] }, { "type": "integer", "minimum": 0 }],
        }),
        ("test.expect", "is", _) => json!({ "type": ["number", "string", "boolean"] }),
        ("test.input", "samples", _) => json!({
            "type": "array", "minItems": 1, "items": { "anyOf": [
                { "type": "number" }, { "type": "array", "items": { "type": "number" } },
            ] },
        }),
        ("test.input", "channels", _) => json!({ "type": "array", "items": { "type": "string" } }),
        ("test.input", "events", _) => json!({
            "type": "array", "items": { "type": "object", "required": ["t_s"] },
        }),
        _ => return None,
    })
}

/// A table with its keys and no others.
pub(super) fn table(name: &str) -> Value {
    closed(name)
}

fn properties(table: &KeyTable) -> Map<String, Value> {
    table.keys.iter().map(|known| (known.name.to_owned(), key(table.name, known.name))).collect()
}

fn closed(name: &str) -> Value {
    let table = tables(name).next().expect("a table of graph files");
    let must = table.keys.iter().filter(|key| key.default == "none: it must be written");
    let must: Vec<_> = must.map(|key| key.name).collect();
    json!({
        "description": table.doc,
        "type": "object",
        "properties": properties(table),
        "required": must,
        "additionalProperties": false,
    })
}

/// One input with settings of its own.
pub(super) fn input() -> Value {
    closed("input")
}

/// What may feed a port: one input, or a list of them.
pub(super) fn feed() -> Value {
    let one = json!({ "anyOf": [{ "$ref": "#/$defs/source" }, { "$ref": "#/$defs/input" }] });
    json!({ "anyOf": [one, { "type": "array", "items": one, "minItems": 1 }] })
}

/// `fixed` of a model, which is no parameter of one type.
pub(super) fn fixed() -> Value {
    json!({
        "description": "Numbers that inputs of the model always get, by their names.",
        "type": "object",
        "additionalProperties": { "type": "number" },
    })
}

/// An include: its own keys, and whatever parameters its file has.
pub(super) fn include() -> Value {
    let mut schema = closed("include");
    schema["additionalProperties"] = json!({ "type": ["boolean", "number", "string", "array"] });
    schema
}

/// A declared parameter says what it takes, by its type or its default.
pub(super) fn param() -> Value {
    let mut schema = closed("param");
    schema["anyOf"] = json!([
        { "required": ["type"] }, { "required": ["default"] }, { "required": ["choices"] },
    ]);
    schema
}

/// An input of a file: fed by others alone, or with a node that stands in.
pub(super) fn inlet(kinds: &[Value]) -> Value {
    let doc = || json!({ "type": "string" });
    let optional = || json!({ "type": "boolean" });
    let bare = json!({
        "type": "object",
        "properties": { "doc": doc(), "optional": optional() },
        "additionalProperties": false,
    });
    let names: Vec<&Value> = kinds.iter().collect();
    // What a node of its kind may have is for the kind to say; `optional` no kind knows.
    let stands_in = json!({
        "type": "object",
        "required": ["op"],
        "not": { "required": ["optional"] },
        "oneOf": names,
    });
    let both = json!({
        "type": "object",
        "required": ["op", "optional"],
        "properties": { "op": { "type": "string" }, "optional": optional() },
    });
    json!({ "anyOf": [bare, stands_in, both] })
}

/// What stands in for a node during a test.
fn stand_in() -> Value {
    let table = tables("test.input").next().expect("a table of graph files");
    let known = properties(table);
    let some = |names: &[&str]| -> Map<String, Value> {
        names.iter().map(|name| ((*name).to_owned(), known[*name].clone())).collect()
    };
    json!({
        "description": table.doc,
        "anyOf": [
            {
                "type": "object",
                "properties": some(&["samples", "rate_hz", "channels", "unit"]),
                "required": ["samples", "rate_hz"],
                "additionalProperties": false,
            },
            {
                "type": "object",
                "properties": some(&["events"]),
                "required": ["events"],
                "additionalProperties": false,
            },
            { "type": "object", "properties": some(&["op"]), "required": ["op"] },
        ],
    })
}

/// `[[test]]`
pub(super) fn test() -> Value {
    let mut one = closed("test");
    one["required"] = json!(["expect"]);
    json!({ "type": "array", "items": one })
}

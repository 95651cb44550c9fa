//! `afferent schema`: graph files as a JSON Schema, made of the catalogue itself, for editors.

mod keys;
mod kinds;

use clap::Args;
use engine::{Catalog, FILE_BYTES_MAX, KeyTable};
use link::carrier;
use model::{cache::section as cache, section};
use serde_json::{Map, Value, json};

use crate::{
    catalog::catalog,
    exit::{Exit, Failure, print},
};

#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct SchemaArguments {}

const EXAMPLES: &str = "\
Examples:
  afferent schema > afferent.schema.json

JSON Schema, draft 2020-12, of what this program knows: every kind with its parameters, their types,
ranges, defaults and units. An editor with Taplo, such as VS Code with `Even Better TOML`, completes
and checks a graph whose first line names the file:
  #:schema ./afferent.schema.json

What only planning can find, such as formats that do not fit, is for `afferent check`.";

/// Prints the schema.
pub(crate) fn schema(_: &SchemaArguments) -> Result<Exit, Failure> {
    print(&format!("{}\n", of(&catalog())))?;
    Ok(Exit::Done)
}

/// The schema of graph files over a catalogue.
fn of(catalog: &Catalog) -> Value {
    let mut defs = Map::new();
    let kinds = kinds::define(catalog, &mut defs);
    defs.insert("name".to_owned(), json!({ "type": "string", "pattern": NAME }));
    defs.insert(
        "source".to_owned(),
        json!({
            "description": "Where an edge begins: `node`, `node.port`, `node[channels]`, `include.output` or `include/node`.",
            "type": "string",
            "pattern": format!("^({SOURCE}|{GIVEN})$"),
        }),
    );
    defs.insert(
        "given".to_owned(),
        json!({
            "description": "A parameter of the file: `[param.NAME]`.",
            "type": "string",
            "pattern": format!("^{GIVEN}$"),
        }),
    );
    defs.insert("input".to_owned(), keys::input());
    defs.insert("feed".to_owned(), keys::feed());
    defs.insert("node".to_owned(), json!({ "oneOf": kinds.variants, "allOf": kinds.rules }));
    let known = [
        ("cache", kinds::section(cache::PARAMS, &[])),
        ("host", kinds::section(carrier::PARAMS, &[])),
        ("model", kinds::section(section::PARAMS, &[("fixed", keys::fixed())])),
        ("include", keys::include()),
        ("output", keys::table("output")),
        ("param", keys::param()),
        ("input", keys::inlet(&kinds.variants)),
        ("node", json!({ "$ref": "#/$defs/node" })),
    ];
    let mut properties = Map::new();
    properties.insert("graph".to_owned(), keys::table("graph"));
    properties.insert("test".to_owned(), keys::test());
    for (name, schema) in known {
        let doc = match KeyTable::ALL.iter().find(|table| table.header == format!("[{name}.NAME]"))
        {
            Some(table) => table.doc,
            None => match name {
                "model" => section::DOC,
                "cache" => cache::DOC,
                _ => carrier::DOC,
            },
        };
        let named = json!({
            "description": doc,
            "type": "object",
            "propertyNames": { "$ref": "#/$defs/name" },
            "additionalProperties": schema,
        });
        properties.insert(name.to_owned(), named);
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A graph of Afferent",
        "description": format!(
            "A graph file of afferent {}: at most {FILE_BYTES_MAX} bytes.", env!("CARGO_PKG_VERSION")
        ),
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
        "$defs": defs,
    })
}

/// What a name is, as the engine's `is_name` has it.
const NAME: &str = "^[a-z][a-z0-9_]{0,63}$";

/// A path, perhaps with a port and channels.
const SOURCE: &str = r"[a-z][a-z0-9_]*(/[a-z][a-z0-9_]*)*(\.[a-z][a-z0-9_]*)?(\[[^\]]+\])?";

/// What a parameter of the file stands in for.
const GIVEN: &str = r"\$[a-z][a-z0-9_]*";

#[cfg(test)]
mod tests;

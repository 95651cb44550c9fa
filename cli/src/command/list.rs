//! `afferent list`: the kinds that nodes can be of.

use std::fmt::Write;

use engine::{Catalog, Kind};

use crate::{
    catalog::catalog,
    exit::{Exit, Failure, print},
    terminal::Ink,
};

/// Prints every kind with its summary: sources, operators, sinks.
pub(crate) fn list() -> Result<Exit, Failure> {
    print(&table(&catalog(), Ink::of_stdout()))?;
    Ok(Exit::Done)
}

fn table(catalog: &Catalog, ink: Ink) -> String {
    // A file format has one name in both directions and stands in both lists.
    let sinks = catalog.iter().flat_map(|kind| [Some(kind), kind.when_fed]).flatten();
    let groups: [(&str, Vec<&Kind>); 3] = [
        ("sources", catalog.iter().filter(|kind| kind.is_source()).collect()),
        ("operators", catalog.iter().filter(|kind| is_operator(kind)).collect()),
        ("sinks", sinks.filter(|kind| kind.is_sink()).collect()),
    ];
    let width = catalog.iter().map(|kind| kind.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for (title, kinds) in groups {
        if kinds.is_empty() {
            continue;
        }
        line(&mut text, format_args!("{}{title}{}", ink.bold, ink.off));
        for kind in kinds {
            line(&mut text, format_args!("  {:width$}  {}", kind.name, kind.summary));
        }
        text.push('\n');
    }
    line(
        &mut text,
        format_args!(
            "`afferent explain KIND` tells more, `afferent explain node` which keys all nodes have."
        ),
    );
    text
}

fn is_operator(kind: &Kind) -> bool {
    !kind.is_source() && !kind.is_sink()
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("writing to a String cannot fail");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_listed() {
        let table = table(&catalog(), Ink::OFF);

        for kind in catalog().iter() {
            assert!(table.contains(&format!("\n  {} ", kind.name)), "{}", kind.name);
        }
    }
}

//! What nodes read and write outside the graph: none destroys what another has.

use std::{io::ErrorKind, sync::Arc};

use engine::{
    Catalog, Code, Diagnostic, Disk, Files, GraphSpec, PlanOptions, ReadSeek, SourceText,
};
use operators::CATALOG;

use crate::recordings;

/// What planning says about a graph in `graph.toml`.
fn problems(files: Arc<dyn Files>, nodes: &str) -> Vec<Diagnostic> {
    let text = format!("[graph]\nname = \"g\"\n{nodes}");
    let spec = GraphSpec::parse(&SourceText::new("graph.toml", text)).expect("parses");
    let graph_file = Some("graph.toml".to_owned());
    let options = PlanOptions { graph_file, ..PlanOptions::new(files) };
    let plan = spec.plan(&Catalog::new(&[CATALOG]), &options);
    plan.map_or_else(|problems| problems.0, |plan| plan.warnings().to_vec())
}

const READ: &str = "[node.x]\nop = \"csv\"\nfile = \"table.csv\"\ncolumns = \"ecg\"\n";

fn sink(name: &str, op: &str, file: &str) -> String {
    let file = if file.is_empty() { String::new() } else { format!("file = {file:?}\n") };
    format!("[node.{name}]\nop = \"{op}\"\nfrom = \"x\"\n{file}")
}

#[test]
fn no_sink_writes_over_what_is_read() {
    let record = "[node.x]\nop = \"wfdb\"\nfile = \"100.hea\"\n";
    for (source, file, told) in [
        (READ, "table.csv", "`out` writes `table.csv`, which `x` reads"),
        (READ, "./a/../table.csv", "`out` writes `./a/../table.csv`, which `x` reads"),
        (READ, "graph.toml", "`out` writes `graph.toml`, which is this graph"),
        (record, "100.hea", "`out` writes `100.hea`, which `x` reads"),
        (record, "100.dat", "`out` writes `100.dat`, which `x` reads"),
        (record, "100.atr", "`out` writes `100.atr`, which `x` reads"),
    ] {
        for op in ["csv", "jsonl"] {
            let found = problems(
                Arc::new(recordings::files()),
                &(source.to_owned() + &sink("out", op, file)),
            );
            let clash = found.iter().find(|problem| problem.code == Code::FileClash);
            let clash = clash.unwrap_or_else(|| panic!("{op} over {file}: {found:?}"));
            assert_eq!(clash.message, told);
            assert!(clash.place.is_some() && clash.hint.is_some());
        }
    }
    let fine = READ.to_owned() + &sink("out", "csv", "other.csv");
    assert!(problems(Arc::new(recordings::files()), &fine).is_empty());
}

#[test]
fn no_two_sinks_write_one_file() {
    let both = READ.to_owned() + &sink("one", "csv", "out") + &sink("two", "jsonl", "./out");
    let found = problems(Arc::new(recordings::files()), &both);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].message, "`two` writes `./out`, which `one` writes");
}

#[test]
fn a_table_stands_alone_on_standard_output() {
    for other in ["jsonl", "print"] {
        let other = if other == "print" { sink("b", "print", "") } else { sink("b", other, "") };
        let found = problems(
            Arc::new(recordings::files()),
            &(READ.to_owned() + &sink("a", "csv", "") + &other),
        );
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].message, "`b` writes to standard output, among the rows of `a`");
    }
    let lines = READ.to_owned() + &sink("a", "jsonl", "") + &sink("b", "print", "");
    assert!(
        problems(Arc::new(recordings::files()), &lines).is_empty(),
        "lines may stand among lines"
    );
}

#[test]
fn a_file_that_cannot_be_written_is_told_before_anything_starts() {
    let ecg = "[node.x]\nop = \"ecg\"\n".to_owned();
    let found =
        problems(Arc::new(Disk), &(ecg.clone() + &sink("out", "csv", "no/such/folder/o.csv")));
    assert_eq!(found[0].code, Code::NoSuchFile);
    assert_eq!(
        found[0].message,
        "`no/such/folder/o.csv` cannot be written: there is no such folder"
    );
    assert!(found[0].place.is_some() && found[0].hint.is_some());

    let found = problems(Arc::new(Disk), &(ecg + &sink("out", "jsonl", ".")));
    assert_eq!(found[0].message, "`.` cannot be written: it is a folder");
    assert_eq!(found[0].code, Code::FileAccess);
}

#[test]
fn a_folder_in_the_place_of_a_recording_is_called_so() {
    for op in ["csv", "wfdb"] {
        let folder = Folder(format!("{op}.hea"));
        let source = format!("[node.x]\nop = {op:?}\nfile = {:?}\n", folder.0);
        let found = problems(Arc::new(folder), &(source + &sink("out", "null", "")));
        assert_eq!(found[0].code, Code::FileAccess, "{op}: {found:?}");
        assert!(found[0].message.ends_with(": it is a folder"), "{op}: {found:?}");
        assert_eq!(found[0].hint.as_deref(), Some("name a file in it"), "{op}");
    }
}

/// Holds nothing but one folder.
struct Folder(String);

impl Files for Folder {
    fn open(&self, path: &str) -> std::io::Result<Box<dyn ReadSeek>> {
        let kind = if path == self.0 { ErrorKind::IsADirectory } else { ErrorKind::NotFound };
        Err(kind.into())
    }

    fn create(&self, _: &str) -> std::io::Result<Box<dyn std::io::Write + Send>> {
        Err(ErrorKind::ReadOnlyFilesystem.into())
    }
}

//! [`Node`]: a node as its kind sees it.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    common::Common,
    files::{Files, WriteSeek, path_from, unwritable},
    format::{Format, SignalFormat},
    graph::{Code, Diagnostic, Diagnostics, Place, nearest},
    param::{Param, ParamType, Params},
    service::Services,
    time::Rate,
};

use super::Kind;

/// A node as its kind sees it, while it is planned and while its body is built.
pub struct Node<'a> {
    pub(crate) name: &'a str,
    pub(crate) kind: &'static Kind,
    pub(crate) params: &'a Params,
    /// Port, format and label of every input edge, in order.
    pub(crate) inputs: &'a [Input],
    pub(crate) outputs: &'a [Format],
    pub(crate) frame_ms: Option<f64>,
    pub(crate) files: &'a Arc<dyn Files>,
    pub(crate) services: &'a Services,
    pub(crate) common: &'a Common,
    pub(crate) session: u32,
    /// Where the graph file stands, which relative paths in it start from.
    pub(crate) graph_file: Option<&'a str>,
    /// Files that the first session reads and writes, by identity, and by whom; once it is planned.
    pub(crate) taken: Option<&'a BTreeMap<String, String>>,
    pub(crate) op_place: &'a Option<Place>,
}

/// One input edge of a node.
#[derive(Clone, Debug)]
pub struct Input {
    /// Name of the port.
    pub port: &'static str,
    /// Where it comes from, as `node` or `node.port`.
    pub label: String,
    /// What the graph file that has the node calls it: the label, or, where the way there leads through an include,
    /// what stands in `from`. For parameters that name an input.
    pub named: String,
    /// What it carries.
    pub format: Format,
    /// How far what it carries is behind the sources, by construction.
    pub delay_ns: i64,
    /// Where it was written.
    pub place: Option<Place>,
    /// What it has passed since its source, the nearest first; at most eight.
    pub through: Vec<Passed>,
}

/// A node that a stream has passed.
#[derive(Clone, Debug)]
pub struct Passed {
    /// Name of its kind.
    pub kind: &'static str,
    /// Its parameters.
    pub params: Params,
    /// Samples per second of its first input, if that is a signal.
    pub rate_hz: Option<f64>,
    /// By how much the runtime puts its outputs back in time.
    pub delay_ns: i64,
}

impl<'a> Node<'a> {
    /// Its name in the graph.
    pub const fn name(&self) -> &'a str {
        self.name
    }

    /// Its kind.
    pub const fn kind(&self) -> &'static Kind {
        self.kind
    }

    /// The value of a parameter.
    ///
    /// # Errors
    /// If it is missing or does not fit; checked before a kind is asked.
    pub fn get<T: ParamType>(&self, param: &Param<T>) -> Result<T::Read<'a>, Diagnostic> {
        self.params.read(param)
    }

    /// The value of a parameter that may be left out.
    ///
    /// # Errors
    /// If it does not fit.
    pub fn get_optional<T: ParamType>(
        &self,
        param: &Param<T>,
    ) -> Result<Option<T::Read<'a>>, Diagnostic> {
        self.params.read_optional(param)
    }

    /// Where a parameter was written.
    pub fn place(&self, param: &str) -> &'a Option<Place> {
        self.params.written(param).map_or(self.op_place, |written| &written.place)
    }

    /// A problem with a parameter, told at its place.
    pub fn problem(&self, code: Code, param: &str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(code, message).at(self.place(param)).of_node(self.name)
    }

    /// Every input edge.
    pub const fn inputs(&self) -> &'a [Input] {
        self.inputs
    }

    /// The format of the first edge into `port`.
    ///
    /// # Panics
    /// If nothing enters there; the planner demands it unless the port is optional.
    pub fn input(&self, port: &str) -> &'a Format {
        let input = self.inputs.iter().find(|input| input.port == port);
        &input.unwrap_or_else(|| panic!("nothing enters port `{port}`")).format
    }

    /// The signal that enters `port`.
    ///
    /// # Panics
    /// As [`Node::input`], or if the port does not carry signals.
    pub fn signal(&self, port: &str) -> &'a SignalFormat {
        self.input(port).as_signal().expect("the planner checked the shape of the port")
    }

    /// Samples per second of the signal that enters `port`.
    ///
    /// # Panics
    /// As [`Node::signal`].
    pub fn rate_hz(&self, port: &str) -> f64 {
        self.signal(port).rate.hz()
    }

    /// The format of an output port, once planned.
    pub fn output(&self, port: usize) -> &'a Format {
        &self.outputs[port]
    }

    /// Samples per frame for a source of `rate`: `frame_ms` if written, else `default_ms`;
    /// rounded down, at least one.
    pub fn frame_len(&self, rate: Rate, default_ms: f64) -> usize {
        let samples = rate.hz() * self.frame_ms.unwrap_or(default_ms) / 1e3;
        (samples + 1e-9).floor().clamp(1.0, 1e6) as usize
    }

    /// The path in a parameter. Relative paths start from the folder of the graph file, or from
    /// the current folder when given on the command line.
    ///
    /// # Errors
    /// If the parameter is missing.
    pub fn path(&self, param: &Param<&'static str>) -> Result<String, Diagnostic> {
        Ok(path_from(self.get(param)?, self.place(param.name()), self.graph_file))
    }

    /// Creates the file at `path`, which `param` names; of further sessions none that the first one reads or writes.
    ///
    /// # Errors
    /// Why it cannot be written, told at the parameter's place.
    pub fn create(
        &self,
        param: &str,
        path: &str,
    ) -> Result<Box<dyn std::io::Write + Send>, Diagnostic> {
        self.check_free(param, path)?;
        let problem = |error| unwritable(path, &error).at(self.place(param)).of_node(self.name);
        self.files.create(path).map_err(problem)
    }

    /// As [`Node::create`], for formats whose headers tell what is known at the end alone.
    ///
    /// # Errors
    /// As there.
    pub fn create_seekable(
        &self,
        param: &str,
        path: &str,
    ) -> Result<Box<dyn WriteSeek>, Diagnostic> {
        self.check_free(param, path)?;
        let problem = |error| unwritable(path, &error).at(self.place(param)).of_node(self.name);
        self.files.create_seekable(path).map_err(problem)
    }

    /// That a further session's own file is none that the first one has: of that one alone the planner knows.
    fn check_free(&self, param: &str, path: &str) -> Result<(), Diagnostic> {
        let (Some(taken), 1..) = (self.taken, self.session) else { return Ok(()) };
        let Some(by) = self.files.identity(path).and_then(|id| taken.get(&id)) else {
            return Ok(());
        };
        let message = format!("session {} would write `{path}`, which {by}", self.session);
        let problem = self.problem(Code::FileClash, param, message);
        Err(problem.hint("write to another file: writing begins by emptying it"))
    }

    /// The file system.
    pub const fn files(&self) -> &'a Arc<dyn Files> {
        self.files
    }

    /// The service that a parameter names.
    ///
    /// # Errors
    /// If there is none of that name, or it is of another sort. Nothing, where its section has
    /// problems that are told already.
    pub fn service<T: 'static>(&self, param: &Param<&'static str>) -> Result<&'a T, Diagnostics> {
        let name = self.get(param)?;
        if let Some(service) = self.services.find(name) {
            return Ok(service);
        }
        if self.services.is_broken(name) {
            return Err(Diagnostics::default());
        }
        let message =
            format!("`{}` = {name:?}, but the graph has no `[model.{name}]`", param.name());
        let problem = self.problem(Code::UnknownModel, param.name(), message);
        // What its kind asks is told by its example.
        let file =
            self.kind.example.split("file = \"").nth(1).and_then(|rest| rest.split('"').next());
        let file = file.unwrap_or("….onnx");
        let problem = problem.hint(format!("describe it: [model.{name}] with file = {file:?}"));
        Err(problem.did_you_mean(nearest(name, self.services.names())).into())
    }

    /// The services of the host, such as models.
    pub const fn services(&self) -> &'a Services {
        self.services
    }

    /// The `T` that all bodies of the plan share, in whatever session; made when first asked for. Where
    /// a source that takes questions and the sink that answers them find each other. Kinds that are asked for their outline
    /// share one for the graph that is planned, with those of the same host as it is written (`on`): where two nodes that
    /// no edge joins find out that they do not fit. It is none of the plan's.
    pub fn common<T: Default + Send + Sync + 'static>(&self) -> Arc<T> {
        self.common.of()
    }

    /// Number of the session, from 0.
    pub const fn session(&self) -> u32 {
        self.session
    }
}

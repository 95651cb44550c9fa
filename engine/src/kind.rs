//! [`Kind`]: what a node can be an instance of, as one constant per file; and the [`Catalog`].

use std::{
    any::Any,
    collections::BTreeMap,
    io::{Read, Seek},
    sync::Arc,
};

use crate::{
    align::AlignSpec,
    body::Body,
    fault::Fault,
    format::{Format, SignalFormat},
    graph::{Code, Diagnostic, Diagnostics, Place, nearest},
    param::{AnyParam, Param, ParamType, Params},
    service::Services,
    time::Rate,
};

/// Everything known about one kind of node before it is built.
pub struct Kind {
    /// The `op` in graph files, and the name of the file it stands in.
    pub name: &'static str,
    /// One sentence for `afferent list`.
    pub summary: &'static str,
    /// What `afferent explain` prints: formula, delay, cost, what happens to NaN, source.
    pub doc: &'static str,
    /// Parameters, and inputs if need be, for trying the kind out, as TOML.
    pub example: &'static str,
    /// Input ports in order.
    pub inputs: &'static [Port],
    /// Output ports in order.
    pub outputs: &'static [Port],
    /// Parameters in the order of the manual.
    pub params: &'static [&'static dyn AnyParam],
    /// Where its body runs.
    pub placement: Placement,
    /// How frames of several inputs meet.
    pub policy: Policy,
    /// Whether the body uses event-time timers (`due`).
    pub timers: bool,
    /// Whether its source follows a clock that cannot be made to wait.
    pub live: bool,
    /// For sources: the kind that takes this one's place where a node has a `from`, so that a
    /// file format has one name in both directions.
    pub when_fed: Option<&'static Kind>,
    /// Gives output formats, delay and look-back; reads headers of files.
    pub plan: fn(&Node<'_>) -> Result<Outline, Diagnostics>,
    /// Makes a body.
    pub build: fn(&Node<'_>) -> Result<Body, BuildError>,
    /// For kinds made at run time: what their `build` finds by [`Node::kind`].
    pub data: Option<&'static (dyn Any + Send + Sync)>,
}

impl Kind {
    /// A kind without anything, to be completed: `Kind { name: …, ..Kind::BASE }`.
    pub const BASE: Self = Self {
        name: "",
        summary: "",
        doc: "",
        example: "",
        inputs: &[],
        outputs: &[],
        params: &[],
        placement: Placement::Fused,
        policy: Policy::Merge,
        timers: false,
        live: false,
        when_fed: None,
        plan: Outline::like_ports,
        build: |_| Err(BuildError::Fault(Fault::new("this kind has no body"))),
        data: None,
    };

    /// The parameter called `name`.
    pub fn param(&self, name: &str) -> Option<&'static dyn AnyParam> {
        self.params.iter().copied().find(|param| param.name() == name)
    }

    /// Whether frames enter here.
    pub const fn is_source(&self) -> bool {
        self.inputs.is_empty()
    }

    /// Whether frames leave here.
    pub const fn is_sink(&self) -> bool {
        self.outputs.is_empty()
    }
}

impl std::fmt::Debug for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Kind({})", self.name)
    }
}

/// Where a body runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// On a data core, fused with its neighbours.
    Fused,
    /// On a data core, in a stage of its own: a turn of it takes long.
    Own,
    /// On the I/O runtime: it waits.
    Waits,
}

/// How frames of several inputs meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// One by one, in the order of their times, ties in the order of the inputs.
    Merge,
    /// Signals of one rate: to every sample of the first input, that of the same moment of the
    /// others; NaN where one has none.
    Exact,
    /// To every sample of the first input, the nearest in time of the others.
    Nearest,
    /// To every sample of the first input, the latest of the others not after it.
    Hold,
}

impl Policy {
    /// The word for it in graph files and messages.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Merge => "merge",
            Self::Exact => "exact",
            Self::Nearest => "nearest",
            Self::Hold => "hold",
        }
    }
}

/// A named opening of a kind.
#[derive(Clone, Copy, Debug)]
pub struct Port {
    /// Its name in `from` tables and after the dot of a source.
    pub name: &'static str,
    /// What it carries.
    pub shape: Shape,
    /// Whether any number of edges may enter.
    pub variadic: bool,
    /// Whether no edge need enter.
    pub optional: bool,
}

/// What a port carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A signal.
    Signal,
    /// Events.
    Event,
    /// Pictures.
    Image,
    /// Tensors.
    Tensor,
    /// Anything.
    Any,
    /// For outputs: what the named input carries.
    Like(&'static str),
}

impl Port {
    const fn new(name: &'static str, shape: Shape) -> Self {
        Self { name, shape, variadic: false, optional: false }
    }

    /// A port for signals.
    pub const fn signal(name: &'static str) -> Self {
        Self::new(name, Shape::Signal)
    }

    /// A port for events.
    pub const fn event(name: &'static str) -> Self {
        Self::new(name, Shape::Event)
    }

    /// A port for anything.
    pub const fn any(name: &'static str) -> Self {
        Self::new(name, Shape::Any)
    }

    /// An output that carries what `input` carries.
    pub const fn like(name: &'static str, input: &'static str) -> Self {
        Self::new(name, Shape::Like(input))
    }

    /// Lets any number of edges enter.
    #[must_use]
    pub const fn variadic(mut self) -> Self {
        self.variadic = true;
        self
    }

    /// Lets the port stay without an edge.
    #[must_use]
    pub const fn optional(mut self) -> Self {
        self.optional = true;
        self
    }
}

impl Shape {
    /// Whether frames of `format` may enter.
    pub const fn takes(self, format: &Format) -> bool {
        matches!(
            (self, format),
            (Self::Any | Self::Like(_), _)
                | (Self::Signal, Format::Signal(_))
                | (Self::Event, Format::Event(_))
                | (Self::Image, Format::Image(_))
                | (Self::Tensor, Format::Tensor(_))
        )
    }

    /// In words, for messages.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Signal => "a signal",
            Self::Event => "events",
            Self::Image => "images",
            Self::Tensor => "tensors",
            Self::Any => "anything",
            Self::Like(_) => "what its input carries",
        }
    }
}

/// What a kind says about one node before it is built.
#[derive(Clone, Debug, Default)]
pub struct Outline {
    /// Format of each output port, in order.
    pub outputs: Vec<Format>,
    /// By how much outputs lag behind what they are about; the runtime subtracts it.
    pub delay_ns: i64,
    /// How far before the newest input an output may still be stamped.
    pub look_back_ns: i64,
    /// How far it mostly is, where that says more than the farthest: for people, no promise.
    pub look_back_usual_ns: Option<i64>,
    /// How long a source delivers, where that is known: for progress.
    pub duration_ns: Option<i64>,
    /// How the inputs meet, where that depends on parameters; see [`Node::join`]. Without it,
    /// by the kind's policy. Counts for nothing where there is one input.
    pub align: Option<AlignSpec>,
    /// Warnings that do not keep the graph from starting.
    pub warnings: Vec<Diagnostic>,
    /// What it reads and writes outside the graph, so that no node destroys another's.
    pub uses: Vec<Use>,
}

/// Something outside the graph that a node reads or writes, and the parameter that says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// The parameter that names it.
    pub param: &'static str,
    /// What it is.
    pub what: Used,
}

/// What a node reads or writes outside the graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Used {
    /// A file it reads.
    Read(String),
    /// A file it writes, whatever that held before.
    Written(String),
    /// Standard output, for lines that may stand among others.
    Lines,
    /// Standard output, for a text that nothing may stand in.
    Alone,
}

impl Outline {
    /// Outputs of these formats, without delay.
    pub fn of(outputs: impl IntoIterator<Item = Format>) -> Self {
        Self { outputs: outputs.into_iter().collect(), ..Self::default() }
    }

    /// Outputs like the inputs their ports name.
    ///
    /// # Errors
    /// Never; the signature is that of a kind's `plan`.
    ///
    /// # Panics
    /// If an output port is not declared `like` an input.
    pub fn like_ports(node: &Node<'_>) -> Result<Self, Diagnostics> {
        Ok(Self::of(node.kind().outputs.iter().map(|port| match port.shape {
            Shape::Like(input) => node.input(input).clone(),
            _ => panic!("kind `{}` has an output it does not plan", node.kind().name),
        })))
    }

    /// The same, late by `delay_ns`.
    #[must_use]
    pub fn delayed(mut self, delay_ns: i64) -> Self {
        self.delay_ns = delay_ns;
        self
    }

    /// The same, using what `param` names.
    #[must_use]
    pub fn using(mut self, param: &'static str, what: Used) -> Self {
        self.uses.push(Use { param, what });
        self
    }

    /// The same, stamping up to `look_back_ns` into the past.
    #[must_use]
    pub fn looking_back(mut self, look_back_ns: i64) -> Self {
        self.look_back_ns = look_back_ns;
        self
    }

    /// The same, mostly stamping `look_back_ns` into the past.
    #[must_use]
    pub fn looking_back_mostly(mut self, look_back_ns: i64) -> Self {
        self.look_back_usual_ns = Some(look_back_ns);
        self
    }
}

/// What `build` may complain about.
#[derive(Debug)]
pub enum BuildError {
    /// The author of the graph must act.
    Graph(Diagnostics),
    /// Something outside must change: a file, a device.
    Fault(Fault),
}

impl From<Diagnostic> for BuildError {
    fn from(problem: Diagnostic) -> Self {
        Self::Graph(problem.into())
    }
}

impl From<Fault> for BuildError {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl std::fmt::Display for BuildError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Graph(problems) => problems.fmt(f),
            Self::Fault(fault) => fault.fmt(f),
        }
    }
}

impl std::error::Error for BuildError {}

/// A file, opened by whoever the planner was given.
pub trait ReadSeek: Read + Seek + Send {}

impl<T: Read + Seek + Send> ReadSeek for T {}

/// The file system as planning and building see it.
pub trait Files: Send + Sync {
    /// Opens a file for reading.
    ///
    /// # Errors
    /// As the system says.
    fn open(&self, path: &str) -> std::io::Result<Box<dyn ReadSeek>>;

    /// Creates or truncates a file for writing.
    ///
    /// # Errors
    /// As the system says.
    fn create(&self, path: &str) -> std::io::Result<Box<dyn std::io::Write + Send>>;

    /// What [`Files::create`] would say to a path, as far as that is known without doing it.
    ///
    /// # Errors
    /// As the system would say.
    fn check_create(&self, _path: &str) -> std::io::Result<()> {
        Ok(())
    }

    /// A name that all paths to one file share; `None` for what may be written by several, such as
    /// a device. Without knowledge of the system: the path without its detours.
    fn identity(&self, path: &str) -> Option<String> {
        Some(without_detours(path))
    }
}

/// Why a file cannot be written, and what to do about it.
pub(crate) fn unwritable(path: &str, error: &std::io::Error) -> Diagnostic {
    let (why, hint) = match error.kind() {
        std::io::ErrorKind::NotFound => {
            ("there is no such folder".to_owned(), "create the folder, or write to another")
        }
        std::io::ErrorKind::PermissionDenied => {
            ("permission denied".to_owned(), "make it writable for this user, or write elsewhere")
        }
        std::io::ErrorKind::IsADirectory => ("it is a folder".to_owned(), "name a file in it"),
        _ => (error.to_string(), "write elsewhere"),
    };
    let message = format!("`{path}` cannot be written: {why}");
    Diagnostic::error(Code::of_io(error), message).hint(hint)
}

/// A path without `.`, and without `..` where it leaves a folder of the same path.
fn without_detours(path: &str) -> String {
    use std::path::{Component, Path, PathBuf};
    let mut short = PathBuf::new();
    for part in Path::new(path).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir
                if matches!(short.components().next_back(), Some(Component::Normal(_))) =>
            {
                short.pop();
            }
            part => short.push(part),
        }
    }
    short.to_string_lossy().into_owned()
}

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
    pub(crate) session: u32,
    /// Where the graph file stands, which relative paths in it start from.
    pub(crate) graph_file: Option<&'a str>,
    pub(crate) op_place: &'a Option<Place>,
}

/// One input edge of a node.
#[derive(Clone, Debug)]
pub struct Input {
    /// Name of the port.
    pub port: &'static str,
    /// Where it comes from, as `node` or `node.port`.
    pub label: String,
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
        let written = self.get(param)?;
        let from_file = self
            .place(param.name())
            .as_ref()
            .is_some_and(|place| self.graph_file.is_some_and(|graph| graph == place.file.name()));
        let folder = self.graph_file.filter(|_| from_file).and_then(|graph| {
            std::path::Path::new(graph).parent().filter(|folder| !folder.as_os_str().is_empty())
        });
        Ok(match folder {
            Some(folder) => folder.join(written).to_string_lossy().into_owned(),
            None => written.to_owned(),
        })
    }

    /// Creates the file at `path`, which `param` names.
    ///
    /// # Errors
    /// Why it cannot be written, told at the parameter's place.
    pub fn create(
        &self,
        param: &str,
        path: &str,
    ) -> Result<Box<dyn std::io::Write + Send>, Diagnostic> {
        let problem = |error| unwritable(path, &error).at(self.place(param)).of_node(self.name);
        self.files.create(path).map_err(problem)
    }

    /// The file system.
    pub const fn files(&self) -> &'a Arc<dyn Files> {
        self.files
    }

    /// The services of the host, such as models.
    pub const fn services(&self) -> &'a Services {
        self.services
    }

    /// Number of the session, from 0.
    pub const fn session(&self) -> u32 {
        self.session
    }
}

/// The kinds a graph may use.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    kinds: BTreeMap<&'static str, &'static Kind>,
    order: Vec<&'static Kind>,
}

impl Catalog {
    /// The kinds of one or several lists. A later kind of the same name is not taken.
    pub fn new(lists: &[&[&'static Kind]]) -> Self {
        let mut this = Self::default();
        for kind in lists.iter().copied().flatten() {
            this.add(kind);
        }
        this
    }

    /// Adds a kind; says whether its name was free. Kinds made at run time are leaked on
    /// purpose: they are as few as plugins.
    pub fn add(&mut self, kind: &'static Kind) -> bool {
        let free = !self.kinds.contains_key(kind.name);
        if free {
            self.kinds.insert(kind.name, kind);
            self.order.push(kind);
        }
        free
    }

    /// The kind of this name.
    pub fn find(&self, name: &str) -> Option<&'static Kind> {
        self.kinds.get(name).copied()
    }

    /// The name most like `asked`, if one is like it.
    pub fn nearest(&self, asked: &str) -> Option<&'static str> {
        nearest(asked, self.kinds.keys().copied())
    }

    /// Every kind, in the order of the manual.
    pub fn iter(&self) -> impl Iterator<Item = &'static Kind> + '_ {
        self.order.iter().copied()
    }
}

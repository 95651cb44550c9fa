//! From a graph file to a plan.

use std::{
    cell::OnceCell,
    ffi::OsStr,
    fs::File,
    io::{self, ErrorKind, Read, Write},
    path::Path,
    sync::Arc,
};

use engine::{
    Catalog, Code, Diagnostic, Diagnostics, Disk, Files, Forgotten, GraphSpec, Kind, Level, Loaded,
    NodeSpec, Override, Plan, PlanOptions, Services, Value, nearest,
};
use link::{
    carrier::{self, LinkCarrier},
    host::Part,
};
use model::section;

use crate::{
    arguments::GraphArguments,
    catalog::catalog,
    exit::{Exit, Failure},
    graph_test,
    terminal::Ink,
};

/// The part of a graph that runs on one host.
pub(crate) struct OnHost {
    pub(crate) plan: Arc<Plan>,
    pub(crate) part: Part,
    /// What its bodies find their links by.
    pub(crate) carrier: LinkCarrier,
}

/// A graph as the command line asks for it, not yet planned.
pub(crate) struct Graph {
    pub(crate) spec: GraphSpec,
    /// The path as it was given.
    name: String,
    /// The file itself, for those who load it with other changes.
    bytes: Vec<u8>,
    forgotten: Vec<Forgotten>,
    /// Models of which another file was `--set`, the key, and what they were made of before.
    replaced: Vec<(String, String, Vec<String>)>,
    /// What hosts compare to see whether they run the same file.
    hash: [u8; 16],
    /// Nodes with a key that was `--set`, each with what was written.
    set: Vec<(String, String)>,
    /// The host whose part is run, if there is one.
    host: Option<String>,
    /// Warnings count as errors.
    denies_warnings: bool,
    /// Kinds that it alone knows.
    kinds: Vec<&'static Kind>,
    /// The models and caches it describes, opened when it is planned first, and what is wrong with them.
    models: OnceCell<(Services, Diagnostics)>,
}

impl Graph {
    /// Reads a graph file and applies what was `--set`.
    pub(crate) fn load(asked: &GraphArguments) -> Result<Self, Failure> {
        Self::load_on(asked, None)
    }

    /// Reads a graph file and applies what is different on a host, and then what was `--set`.
    pub(crate) fn load_on(asked: &GraphArguments, host: Option<&str>) -> Result<Self, Failure> {
        let overrides = overrides(&asked.set)?;
        let mut this = Self::read_with(&asked.file, host, &overrides)?;
        this.host = host.map(str::to_owned);
        this.changed(&overrides, asked);
        Ok(this)
    }

    /// As [`Graph::load`], where the file that is asked for and those that it includes are not read but given.
    pub(crate) fn load_from(asked: &GraphArguments, files: &dyn Files) -> Result<Self, Failure> {
        let overrides = overrides(&asked.set)?;
        let name = asked.file.to_string_lossy().into_owned();
        let mut bytes = Vec::new();
        let read = files.open(&name).and_then(|mut file| file.read_to_end(&mut bytes));
        read.map_err(|error| unreadable(&asked.file, &name, &error))?;
        let mut this = Self::of_bytes(name, bytes, files, None, &overrides)?;
        this.changed(&overrides, asked);
        Ok(this)
    }

    /// Takes note of what was asked to be different.
    fn changed(&mut self, overrides: &[Override], asked: &GraphArguments) {
        self.denies_warnings = asked.deny_warnings;
        self.replace_models(overrides);
        let nodes = overrides.iter().map(|change| change.path[0].value.clone());
        self.set = nodes.zip(asked.set.iter().cloned()).collect();
    }

    /// Reads a graph file.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        Self::read_with(path, None, &[])
    }

    fn read_with(path: &Path, host: Option<&str>, overrides: &[Override]) -> Result<Self, Failure> {
        let name = path.to_string_lossy().into_owned();
        let bytes = read(path, &name)?;
        Self::of_bytes(name, bytes, &Disk, host, overrides)
    }

    fn of_bytes(
        name: String,
        bytes: Vec<u8>,
        files: &dyn Files,
        host: Option<&str>,
        overrides: &[Override],
    ) -> Result<Self, Failure> {
        let loaded = GraphSpec::load(&name, &bytes, files, host, overrides);
        let Loaded { spec, forgotten } = loaded.map_err(|all| Failure::graph(&all))?;
        let hash = hash(&bytes, &spec);
        Ok(Self {
            spec,
            name,
            bytes,
            forgotten,
            replaced: Vec::new(),
            hash,
            set: Vec::new(),
            host: None,
            denies_warnings: false,
            kinds: Vec::new(),
            models: OnceCell::new(),
        })
    }

    /// Of models that are `--set` to be another one, takes out what was written of the old one.
    fn replace_models(&mut self, overrides: &[Override]) {
        let of_models = overrides.iter().filter_map(|change| match &change.path[..] {
            [model, name, key] if model.value == "model" => Some((&*name.value, &*key.value)),
            _ => None,
        });
        let set: Vec<(&str, &str)> = of_models.collect();
        for section in &mut self.spec.models {
            let name = section.name.value.clone();
            for (_, key) in set.iter().filter(|(model, _)| *model == name) {
                let is_set = |key: &str| set.contains(&(&*name, key));
                // What was set as well is of the new one.
                let mut forgotten = section::forget(&mut section.clone(), key);
                forgotten.retain(|key| !is_set(key));
                section.params.retain(|(key, _)| !forgotten.contains(&key.value));
                if !forgotten.is_empty() {
                    self.replaced.push((name.clone(), (*key).to_owned(), forgotten));
                }
            }
        }
    }

    /// A graph that stands in no file.
    pub(crate) fn of_spec(spec: GraphSpec) -> Self {
        Self {
            name: String::new(),
            bytes: Vec::new(),
            forgotten: Vec::new(),
            replaced: Vec::new(),
            hash: hash(&[], &spec),
            spec,
            set: Vec::new(),
            host: None,
            denies_warnings: false,
            kinds: Vec::new(),
            models: OnceCell::new(),
        }
    }

    /// The file and those that it includes, with their texts.
    pub(crate) fn files(&self) -> Vec<(String, String)> {
        let text = String::from_utf8_lossy(&self.bytes).into_owned();
        let included = self.spec.included().iter();
        let included = included.map(|file| (file.name().to_owned(), file.text().to_owned()));
        std::iter::once((self.name.clone(), text)).chain(included).collect()
    }

    /// What hosts compare to see whether they run the same graph, as letters.
    pub(crate) fn hash_text(&self) -> String {
        self.hash.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Lets it alone know a kind more.
    pub(crate) fn add_kind(&mut self, kind: &'static Kind) {
        self.kinds.push(kind);
    }

    fn catalog(&self) -> Catalog {
        let mut catalog = catalog();
        self.kinds.iter().for_each(|kind| {
            catalog.add(kind);
        });
        catalog
    }

    /// Its file, if it has one.
    fn file(&self) -> Option<String> {
        (!self.name.is_empty()).then(|| self.name.clone())
    }

    /// Tells stderr of warnings, if there are any; refuses the graph for them where they are denied.
    fn warn(&self, warnings: &[Diagnostic]) -> Result<(), Failure> {
        if warnings.is_empty() {
            return Ok(());
        }
        let mut told = Diagnostics(warnings.to_vec());
        if self.denies_warnings {
            told.0.iter_mut().for_each(|warning| warning.level = Level::Error);
            return Err(Failure::graph(&told));
        }
        let text = told.render(Ink::of_stderr().is_on());
        // Where stderr is closed there is nobody to tell.
        let _ = io::stderr().write_all(text.as_bytes());
        Ok(())
    }

    /// Plans it for so many data cores, and tells stderr what `--set` forgot and what to look at.
    pub(crate) fn plan(&self, cores: usize) -> Result<Arc<Plan>, Failure> {
        let plan = self.plan_with(cores, Vec::new(), None)?;
        self.warn(plan.warnings())?;
        Ok(plan)
    }

    /// Plans it to take the place of a plan that runs, with the models of that.
    pub(crate) fn plan_after(mut self, running: &Plan, cores: usize) -> Result<Arc<Plan>, Failure> {
        let problems = running.sections_against(&self.spec);
        if problems.has_errors() {
            return Err(Failure::graph(&problems));
        }
        // They were opened when it started, and what `--set` forgot was told.
        self.models = OnceCell::from((running.services().clone(), Diagnostics::default()));
        self.forgotten.clear();
        self.replaced.clear();
        let plan = self.plan_with(cores, Vec::new(), None)?;
        if self.denies_warnings {
            self.warn(plan.warnings())?;
        }
        Ok(plan)
    }

    /// Plans all of it, and what each of its hosts would run, as its `set` has it there; refuses because of `others`, too,
    /// and tells stderr what to look at, all together.
    pub(crate) fn plan_everywhere(
        &self,
        asked: &GraphArguments,
        others: Vec<Diagnostic>,
    ) -> Result<Arc<Plan>, Failure> {
        let plan = self.plan_with(self.cores(), others, None)?;
        let (mut warnings, mut problems) = (plan.warnings().to_vec(), Vec::new());
        let add = |found: Vec<Diagnostic>, all: &mut Vec<Diagnostic>| {
            for one in found {
                if !all.contains(&one) {
                    all.push(one);
                }
            }
        };
        for section in &self.spec.hosts {
            let host = &section.name.value;
            let differs = section.param("set").is_some();
            let own = differs.then(|| Self::load_on(asked, Some(host))).transpose()?;
            let own = own.as_ref().unwrap_or(self);
            let there = match own.planned(host) {
                Ok(there) => there,
                Err(Diagnostics(found)) => {
                    add(found, &mut problems);
                    continue;
                }
            };
            // What is planned there as it is here was told here.
            add(if differs { there.warnings().to_vec() } else { Vec::new() }, &mut warnings);
            match own.part(host, &there) {
                Ok(part) => add(part.warnings, &mut warnings),
                // What two hosts have to do with each other is told by the first of them.
                Err(Diagnostics(found)) if problems.is_empty() => add(found, &mut problems),
                Err(_) => {}
            }
        }
        if !problems.is_empty() {
            return Err(Failure::graph(&problems.into()));
        }
        self.warn(&warnings)?;
        Ok(plan)
    }

    /// Plans the part of `host`, with what it has to do with the others.
    pub(crate) fn plan_on(
        &self,
        host: &str,
        cores: usize,
        others: Vec<Diagnostic>,
    ) -> Result<OnHost, Failure> {
        let carrier = LinkCarrier::default();
        let plan = self.plan_with(cores, others, Some((host, &carrier)))?;
        let part = self.part(host, &plan).map_err(|all| Failure::graph(&all))?;
        self.warn(&[plan.warnings(), &part.warnings].concat())?;
        let here: Vec<&str> = plan.node_names().collect();
        let is_elsewhere = |node: &str| {
            let spec = self.spec.find(node);
            // A call that may move runs here as well.
            let moves = |node: &NodeSpec| node.options.on.iter().any(|on| on.value == host);
            spec.is_some_and(|spec| !moves(spec)) && !here.contains(&node)
        };
        for (node, text) in self.set.iter().filter(|(node, _)| is_elsewhere(node)) {
            // Where stderr is closed there is nobody to tell.
            let _ = writeln!(
                io::stderr(),
                "note: `{node}` runs on another host; `--set {text}` counts there only if it is given there"
            );
        }
        Ok(OnHost { plan, part, carrier })
    }

    /// What a host would run.
    fn planned(&self, host: &str) -> Result<Plan, Diagnostics> {
        let mut options = self.options(self.cores());
        options.host = Some(host.to_owned());
        options.carrier = Some(Arc::new(LinkCarrier::default()));
        let planned = self.spec.plan(&self.catalog(), &options);
        let mut problems = self.models().1.0.clone();
        problems.extend(planned.as_ref().err().map_or(Vec::new(), |all| all.0.clone()));
        if problems.is_empty() { planned } else { Err(problems.into()) }
    }

    /// What it would have to do with the others.
    fn part(&self, host: &str, there: &Plan) -> Result<Part, Diagnostics> {
        Part::new(there, host, &carrier::hosts(&self.spec, self.file().as_deref())?, self.hash)
    }

    /// As [`Graph::plan`], but for what to look at; refuses because of `others`, too, each told once and all together.
    fn plan_with(
        &self,
        cores: usize,
        mut others: Vec<Diagnostic>,
        host: Option<(&str, &LinkCarrier)>,
    ) -> Result<Arc<Plan>, Failure> {
        others.extend_from_slice(&self.models().1.0);
        others.extend(
            carrier::hosts(&self.spec, self.file().as_deref())
                .err()
                .map_or(Vec::new(), |problems| problems.0),
        );
        let mut said = String::new();
        for Forgotten { node, old_op, new_op, params } in &self.forgotten {
            let params: Vec<_> = params.iter().map(|param| format!("`{param}`")).collect();
            said += &format!(
                "note: `{node}` is now `{new_op}`; forgotten from `{old_op}`: {}\n",
                params.join(", ")
            );
        }
        for (model, key, params) in &self.replaced {
            let params: Vec<_> = params.iter().map(|param| format!("`{param}`")).collect();
            let params = params.join(", ");
            said +=
                &format!("note: the model `{model}` is now that of `{key}`; forgotten: {params}\n");
        }
        // Where stderr is closed there is nobody to tell.
        let _ = io::stderr().write_all(said.as_bytes());
        let mut options = self.options(cores);
        if let Some((host, carrier)) = host {
            options.host = Some(host.to_owned());
            options.carrier = Some(Arc::new(carrier.clone()));
        }
        let plan = self.spec.plan(&self.catalog(), &options);
        let plan = match plan {
            Ok(plan) if others.is_empty() => plan,
            Ok(plan) => {
                let problems = [plan.warnings().to_vec(), others].concat();
                return Err(Failure::graph(&problems.into()));
            }
            Err(Diagnostics(mut problems)) => {
                graph_test::add(others, &mut problems);
                return Err(Failure::graph(&problems.into()));
            }
        };
        Ok(Arc::new(plan))
    }

    /// The spec of the file with other changes.
    ///
    /// # Errors
    /// What keeps it from being read so.
    pub(crate) fn spec_with(&self, changes: &[Override]) -> Result<GraphSpec, Diagnostics> {
        GraphSpec::load(&self.name, &self.bytes, &Disk, None, changes).map(|loaded| loaded.spec)
    }

    /// Plans another spec as if it stood in this file.
    pub(crate) fn plan_instead(
        &self,
        spec: &GraphSpec,
        catalog: &Catalog,
    ) -> Result<Plan, Diagnostics> {
        self.plan_for(spec, catalog, self.cores())
    }

    /// As [`Graph::plan_instead`], for so many data cores.
    pub(crate) fn plan_for(
        &self,
        spec: &GraphSpec,
        catalog: &Catalog,
        cores: usize,
    ) -> Result<Plan, Diagnostics> {
        spec.plan(catalog, &self.options(cores))
    }

    /// Data cores that `core` in the graph asks for; at least one.
    pub(crate) fn cores(&self) -> usize {
        let cores = self.spec.nodes.iter().filter_map(|node| node.options.core.as_ref());
        let most = cores.map(|core| core.value as usize + 1).max().unwrap_or(1);
        // A number far too large is for the planner to refuse.
        most.min(crate::arguments::CORES_MAX as usize)
    }

    /// Whether sessions come and go at the door of a node.
    pub(crate) fn has_door(&self) -> bool {
        let catalog = self.catalog();
        let has_door = |node: &engine::NodeSpec| {
            let kind = catalog.find(&node.op.value);
            node.from.is_empty() && kind.is_some_and(|kind| kind.door.is_some())
        };
        self.spec.nodes.iter().any(has_door)
    }

    fn models(&self) -> &(Services, Diagnostics) {
        self.models.get_or_init(|| {
            let mut spec = self.spec.clone();
            if self.host.is_some() {
                // What only another host asks, as its `set` says, need not even be here.
                let is_named = |name: &str| is_named(&self.spec, name);
                spec.models.retain(|section| is_named(&section.name.value));
            }
            section::services(&spec, Arc::new(Disk), self.file(), |news| {
                // Where stderr is closed there is nobody to tell.
                let _ = writeln!(io::stderr(), "afferent: {news}");
            })
        })
    }

    fn options(&self, cores: usize) -> PlanOptions {
        PlanOptions {
            graph_file: self.file(),
            services: self.models().0.clone(),
            cores,
            ..PlanOptions::new(Arc::new(Disk))
        }
    }
}

/// Of the file and of all that it includes, so that hosts see where one of them differs.
fn hash(bytes: &[u8], spec: &GraphSpec) -> [u8; 16] {
    let mut text = String::from_utf8_lossy(bytes).into_owned();
    for file in spec.included() {
        text.push('\n');
        text.push_str(file.text());
    }
    carrier::graph_hash(&text)
}

/// Whether a text in a node or a model of a graph is this name.
fn is_named(spec: &GraphSpec, name: &str) -> bool {
    fn has(value: &Value, name: &str) -> bool {
        match value {
            Value::Text(text) => text == name,
            Value::List(items) => items.iter().any(|item| has(&item.value, name)),
            Value::Table(entries) => entries.iter().any(|(_, value)| has(&value.value, name)),
            _ => false,
        }
    }
    let of_nodes = spec.nodes.iter().flat_map(|node| &node.params);
    let of_models = spec.models.iter().flat_map(|section| &section.params);
    of_nodes.chain(of_models).any(|(_, value)| has(&value.value, name))
}

fn overrides(texts: &[String]) -> Result<Vec<Override>, Failure> {
    let (mut overrides, mut problems) = (Vec::new(), Vec::new());
    for text in texts {
        match Override::parse(text) {
            Ok(change) => {
                if change.value.value.as_text().is_some_and(|path| path.starts_with("~/")) {
                    // Where stderr is closed there is nobody to tell.
                    let _ = writeln!(
                        io::stderr(),
                        "note: `~` in `{text}` means no folder here; write `$HOME/…`"
                    );
                }
                overrides.push(change);
            }
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(overrides) } else { Err(Failure::usage(&problems.into())) }
}

/// Bytes that are read at all: no graph file is so long, as the parser says where it is shorter.
const READ_BYTES_MAX: u64 = 16 << 20;

pub(crate) fn read(path: &Path, name: &str) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let file = File::open(path);
    let read = file.and_then(|file| file.take(READ_BYTES_MAX + 1).read_to_end(&mut bytes));
    match read {
        Err(error) => Err(unreadable(path, name, &error)),
        Ok(read) if read as u64 > READ_BYTES_MAX => {
            let message = format!("the file has more than {READ_BYTES_MAX} bytes");
            let problem = Diagnostic::error(Code::TooLarge, message).of(name);
            let hint = "name a graph file; keep recordings in files of their own";
            Err(Failure::graph(&problem.hint(hint).into()))
        }
        Ok(_) => Ok(bytes),
    }
}

/// Why a graph file cannot be read, and what its reader may have meant.
fn unreadable(path: &Path, name: &str, error: &io::Error) -> Failure {
    let (what, hint) = match error.kind() {
        ErrorKind::NotFound => ("there is no such file".to_owned(), absent(path)),
        ErrorKind::IsADirectory => ("it is a folder".to_owned(), inside(path)),
        ErrorKind::PermissionDenied => {
            ("permission denied".to_owned(), "make the file readable for this user".to_owned())
        }
        // Windows refuses to open a folder by this name.
        _ if path.is_dir() => ("it is a folder".to_owned(), inside(path)),
        _ => (error.to_string(), "check the disk and the file, then try again".to_owned()),
    };
    Failure::new(Exit::Io, &format!("cannot read `{name}`: {what}"), &hint)
}

fn absent(path: &Path) -> String {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    if !folder.is_dir() {
        return format!("there is no folder `{}` either; check the path", folder.display());
    }
    let asked = path.file_name().unwrap_or_default().to_string_lossy();
    let graphs = graphs_in(folder);
    match nearest(&asked, graphs.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{}`?", path.with_file_name(near).display()),
        None => "check the name and the folder".to_owned(),
    }
}

fn inside(folder: &Path) -> String {
    match &graphs_in(folder)[..] {
        [] => "name a graph file".to_owned(),
        [only] => format!("name the graph file in it: `{}`", folder.join(only).display()),
        [first, others @ ..] => {
            let first = folder.join(first);
            let others = others.len();
            format!("name a graph file in it, such as `{}` ({others} more)", first.display())
        }
    }
}

/// Names of the graph files in a folder, in order; of a huge folder not all.
pub(crate) fn graphs_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().take(1_000);
    let paths = entries.map(|entry| entry.path());
    let graphs = paths.filter(|path| path.extension() == Some(OsStr::new("toml")));
    let names = graphs.filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

//! `[cache.NAME]` in a graph file: how many answers are kept, how long, and where else.

use std::{sync::Arc, time::Duration};

use engine::{
    AnyParam, Code, Diagnostic, Diagnostics, Fault, Node, Param, Params, SectionSpec, Service,
    ServiceKind, Services, nearest,
};

use super::{Cache, CacheOptions, RedisOptions, redis::client, shared::CacheService};

/// What the name of a cache begins with among the services of a graph.
pub const PREFIX: &str = "cache.";

/// What a section is, for the manual.
pub const DOC: &str = "Answers that are kept, in a section of its own; models use it by its NAME (`cache` in \
    `[model.NAME]`), and so does `http_call`. The same question, to the bit, to the same model in the same \
    way is answered from memory, on the spot; while it runs, those who ask the same wait for its answer. \
    All sessions of a host share it. With `redis` what is not in memory is looked up there, for \
    `redis_budget_ms` at most, and answers are written there, for other hosts and the next start; \
    where it fails or is slow, the run goes on without it. At the end of a run a line says what was spared. \
    Whoever may write to the Redis may answer: protect it.";
/// A section, for the manual.
pub const EXAMPLE: &str = "[cache.answers]\nentries = 10_000\nttl_s = 600.0\nredis = \"redis://127.0.0.1:6379/0\"\n\n\
    [model.beats]\nfile = \"beats.onnx\"\ncache = \"answers\"";

/// The parameters of a section, in the order of the manual.
pub static PARAMS: &[&dyn AnyParam] =
    &[&ENTRIES, &SIZE_MB, &TTL_S, &REDIS, &BUDGET_MS, &PASSWORD_ENV, &REDIS_PREFIX];

const ENTRIES: Param<i64> =
    Param::with_default("entries", 10_000, "Most answers in memory.").within(1.0, 1e7);
const SIZE_MB: Param<f64> = Param::with_default(
    "size_mb",
    64.0,
    "Most memory that answers take, in millions of bytes; one larger than its equal share takes the place of several.",
)
.within(0.01, 1e5);
const TTL_S: Param<f64> =
    Param::with_default("ttl_s", 60.0, "How long an answer holds.").within(0.001, 1e8);
const REDIS: Param<&str> = Param::optional(
    "redis",
    "A Redis as second level: \"redis://host:port/database\" or \"unix:///path\".",
);
const BUDGET_MS: Param<f64> = Param::with_default(
    "redis_budget_ms",
    2.0,
    "How long a lookup may take, to the millisecond; then the question is asked without it.",
)
.within(1.0, 1_000.0);
const PASSWORD_ENV: Param<&str> = Param::optional(
    "redis_password_env",
    "The environment variable with the password of the Redis.",
);
const REDIS_PREFIX: Param<&str> = Param::with_default(
    "redis_prefix",
    "afferent",
    "What the names of its keys in Redis begin with.",
);

/// Opens the caches that graphs describe.
pub struct CacheServices;

fn options(section: &SectionSpec) -> Result<CacheOptions, Diagnostics> {
    let params = section.checked_as("cache", PARAMS)?;
    let redis = match params.read_optional(&REDIS)? {
        Some(address) => Some(redis(section, &params, address)?),
        None => None,
    };
    Ok(CacheOptions {
        entries: params.read(&ENTRIES)? as usize,
        bytes: (1e6 * params.read(&SIZE_MB)?) as u64,
        lasts: Duration::from_secs_f64(params.read(&TTL_S)?),
        redis,
    })
}

fn redis(
    section: &SectionSpec,
    params: &Params,
    address: &str,
) -> Result<RedisOptions, Diagnostic> {
    let problem = |param: &str, message: String| {
        let place = section.param(param).and_then(|written| written.place.clone());
        let problem = Diagnostic::error(Code::OutOfRange, message).at(&place);
        problem.of(format!("cache `{}`", section.name.value))
    };
    let hint = "write such as \"redis://127.0.0.1:6379/0\"";
    if address.starts_with("rediss:") {
        let message = "a Redis behind TLS is not reached".to_owned();
        return Err(problem(REDIS.name(), message).hint("reach it through a tunnel of your own"));
    }
    if !["redis://", "unix://"].iter().any(|scheme| address.starts_with(scheme)) {
        let message = "`redis` is no address of a Redis".to_owned();
        return Err(problem(REDIS.name(), message).hint(hint));
    }
    let password = match params.read_optional(&PASSWORD_ENV)? {
        Some(name) => Some(std::env::var(name).map_err(|_| {
            let message = format!("the environment variable `{name}` holds no password");
            let problem = problem(PASSWORD_ENV.name(), message);
            problem.hint(format!("set it: export {name}=…"))
        })?),
        None => None,
    };
    let options = RedisOptions {
        address: address.to_owned(),
        password: None,
        budget: Duration::from_secs_f64(params.read(&BUDGET_MS)? / 1e3),
        prefix: params.read(&REDIS_PREFIX)?.to_owned(),
    };
    // What it says about an address may hold what stands in it: only that it is wrong is told.
    let known = client(&options).map_err(|_| {
        problem(REDIS.name(), "`redis` is no address of a Redis".to_owned()).hint(hint)
    })?;
    if known.get_connection_info().redis_settings().password().is_some() {
        let message = "a password in `redis` is read by everybody who reads the graph".to_owned();
        let problem = problem(REDIS.name(), message);
        return Err(
            problem.hint("name the environment variable that holds it: `redis_password_env`")
        );
    }
    Ok(RedisOptions { password, ..options })
}

impl ServiceKind for CacheServices {
    fn plan(&self, section: &SectionSpec) -> Result<String, Diagnostics> {
        options(section)?;
        // Two of equal settings are two.
        Ok(section.name.value.clone())
    }

    fn open(&self, section: &SectionSpec) -> Result<Arc<dyn Service>, Fault> {
        let options = options(section).map_err(|_| Fault::new("its section is wrong"))?;
        Ok(Arc::new(CacheService(Cache::new(&options)?)))
    }

    fn word(&self) -> &'static str {
        "cache"
    }

    fn remedy(&self, _: &SectionSpec) -> String {
        format!(
            "correct `{}`, or leave it out: answers are then kept in memory alone",
            REDIS.name()
        )
    }
}

/// The cache called `name` among services that are caches, or none if its section has problems that are
/// told.
///
/// # Errors
/// If there is none of that name.
pub(crate) fn find(
    services: &Services,
    prefix: &str,
    name: &str,
) -> Result<Option<Arc<Cache>>, Diagnostic> {
    let full = format!("{prefix}{name}");
    if let Some(CacheService(cache)) = services.find(&full) {
        return Ok(Some(cache.clone()));
    }
    if services.is_broken(&full) {
        return Ok(None);
    }
    let message = format!("the graph has no `[cache.{name}]`");
    let known = services.names().filter_map(|known| known.strip_prefix(prefix));
    let problem = Diagnostic::error(Code::UnknownKey, message);
    let problem = problem.hint(format!("describe it: [cache.{name}] with entries = 10_000"));
    Err(problem.did_you_mean(nearest(name, known)))
}

/// The cache that a node names, if it names one.
///
/// # Errors
/// As [`find`]; nothing, where its section has problems that are told.
pub(crate) fn of_node(
    node: &Node<'_>,
    param: &Param<&'static str>,
) -> Result<Option<Arc<Cache>>, Diagnostics> {
    let Some(name) = node.get_optional(param)? else { return Ok(None) };
    let found = find(node.services(), PREFIX, name);
    let found =
        found.map_err(|problem| problem.at(node.place(param.name())).of_node(node.name()))?;
    found.map(Some).ok_or_else(Diagnostics::default)
}

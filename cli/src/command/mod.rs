//! The commands, one file each.

#[cfg(unix)]
mod attach;
mod bench;
mod calibrate;
mod check;
mod completions;
mod devices;
mod doctor;
mod draw;
#[cfg(not(unix))]
mod elsewhere;
mod example;
mod explain;
mod fmt;
mod list;
mod live;
mod looks;
mod man;
mod model;
mod new;
mod pair;
mod peers;
mod record;
mod replay;
mod run;
mod schema;
mod serve;
mod slow;
mod spool;
#[cfg(unix)]
mod tap;
mod test;
#[cfg(unix)]
mod top;
mod try_line;

pub(crate) use bench::{BenchArguments, bench};
pub(crate) use calibrate::{CalibrateArguments, calibrate};
pub(crate) use check::check;
pub(crate) use completions::{CompletionsArguments, completions};
pub(crate) use devices::{DevicesArguments, devices};
pub(crate) use doctor::{DoctorArguments, doctor};
pub(crate) use draw::{DrawArguments, draw};
#[cfg(not(unix))]
pub(crate) use elsewhere::{TapArguments, TopArguments, tap, top};
pub(crate) use explain::explain;
pub(crate) use fmt::{FmtArguments, fmt};
pub(crate) use list::list;
pub(crate) use man::{ManArguments, man};
pub(crate) use model::{ModelArguments, model};
pub(crate) use new::{NewArguments, new};
pub(crate) use pair::{PairArguments, pair};
pub(crate) use peers::{PeersArguments, peers};
pub(crate) use record::{RecordArguments, record};
pub(crate) use replay::{ReplayArguments, replay};
pub(crate) use run::run;
pub(crate) use schema::{SchemaArguments, schema};
pub(crate) use serve::serve;
pub(crate) use spool::{SpoolArguments, spool};
#[cfg(unix)]
pub(crate) use tap::{TapArguments, tap};
pub(crate) use test::test;
#[cfg(unix)]
pub(crate) use top::{TopArguments, top};
pub(crate) use try_line::{TryArguments, try_line};

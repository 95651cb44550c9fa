//! The commands, one file each.

mod calibrate;
mod check;
mod devices;
mod draw;
mod example;
mod explain;
mod list;
mod live;
mod model;
mod pair;
mod peers;
mod run;
mod serve;
mod spool;
mod test;

pub(crate) use calibrate::{CalibrateArguments, calibrate};
pub(crate) use check::check;
pub(crate) use devices::{DevicesArguments, devices};
pub(crate) use draw::draw;
pub(crate) use explain::explain;
pub(crate) use list::list;
pub(crate) use model::{ModelArguments, model};
pub(crate) use pair::{PairArguments, pair};
pub(crate) use peers::{PeersArguments, peers};
pub(crate) use run::run;
pub(crate) use serve::serve;
pub(crate) use spool::{SpoolArguments, spool};
pub(crate) use test::test;

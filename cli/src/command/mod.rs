//! The commands, one file each.

mod calibrate;
mod check;
mod draw;
mod example;
mod explain;
mod list;
mod model;
mod run;
mod spool;
mod test;

pub(crate) use calibrate::{CalibrateArguments, calibrate};
pub(crate) use check::check;
pub(crate) use draw::draw;
pub(crate) use explain::explain;
pub(crate) use list::list;
pub(crate) use model::{ModelArguments, model};
pub(crate) use run::run;
pub(crate) use spool::{SpoolArguments, spool};
pub(crate) use test::test;

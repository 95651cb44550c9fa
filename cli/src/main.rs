//! `afferent` with the kinds it brings along. All there is to it stands in the library beside it.

use std::process::ExitCode;

fn main() -> ExitCode {
    afferent::main(&[])
}

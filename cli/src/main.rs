//! `afferent` with the kinds it brings along. All there is to it stands in the library beside it.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: afferent::Counting = afferent::Counting;

fn main() -> ExitCode {
    afferent::main(&[])
}

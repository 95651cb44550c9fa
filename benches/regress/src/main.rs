//! `make regress`: see the library.

fn main() -> std::process::ExitCode {
    #[cfg(unix)]
    return afferent_regress::main();
    #[cfg(not(unix))]
    {
        eprintln!("regress: only systems like Unix tell what a program used");
        std::process::ExitCode::from(2)
    }
}

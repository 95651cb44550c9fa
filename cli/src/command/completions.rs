//! `afferent completions`: what a shell completes.

use clap::{Args, CommandFactory, builder::PossibleValuesParser};
use clap_complete::Shell;
use engine::{Code, KeyTable};

use crate::{
    arguments::Arguments,
    catalog::catalog,
    exit::{Exit, Failure, print},
};

#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct CompletionsArguments {
    /// The shell
    #[arg(value_name = "SHELL", value_enum)]
    shell: Shell,
}

const EXAMPLES: &str = "\
Examples:
  afferent completions bash > ~/.local/share/bash-completion/completions/afferent
  afferent completions zsh  > ~/.zfunc/_afferent            with `fpath+=~/.zfunc` in ~/.zshrc
  afferent completions fish > ~/.config/fish/completions/afferent.fish

Commands, options, files, and behind `explain` every kind, key and code.";

/// Prints the script that a shell reads.
pub(crate) fn completions(asked: &CompletionsArguments) -> Result<Exit, Failure> {
    let mut command = Arguments::command();
    let words = words();
    command = command.mut_subcommand("explain", |explain| {
        explain.mut_arg("what", |what| what.value_parser(PossibleValuesParser::new(&words)))
    });
    let mut script = Vec::new();
    clap_complete::generate(asked.shell, &mut command, "afferent", &mut script);
    let mut script = String::from_utf8_lossy(&script).into_owned();
    if asked.shell == Shell::Fish {
        // What `generate` leaves out there.
        let words = words.join(" ");
        script += &format!(
            "complete -c afferent -n \"__fish_afferent_using_subcommand explain\" -f -a \"{words}\"\n"
        );
    }
    print(&script)?;
    Ok(Exit::Done)
}

/// Whatever can be explained but parameters, of which there are too many to choose from.
fn words() -> Vec<&'static str> {
    let catalog = catalog();
    let kinds = catalog.iter().map(|kind| kind.name);
    let keys = KeyTable::ALL.iter().flat_map(|table| table.names().chain([table.name]));
    let codes = Code::ALL.iter().map(|code| code.name());
    let mut words: Vec<_> =
        kinds.chain(keys).chain(codes).chain(["model", "cache", "host"]).collect();
    words.sort_unstable();
    words.dedup();
    words
}

//! `afferent man`: pages for `man`.

use clap::{Args, CommandFactory};
use engine::nearest;

use crate::{
    arguments::Arguments,
    exit::{Exit, Failure, print},
};

#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct ManArguments {
    /// The command; the program itself if left out
    #[arg(value_name = "COMMAND")]
    what: Option<String>,
}

const EXAMPLES: &str = "\
Examples:
  afferent man     > ~/.local/share/man/man1/afferent.1
  afferent man run > ~/.local/share/man/man1/afferent-run.1
  afferent man bench | man -l -";

/// Prints the page of the program or of one of its commands.
pub(crate) fn man(asked: &ManArguments) -> Result<Exit, Failure> {
    let mut command = Arguments::command();
    command.build();
    let command = match &asked.what {
        None => command,
        Some(what) => {
            let found = command.get_subcommands().find(|known| known.get_name() == what);
            let Some(found) = found else {
                let names = command.get_subcommands().map(clap::Command::get_name);
                let hint = match nearest(what, names) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "`afferent --help` lists the commands".to_owned(),
                };
                return Err(Failure::new(
                    Exit::Usage,
                    &format!("there is no command `{what}`"),
                    &hint,
                ));
            };
            found.clone()
        }
    };
    let mut page = Vec::new();
    let rendered = clap_mangen::Man::new(command).render(&mut page);
    rendered.expect("writing to memory cannot fail");
    print(&String::from_utf8_lossy(&page))?;
    Ok(Exit::Done)
}

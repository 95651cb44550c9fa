//! One look, as text or as JSON.

use std::{sync::mpsc::channel, time::Duration};

use serde_json::json;

use crate::{
    command::attach,
    exit::{Exit, Failure, print},
    local::{
        Client, Trouble,
        message::{Hello, Look, Shape},
    },
    status::{clock, times},
    terminal,
};

use super::{
    EVERY,
    figures::{Figures, History},
    pages::{Page, Seen, troubles},
    table::Line,
};

/// What is the same as before is asked for again after so long, so many times: three seconds.
const AGAIN: Duration = Duration::from_millis(100);
const AGAIN_MOST: usize = 30;

/// Prints every page, one below the other.
pub(super) fn text(mut client: Client) -> Result<Exit, Failure> {
    let shape = heard(client.shape())?;
    let mut history = History::default();
    history.add(heard(client.look_with_time())?);
    pause(EVERY);
    match newer(&mut client, &history) {
        Ok(look) => history.add(look),
        // What it was like is as good.
        Err(Trouble::Ended(_)) => {}
        Err(trouble) => return Err(attach::failure(&trouble)),
    }
    let (Some(look), Some(figures)) = (history.newest(), history.figures(&shape)) else {
        return Ok(Exit::Done);
    };
    let seen = Seen { shape: &shape, look, figures: &figures };
    let mut text = title(&client.hello, seen);
    for trouble in troubles(seen) {
        text += &format!("! {trouble}\n");
    }
    let width = terminal::table_columns().min(1_000);
    for page in Page::ALL {
        if page == Page::Time {
            let lines = page.lines(seen, 0, "", width);
            let lines: Vec<String> = lines.iter().map(Line::text).collect();
            text += &format!("\n{}\n", lines.join("\n"));
        }
        // The overview is a part of the others, but for the sources.
        let tables = page.tables(seen, 0);
        let wanted = if page == Page::Overview { 1 } else { tables.len() };
        for table in tables.into_iter().take(wanted) {
            let lines: Vec<String> = table.lines(width).iter().map(Line::text).collect();
            text += &format!("\n{}\n", lines.join("\n"));
        }
    }
    let text = if terminal::speaks_unicode() { text } else { terminal::ascii(&text) };
    print(&text)?;
    Ok(Exit::Done)
}

fn title(hello: &Hello, seen: Seen<'_>) -> String {
    let host = hello.host.as_ref().map_or(String::new(), |host| format!(" as `{host}`"));
    let pace =
        seen.figures.pace.map_or(String::new(), |pace| format!(", {} real time", times(pace)));
    let sessions = match seen.figures.sessions_opened {
        1 => String::new(),
        opened => format!(", {} of {opened} sessions open", seen.figures.sessions_open),
    };
    let (graph, pid, file) = (&hello.graph, hello.pid, &hello.file);
    let lasted = clock(seen.figures.at_s);
    format!("{graph}{host}: process {pid} runs {file} for {lasted}{sessions}{pace}\n")
}

/// Prints one look, or one a line for as long as it runs.
pub(super) fn json(mut client: Client, every: Option<Duration>) -> Result<Exit, Failure> {
    let shape = heard(client.shape())?;
    let mut history = History::default();
    history.add(heard(client.look_with_time())?);
    loop {
        pause(every.unwrap_or(EVERY));
        let look = match newer(&mut client, &history) {
            Ok(look) => look,
            Err(Trouble::Ended(end)) if every.is_some() => {
                print(&format!("{}\n", json!({ "end": end })))?;
                return Ok(Exit::Done);
            }
            Err(trouble) => return Err(attach::failure(&trouble)),
        };
        history.add(look);
        if let (Some(look), Some(figures)) = (history.newest(), history.figures(&shape)) {
            print(&format!("{}\n", object(&client, &shape, look, &figures)))?;
        }
        if every.is_none() {
            return Ok(Exit::Done);
        }
    }
}

/// A look that tells more than the newest: of thousands of sessions it may take a while until there is one.
fn newer(client: &mut Client, history: &History) -> Result<Look, Trouble> {
    let before = history.newest().map(|look| look.at_s);
    let mut look = client.look_with_time()?;
    for _ in 0..AGAIN_MOST {
        if Some(look.at_s) != before {
            break;
        }
        pause(AGAIN);
        look = client.look_with_time()?;
    }
    Ok(look)
}

fn object(client: &Client, shape: &Shape, look: &Look, figures: &Figures) -> serde_json::Value {
    // What is counted is so since the start; where time goes, of the last seconds.
    let counts = Look { time: None, ..look.clone() };
    let (process, time) = (&client.hello, &look.time);
    json!({ "process": process, "shape": shape, "counts": counts, "figures": figures, "time": time })
}

fn heard<T>(heard: Result<T, Trouble>) -> Result<T, Failure> {
    heard.map_err(|trouble| attach::failure(&trouble))
}

/// Nobody sends anything: it only takes as long.
fn pause(span: Duration) {
    let (_keep, never) = channel::<()>();
    let _ = never.recv_timeout(span);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_it_runs_is_no_time_of_day() {
        let (graph, file) = ("heart".to_owned(), "heart.toml".to_owned());
        let version = "0.1.0".to_owned();
        let hello =
            Hello { protocol: 1, version, pid: 30_718, graph, file, host: None, running_s: 198.4 };
        let (shape, look) = (Shape::default(), Look::default());
        let figures = Figures { at_s: 198.4, sessions_opened: 1, ..Figures::default() };
        let seen = Seen { shape: &shape, look: &look, figures: &figures };
        assert_eq!(title(&hello, seen), "heart: process 30718 runs heart.toml for 3:18\n");
    }
}

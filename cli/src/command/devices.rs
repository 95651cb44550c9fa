//! `afferent devices`: the microphones and loudspeakers that graphs can name.

use std::fmt::Write;

use clap::Args;
use operators::audio::device::{Device, Trouble, Way, of_machine};
use serde_json::{Value, json};

use crate::{
    exit::{Exit, Failure, print, tell},
    terminal::Ink,
};

#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct DevicesArguments {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  afferent devices
  afferent run graphs/transcribe.toml --set audio.op=microphone
  afferent run graphs/transcribe.toml --set audio.op=microphone --set audio.device=hw:CARD=Lab,DEV=0

`null`, which is silent, and `loopback`, by which a microphone hears what a speaker of the same
session plays, are there always. Sound cards need a program that was built with
`cargo build --release --features microphone`.";

/// What stands in both lists, whatever the machine has.
const ALWAYS: [(&str, &str); 2] =
    [("null", "silence"), ("loopback", "what a `speaker` plays, a `microphone` hears")];

/// Prints all devices; what keeps cards from being listed stands on stderr.
pub(crate) fn devices(asked: &DevicesArguments) -> Result<Exit, Failure> {
    let listed = |way| of_machine().and_then(|cards| cards.devices(way));
    let (inputs, outputs) = (listed(Way::In), listed(Way::Out));
    if asked.json {
        print(&format!("{}\n", as_json(&inputs, &outputs)))?;
        return Ok(Exit::Done);
    }
    print(&table(&inputs, &outputs, Ink::of_stdout()))?;
    if let Some(remedy) = remedy(&inputs, &outputs) {
        tell(&format!("{remedy}\n"));
    }
    Ok(Exit::Done)
}

type Listed = Result<Vec<Device>, Trouble>;

fn table(inputs: &Listed, outputs: &Listed, ink: Ink) -> String {
    let mut text = String::new();
    for (title, listed) in [("microphones", inputs), ("loudspeakers", outputs)] {
        line(&mut text, format_args!("{}{title}{}", ink.bold, ink.off));
        for device in listed.iter().flatten() {
            let default = if device.is_default { "  (default)" } else { "" };
            let offered = device.offered();
            line(&mut text, format_args!("  {}{default}", device.name));
            line(&mut text, format_args!("      {}; {offered}", device.title));
        }
        for (name, what) in ALWAYS {
            line(&mut text, format_args!("  {name:8}  {what}"));
        }
        text.push('\n');
    }
    text
}

/// What to do where there is no card.
fn remedy(inputs: &Listed, outputs: &Listed) -> Option<String> {
    match (inputs, outputs) {
        (Err(trouble), _) | (_, Err(trouble)) => Some(trouble.to_string()),
        (Ok(inputs), Ok(outputs)) if inputs.is_empty() && outputs.is_empty() => Some(
            "this machine has no sound card that can be opened: plug one in; on Linux its user must be in the \
             group `audio`"
                .to_owned(),
        ),
        _ => None,
    }
}

fn as_json(inputs: &Listed, outputs: &Listed) -> Value {
    let side = |listed: &Listed| -> Vec<Value> {
        let cards = listed.iter().flatten().map(|device| {
            let mut sorted: Vec<_> = device.offers.iter().collect();
            sorted.sort_by_key(|offer| (offer.channels, offer.min_hz, offer.max_hz));
            let offers = sorted.into_iter().map(|offer| {
                json!({ "channels": offer.channels, "min_hz": offer.min_hz, "max_hz": offer.max_hz })
            });
            let mut offers: Vec<_> = offers.collect();
            // One for each encoding, which nobody need know.
            offers.dedup();
            json!({
                "name": device.name,
                "title": device.title,
                "default": device.is_default,
                "offers": offers,
            })
        });
        let always = ALWAYS.iter().map(
            |(name, what)| json!({ "name": name, "title": what, "default": false, "offers": [] }),
        );
        cards.chain(always).collect()
    };
    json!({
        "microphones": side(inputs),
        "loudspeakers": side(outputs),
        "problem": remedy(inputs, outputs),
    })
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("writing to a String cannot fail");
}

#[cfg(test)]
mod tests {
    use operators::audio::device::{Encoding, Offer};

    use super::*;

    fn lab() -> Listed {
        let offer = |encoding| Offer { channels: 2, min_hz: 44_100, max_hz: 48_000, encoding };
        Ok(vec![Device {
            name: "hw:CARD=Lab,DEV=0".to_owned(),
            title: "The lab's".to_owned(),
            is_default: true,
            offers: vec![offer(Encoding::I16), offer(Encoding::F32)],
        }])
    }

    #[test]
    fn cards_are_told_with_what_they_can_do() {
        let table = table(&lab(), &Ok(Vec::new()), Ink::OFF);
        assert!(
            table.starts_with(
                "microphones\n  hw:CARD=Lab,DEV=0  (default)\n      The lab's; 2 channels at 44100 to 48000 Hz\n"
            ),
            "{table}"
        );
        assert_eq!(table.matches("  null ").count(), 2, "{table}");
        assert_eq!(table.matches("  loopback ").count(), 2, "{table}");
        assert_eq!(remedy(&lab(), &Ok(Vec::new())), None);
    }

    #[test]
    fn programs_read_the_same() {
        let json = as_json(&lab(), &Ok(Vec::new()));
        let card = &json["microphones"][0];
        assert_eq!((&card["name"], &card["default"]), (&json!("hw:CARD=Lab,DEV=0"), &json!(true)));
        assert_eq!(card["offers"], json!([{ "channels": 2, "min_hz": 44_100, "max_hz": 48_000 }]));
        assert_eq!(json["loudspeakers"][0]["name"], json!("null"));
    }

    #[test]
    fn where_there_is_no_card_the_remedy_is_told() {
        let none = || Ok(Vec::new());
        assert!(remedy(&none(), &none()).expect("told").contains("plug one in"));
        let unbuilt = Err(Trouble { what: "no cards".to_owned(), remedy: "build them".to_owned() });
        assert_eq!(remedy(&unbuilt, &none()).as_deref(), Some("no cards: build them"));
    }
}

//! What a person reads of sound cards, with and without any, in programs that reach them and those that do not.

use crate::program::{Ended, Folder, afferent_with};

/// A card that the machine has by its configuration alone.
const LAB: &str = "pcm.!default { type null hint { show on description \"Nothing\" } }\n\
                   pcm.lab { type null hint { show on description \"The lab's\" } }\n";
const GRAPH: &str = "[graph]\nname = \"heard\"\n[node.mic]\nop = \"microphone\"\n\
                     [node.out]\nop = \"speaker\"\nfrom = \"mic\"\n";

fn told(arguments: &[&str], alsa: &str) -> Ended {
    let folder = Folder::with(&[("heard.toml", GRAPH), ("asound.conf", alsa)]);
    let path = folder.0.join("asound.conf");
    afferent_with(&folder, arguments, &[("ALSA_CONFIG_PATH", path.as_os_str())])
}

#[test]
fn whatever_the_machine_has_two_devices_are_there_and_the_help_fits() {
    let shown = told(&["devices"], "");
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    for name in ["\n  null ", "\n  loopback "] {
        assert_eq!(shown.stdout.matches(name).count(), 2, "{}", shown.stdout);
    }
    let help = told(&["devices", "--help"], "").stdout;
    assert!(help.contains("--set audio.device=hw:CARD=Lab,DEV=0"), "{help}");
    assert!(help.lines().all(|line| line.chars().count() <= 100), "{help}");
    for device in ["null", "loopback"] {
        let (mic, out) = (format!("mic.device={device}"), format!("out.device={device}"));
        let checked = told(&["check", "heard.toml", "--set", &mic, "--set", &out], "");
        assert_eq!(checked.code, Some(0), "{}", checked.stderr);
    }
}

#[cfg(not(feature = "microphone"))]
#[test]
fn a_program_without_cards_says_how_to_get_them_and_what_does_without() {
    for (arguments, code) in [(&["devices"][..], 0), (&["check", "heard.toml"], 78)] {
        let told = told(arguments, LAB);
        assert_eq!(told.code, Some(code), "{}", told.stderr);
        for remedy in [
            "`cargo build --release --features microphone`",
            "libasound2-dev",
            "\"null\"",
            "\"loopback\"",
        ] {
            assert!(told.stderr.contains(remedy), "{remedy}: {}", told.stderr);
        }
    }
}

#[cfg(all(feature = "microphone", target_os = "linux"))]
#[test]
fn cards_are_listed_and_named_in_graphs() {
    let shown = told(&["devices"], LAB);
    assert_eq!(shown.stderr, "");
    let card = "\n  lab\n      The lab's; 1 to 64 channels at 4000 to 768000 Hz\n";
    assert_eq!(shown.stdout.matches(card).count(), 2, "{}", shown.stdout);
    assert_eq!(shown.stdout.matches("\n  default  (default)\n").count(), 2, "{}", shown.stdout);

    let json = told(&["devices", "--json"], LAB).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).expect("one JSON object");
    let cards = json["microphones"].as_array().expect("a list");
    let lab = cards.iter().find(|card| card["name"] == "lab").expect("it is there");
    assert_eq!((&lab["default"], lab["offers"][1]["channels"].as_i64()), (&false.into(), Some(2)));

    let checked = told(&["check", "heard.toml", "--set", "mic.device=lab"], LAB);
    assert_eq!(checked.code, Some(0), "{}", checked.stderr);
    let refused = told(&["check", "heard.toml", "--set", "mic.device=lap"], LAB);
    assert!(refused.stderr.contains("there is no microphone `lap`"), "{}", refused.stderr);
    assert!(refused.stderr.contains("name \"default\" or \"lab\""), "{}", refused.stderr);
}

#[cfg(all(feature = "microphone", target_os = "linux"))]
#[test]
fn where_there_is_no_card_nobody_but_us_says_so() {
    let shown = told(&["devices"], "");
    assert!(shown.stderr.starts_with("this machine has no sound card"), "{}", shown.stderr);
    assert_eq!(shown.stderr.lines().count(), 1, "{}", shown.stderr);
    let refused = told(&["check", "heard.toml"], "");
    assert_eq!(refused.code, Some(74));
    assert!(refused.stderr.contains("this machine has no microphone"), "{}", refused.stderr);
    assert!(refused.stderr.contains("plug one in"), "{}", refused.stderr);
    assert!(!refused.stderr.contains("ALSA lib"), "{}", refused.stderr);
}

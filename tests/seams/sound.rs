//! Microphones and speakers where there is no sound card.

use engine::{RunOptions, Services};
use operators::sink::collect::Collected;

use crate::{finish, options, plan_with, start, try_plan, until};

/// What the microphone of a graph has heard once so many frames of 20 ms have come.
fn heard(nodes: &str, frames: usize) -> (Vec<f32>, Vec<i64>) {
    let collected = Collected::default();
    let text = format!(
        "[graph]\nname = \"sound\"\n{nodes}\n[node.heard]\nop = \"collect\"\nfrom = \"mic\"\n"
    );
    let running = start(&plan_with(&text, Services::new([collected.as_service()])), 1);
    until(&running, |_| collected.frames("heard", 0).len() >= frames);
    running.stop();
    let kept = collected.take("heard", 0);
    let samples = kept.iter().flat_map(|kept| kept.frame.samples().to_vec()).collect();
    (samples, kept.iter().map(|kept| kept.frame.header.time.nanos()).collect())
}

#[test]
fn a_microphone_hears_what_the_speaker_plays() {
    let (samples, times) = heard(
        "[node.tone]\nop = \"tone\"\nrate_hz = 16000.0\nseconds = 0.5\nlevel_dbfs = -6.0\n\
         [node.speaker]\nop = \"speaker\"\nfrom = \"tone\"\ndevice = \"loopback\"\n\
         [node.mic]\nop = \"microphone\"\ndevice = \"loopback\"\nrate_hz = 16000.0\n",
        40,
    );
    // Frames of 320 samples stand one behind the other, 20 ms apart, to the nanosecond's rounding.
    let apart = times.windows(2).map(|pair| pair[1] - pair[0]);
    assert!(apart.into_iter().all(|ns| (ns - 20_000_000).abs() <= 1), "{times:?}");
    // Half a second of a sine of 0.5012 has a power of 0.5012² / 2 · 8 000 = 1 004.8; its faded ends, 5 ms
    // each, lack 5 / 8 of theirs, 12.6. A clock that runs as it says leaves the filter's 0.001 dB.
    let power: f64 = samples.iter().map(|&sample| f64::from(sample).powi(2)).sum();
    assert!((power - 992.2).abs() < 10.0, "{power}");
}

#[test]
fn both_ends_of_a_loop_that_do_not_fit_are_told_in_whatever_order_they_stand() {
    let mic = "[node.mic]\nop = \"microphone\"\ndevice = \"loopback\"\n";
    let tone = "[node.tone]\nop = \"tone\"\nrate_hz = 16000.0\nseconds = 0.5\n\
                [node.speaker]\nop = \"speaker\"\nfrom = \"tone\"\ndevice = \"loopback\"\n";
    let said = |nodes: &str| {
        let text = format!(
            "[graph]\nname = \"sound\"\n{nodes}[node.out]\nop = \"null\"\nfrom = \"mic\"\n"
        );
        let problems = try_plan(&text, &options()).err().map(|problems| problems.to_string());
        (problems.unwrap_or_default(), text)
    };
    for nodes in [format!("{mic}channels = 2\n{tone}"), format!("{tone}{mic}channels = 2\n")] {
        let (told, text) = said(&nodes);
        let what = "`mic` hears 2 channels at 48000.0 Hz of a loop in which `speaker` plays 1 channel at 16000.0 Hz";
        assert!(told.contains("error[rate-mismatch]") && told.contains(what), "{told}");
        assert!(told.contains("write `rate_hz = 16000.0` and `channels = 1` to `mic`"), "{told}");
        let line = text.lines().position(|line| line == "channels = 2").expect("written") + 1;
        assert!(told.contains(&format!(":{line}:")), "{told}");
    }
    assert_eq!(said(&format!("{mic}rate_hz = 16000.0\n{tone}")).0, "");
    // Alone it hears silence, and on another host somebody else.
    assert_eq!(said(mic).0, "");
    let hosts = "[host.edge]\n[host.cloud]\naddress = [\"127.0.0.1:24433\"]\n";
    let apart = format!(
        "{hosts}{}{}",
        mic.replace("[node.mic]\n", "[node.mic]\non = \"edge\"\n"),
        tone.replace("]\nop", "]\non = \"cloud\"\nop")
    );
    let (told, text) = said(&apart);
    assert_eq!(told, "");
    // Run as a whole they have one loop.
    let started = plan_with(&text, Services::default()).start(&RunOptions::default());
    let told = started.err().expect("they do not fit").to_string();
    assert!(told.contains("hears 1 channel at 48000.0 Hz of a loop in which `speaker`"), "{told}");
}

#[test]
fn a_null_microphone_is_silent_and_a_null_speaker_swallows() {
    let (samples, _) = heard(
        "[node.mic]\nop = \"microphone\"\ndevice = \"null\"\nchannels = 2\n\
         [node.speaker]\nop = \"speaker\"\nfrom = \"mic\"\ndevice = \"null\"\n",
        5,
    );
    assert!(samples.len() >= 2 * 5 * 960 && samples.iter().all(|&sample| sample == 0.0));
}

#[test]
fn what_a_sink_counted_stands_in_the_report() {
    // A minute at full speed, of which a loop that nobody hears holds 2^20 samples: 21.845 s.
    let text = "[graph]\nname = \"sound\"\n\
                [node.tone]\nop = \"tone\"\nrate_hz = 48000.0\nseconds = 60.0\n\
                [node.speaker]\nop = \"speaker\"\nfrom = \"tone\"\ndevice = \"loopback\"\n";
    let running = start(&plan_with(text, Services::default()), 1);
    finish(&running);
    let told = ("speaker".to_owned(), "38.155 s found no room and were not played".to_owned());
    assert_eq!(running.report().remarks, [told]);
}

#[test]
fn a_device_that_is_none_is_refused_where_it_is_named() {
    let text = "[graph]\nname = \"sound\"\n[node.mic]\nop = \"microphone\"\ndevice = \"hw:7\"\n\
                [node.out]\nop = \"null\"\nfrom = \"mic\"\n";
    let options = options();
    let problems = try_plan(text, &options).err().expect("refused").to_string();
    // Which of them, the machine and the program's features say.
    let told = ["built without sound cards", "there is no microphone `hw:7`", "has no microphone"];
    assert!(problems.contains("error[no-device]"), "{problems}");
    assert!(told.iter().any(|told| problems.contains(told)), "{problems}");
    assert!(
        ["--features microphone", "afferent devices"].iter().any(|hint| problems.contains(hint))
    );
}

//! Sound cards that are plugged in and out, of a host that brings its own.

use std::{
    f64::consts::TAU,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use engine::{Gap, PlanOptions, Services};
use operators::{
    audio::device::{
        Cards, Device, Ear, Encoding, Fate, Mouth, Now, Offer, Setup, Stream, Trouble, Way,
        as_service,
    },
    sink::collect::Collected,
};

use crate::{edge, finish, options, plan_with, start, try_plan, until};

/// One card, in or out.
#[derive(Clone, Default)]
struct Bench(Arc<Mutex<Inside>>);

#[derive(Default)]
struct Inside {
    /// What it offers while it is plugged in.
    offers: Option<Vec<Offer>>,
    hears: Option<(Ear, Setup, Now, Fate)>,
    speaks: Option<(Mouth, Setup, Fate)>,
    opened: usize,
}

/// Lets go of the card when dropped, as a stream does.
struct Open(Bench, Way);

impl Stream for Open {}

impl Drop for Open {
    fn drop(&mut self) {
        match self.1 {
            Way::In => drop(self.0.inside().hears.take()),
            Way::Out => drop(self.0.inside().speaks.take()),
        }
    }
}

impl Bench {
    fn with(channels: u16, rate_hz: u32, encoding: Encoding) -> Self {
        let bench = Self::default();
        bench.plug(channels, rate_hz, encoding);
        bench
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn plug(&self, channels: u16, rate_hz: u32, encoding: Encoding) {
        let offer = Offer { channels, min_hz: rate_hz, max_hz: rate_hz, encoding };
        self.inside().offers = Some(vec![offer]);
    }

    fn unplug(&self) {
        let mut inside = self.inside();
        inside.offers = None;
        if let Some((.., fate)) = &inside.hears {
            fate.ends("unplugged");
        }
        if let Some((.., fate)) = &inside.speaks {
            fate.ends("unplugged");
        }
    }

    /// Has the microphone hear a sine of 1 kHz in blocks of 10 ms, one following the other from now on.
    fn hear(&self, blocks: usize) {
        let mut inside = self.inside();
        let (ear, setup, now, _) = inside.hears.as_mut().expect("it is open");
        let begun = now();
        let (len, channels) = (setup.rate_hz as usize / 100, usize::from(setup.channels));
        for block in 0..blocks {
            let sample = |n: usize| {
                let sine = (TAU * 1_000.0 * n as f64 / f64::from(setup.rate_hz)).sin();
                0.5 * sine as f32
            };
            let of_block = (0..len * channels).map(|n| match n % channels {
                0 => sample(block * len + n / channels),
                _ => 0.9,
            });
            let at = begun.plus_nanos((block as i64 + 1) * 10_000_000);
            match setup.encoding {
                Encoding::I16 => {
                    let samples = of_block.map(|x| (x * 32_768.0) as i16);
                    ear.hear(&samples.collect::<Vec<_>>(), at);
                }
                _ => ear.hear(&of_block.collect::<Vec<_>>(), at),
            }
        }
    }

    /// What the loudspeaker is given for so many samples of each channel.
    fn speak(&self, len: usize) -> Vec<f32> {
        let mut inside = self.inside();
        let (mouth, setup, _) = inside.speaks.as_mut().expect("it is open");
        let mut played = vec![9.0f32; len * usize::from(setup.channels)];
        mouth.speak(&mut played);
        played
    }
}

impl Cards for Bench {
    fn devices(&self, _: Way) -> Result<Vec<Device>, Trouble> {
        let device = |offers| Device {
            name: "bench".to_owned(),
            title: "A card of a bench".to_owned(),
            is_default: true,
            offers,
        };
        Ok(self.inside().offers.clone().map(device).into_iter().collect())
    }

    fn hear(
        &self,
        _: &str,
        setup: Setup,
        ear: Ear,
        now: Now,
        fate: Fate,
    ) -> Result<Box<dyn Stream>, Trouble> {
        let mut inside = self.inside();
        inside.hears = Some((ear, setup, now, fate));
        inside.opened += 1;
        Ok(Box::new(Open(self.clone(), Way::In)))
    }

    fn speak(
        &self,
        _: &str,
        setup: Setup,
        mouth: Mouth,
        fate: Fate,
    ) -> Result<Box<dyn Stream>, Trouble> {
        let mut inside = self.inside();
        inside.speaks = Some((mouth, setup, fate));
        inside.opened += 1;
        Ok(Box::new(Open(self.clone(), Way::Out)))
    }
}

#[test]
fn a_microphone_that_vanishes_mid_word_leaves_a_gap_and_goes_on_when_it_is_back() {
    let bench = Bench::with(2, 48_000, Encoding::I16);
    let collected = Collected::default();
    let text = "[graph]\nname = \"cards\"\n\
                [node.mic]\nop = \"microphone\"\nrate_hz = 16000.0\n\
                [node.heard]\nop = \"collect\"\nfrom = \"mic\"\ncapacity_ms = 2000\n";
    let services = Services::new([collected.as_service(), as_service(Arc::new(bench.clone()))]);
    let running = start(&plan_with(text, services), 1);
    let frames = || collected.frames("heard", 0).len();

    until(&running, |_| bench.inside().hears.is_some());
    bench.hear(60);
    // 600 ms less half a filter, 150 samples of the card, are 29 frames of 20 ms.
    until(&running, |_| frames() == 29);
    bench.unplug();
    until(&running, |_| bench.inside().hears.is_none());
    // Another one of the same name, with another rate.
    bench.plug(1, 44_100, Encoding::F32);
    until(&running, |_| bench.inside().hears.is_some());
    bench.hear(60);
    until(&running, |_| frames() == 58);
    running.drain();
    finish(&running);

    let kept = collected.take("heard", 0);
    let starts: Vec<_> = kept.iter().map(|kept| kept.frame.header.time.nanos()).collect();
    let gaps: Vec<_> = kept.iter().map(|kept| kept.frame.header.gap.get()).collect();
    assert_eq!(gaps.iter().filter(|gap| gap.is_some()).count(), 1, "{gaps:?}");
    assert_eq!(gaps[29], Some(Gap::Source));
    for part in [&starts[..29], &starts[29..]] {
        let apart = part.windows(2).map(|pair| pair[1] - pair[0]);
        assert!(apart.into_iter().all(|ns| (ns - 20_000_000).abs() <= 1), "{part:?}");
    }
    assert!(starts[29] > starts[28] + 20_000_000, "on the session's time line");
    // The first channel's sine in both halves, whatever the card's rate, from a filter's length on.
    for part in [&kept[2..29], &kept[31..]] {
        let samples: Vec<f32> =
            part.iter().flat_map(|kept| kept.frame.samples().to_vec()).collect();
        let (mut sine, mut cosine) = (0.0, 0.0);
        for (n, &sample) in samples.iter().enumerate() {
            let angle = TAU * 1_000.0 * n as f64 / 16_000.0;
            sine += f64::from(sample) * angle.sin();
            cosine += f64::from(sample) * angle.cos();
        }
        // 27 frames of 16 000 / s are whole periods; the resampler passes 1 kHz within 0.001 dB, 16 bits
        // cost 1e-5, and a clock that is as it says is not steered.
        let height = 2.0 / samples.len() as f64 * sine.hypot(cosine);
        assert!((height - 0.5).abs() < 1e-3, "{height}");
    }
    let told = ("mic".to_owned(), "default at 44100 Hz; it was gone once".to_owned());
    assert_eq!(running.report().remarks, [told]);
}

#[test]
fn a_card_that_is_back_hears_and_plays_again() {
    let bench = Bench::with(1, 48_000, Encoding::F32);
    let text = "[graph]\nname = \"cards\"\n[node.mic]\nop = \"microphone\"\n\
                [node.speaker]\nop = \"speaker\"\nfrom = \"mic\"\ncapacity_ms = 2000\n";
    let services = Services::new([as_service(Arc::new(bench.clone()))]);
    let running = start(&plan_with(text, services), 1);
    let taken = || edge(&running, "mic", "speaker").frames.taken;
    let mut before = 0;
    for plugged in 1..=2 {
        until(&running, |_| bench.inside().hears.is_some() && bench.inside().speaks.is_some());
        bench.hear(20);
        // 200 ms less half a filter, in frames of 20 ms.
        until(&running, |_| taken() >= before + 9);
        before = taken();
        // Nothing but what was heard since it is back: 100 ms of a sine of 0.5.
        let played = bench.speak(4_800);
        let loudest = played.iter().fold(0.0f32, |most, sample| most.max(sample.abs()));
        assert!((loudest - 0.5).abs() < 0.05, "plugged in {plugged} times: {loudest}");
        if plugged == 1 {
            bench.unplug();
            until(&running, |_| bench.inside().hears.is_none() && bench.inside().speaks.is_none());
            bench.plug(1, 48_000, Encoding::F32);
        }
    }
    running.drain();
    finish(&running);
    let mut remarks = running.report().remarks;
    remarks.sort();
    let [(mic, heard), (speaker, played)] = &remarks[..] else { panic!("{remarks:?}") };
    assert_eq!((mic.as_str(), speaker.as_str()), ("mic", "speaker"));
    assert_eq!(heard, "default at 48000 Hz; it was gone once");
    assert!(played.starts_with("default at 48000 Hz; it was gone once; "), "{played}");
}

#[test]
fn what_a_card_loses_and_skips_is_told() {
    let bench = Bench::with(1, 48_000, Encoding::F32);
    let text = "[graph]\nname = \"cards\"\n[node.mic]\nop = \"microphone\"\n\
                [node.out]\nop = \"null\"\nfrom = \"mic\"\ncapacity_ms = 2000\n";
    let services = Services::new([as_service(Arc::new(bench.clone()))]);
    let running = start(&plan_with(text, services), 1);
    until(&running, |_| bench.inside().hears.is_some());
    let taken = || edge(&running, "mic", "out").frames.taken;
    bench.inside().hears.as_ref().expect("open").3.urgent(false);
    bench.hear(20);
    until(&running, |_| taken() >= 9);
    // The card's own buffer ran over: what it hears next follows a gap.
    bench.inside().hears.as_ref().expect("open").3.skips();
    // All of it at once, so that it begins before what was heard before is over, by 200 ms at most.
    bench.hear(60);
    until(&running, |_| taken() >= 9 + 18);
    running.drain();
    finish(&running);
    let told = "default at 48000 Hz, without real-time priority, which this user may not have; \
                something is missing once";
    assert_eq!(running.report().remarks, [("mic".to_owned(), told.to_owned())]);
}

#[test]
fn a_loudspeaker_that_vanishes_drops_what_comes_and_counts_it() {
    let bench = Bench::with(2, 44_100, Encoding::F32);
    let text = "[graph]\nname = \"cards\"\n\
                [node.tone]\nop = \"tone\"\nrate_hz = 48000.0\nseconds = 60.0\n\
                [node.speaker]\nop = \"speaker\"\nfrom = \"tone\"\ndevice = \"bench\"\n";
    let services = Services::new([as_service(Arc::new(bench.clone()))]);
    let running = start(&plan_with(text, services), 1);
    // A ring of two seconds, and two frames of 20 ms, is full, as a minute comes at once; then it is unplugged.
    assert_eq!(bench.inside().opened, 1);
    until(&running, |running| edge(running, "tone", "speaker").frames.taken > 200);
    let played = bench.speak(441);
    assert!(played.chunks(2).all(|pair| pair[0] == pair[1]), "one channel is heard on all");
    assert!(played.iter().any(|&sample| sample != 0.0 && sample.abs() < 1.0));
    bench.unplug();
    finish(&running);
    let remarks = running.report().remarks;
    let [(node, told)] = &remarks[..] else { panic!("{remarks:?}") };
    let begins = "bench at 44100 Hz; it was gone once; ";
    assert!(node == "speaker" && told.starts_with(begins), "{told}");
    // All of the minute but the 10 ms that were played, and the half filter of 50 samples that was not through; the
    // two seconds that waited were squeezed by 0.1 %, as the ring was full.
    let rest = told[begins.len()..].split(' ');
    let unheard_s: f64 = rest.into_iter().find_map(|word| word.parse().ok()).expect("seconds");
    assert!((unheard_s - 59.988).abs() < 0.002, "{told}");
}

#[test]
fn what_is_no_sound_is_played_or_refused_with_a_reason() {
    let text = |rate_hz: &str| {
        format!(
            "[graph]\nname = \"slow\"\n[node.ecg]\nop = \"ecg\"\nseconds = 2.0\n\
             [node.slow]\nop = \"resample\"\nfrom = \"ecg\"\nrate_hz = {rate_hz}\n\
             [node.speaker]\nop = \"speaker\"\nfrom = \"slow\"\n"
        )
    };
    let bench = Bench::with(2, 48_000, Encoding::F32);
    let services = || Services::new([as_service(Arc::new(bench.clone()))]);
    let running = start(&plan_with(&text("50.0"), services()), 1);
    finish(&running);
    let options = PlanOptions { services: services(), ..options() };
    let told = try_plan(&text("0.5"), &options).err().expect("refused").to_string();
    assert!(told.contains("a card plays 1 to 1 000 000 samples per second"), "{told}");
}

#[test]
fn who_asks_for_a_card_that_is_not_there_is_told_what_is() {
    let refused = |bench: &Bench, node: &str| {
        let text = format!(
            "[graph]\nname = \"cards\"\n[node.mic]\nop = \"microphone\"\n{node}\n\
             [node.out]\nop = \"null\"\nfrom = \"mic\"\n"
        );
        let services = Services::new([as_service(Arc::new(bench.clone()))]);
        let options = PlanOptions { services, ..options() };
        try_plan(&text, &options).err().expect("refused").to_string()
    };
    let bench = Bench::with(2, 48_000, Encoding::F32);
    let told = refused(&bench, "device = \"hw:7\"");
    assert!(told.contains("error[no-device]: there is no microphone `hw:7`"), "{told}");
    assert!(told.contains("name \"bench\""), "{told}");
    let told = refused(&bench, "channels = 3");
    assert!(
        told.contains("`bench` has no 3 channels") && told.contains("2 channels at 48000 Hz"),
        "{told}"
    );
    bench.unplug();
    let told = refused(&bench, "");
    assert!(
        told.contains("this machine has no microphone") && told.contains("plug one in"),
        "{told}"
    );
}

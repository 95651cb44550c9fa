//! The sound cards of this machine, by cpal: the one file that names it.
//!
//! On Linux a device is named as ALSA does: `hw:CARD=Lab,DEV=0`, `plughw:…`, `pipewire`; elsewhere by the system's
//! identifier of it.

use cpal::{
    BufferSize, Error, ErrorKind, SampleFormat, SizedSample, StreamConfig, SupportedBufferSize,
    SupportedStreamConfigRange,
    traits::{DeviceTrait, HostTrait, StreamTrait},
};

use super::{
    super::microphone,
    cards::{
        Cards, Device, Encoding, Fate, Now, Offer, SOUND_HZ, Setup, Stream, Trouble, Way, absent,
    },
    ear::Ear,
    mouth::Mouth,
};

/// The sound cards of this machine.
pub(super) struct SystemCards;

impl Cards for SystemCards {
    fn devices(&self, way: Way) -> Result<Vec<Device>, Trouble> {
        hush();
        let host = cpal::default_host();
        let default = default_of(&host, way);
        let mut devices = Vec::new();
        // On ALSA the default has no place in the list, and says only when it is opened whether it is there.
        for device in default.iter().cloned().chain(all(&host)?) {
            let is_default = default.as_ref() == Some(&device);
            let Some(device) = described(&device, way, is_default) else { continue };
            // ALSA calls its own silence as we call ours.
            let is_ours = !microphone::is_card(&device.name);
            if !is_ours && !devices.iter().any(|other: &Device| other.name == device.name) {
                devices.push(device);
            }
        }
        Ok(devices)
    }

    fn device(&self, way: Way, name: &str) -> Result<Device, Trouble> {
        hush();
        let host = cpal::default_host();
        let meant = found(&host, way, name)?;
        let is_default = default_of(&host, way).as_ref() == meant.as_ref();
        let meant = meant.and_then(|device| described(&device, way, is_default));
        // Looking at all of them takes long and opens each: that is for those who erred.
        meant.map_or_else(|| Err(absent(way, name, &self.devices(way)?)), Ok)
    }

    fn hear(
        &self,
        name: &str,
        setup: Setup,
        ear: Ear,
        now: Now,
        fate: Fate,
    ) -> Result<Box<dyn Stream>, Trouble> {
        match setup.encoding {
            Encoding::F32 => hear::<f32>(name, setup, ear.callback(now), fate),
            Encoding::I32 => hear::<i32>(name, setup, ear.callback(now), fate),
            Encoding::I16 => hear::<i16>(name, setup, ear.callback(now), fate),
            Encoding::U16 => hear::<u16>(name, setup, ear.callback(now), fate),
        }
    }

    fn speak(
        &self,
        name: &str,
        setup: Setup,
        mouth: Mouth,
        fate: Fate,
    ) -> Result<Box<dyn Stream>, Trouble> {
        match setup.encoding {
            Encoding::F32 => speak::<f32>(name, setup, mouth.callback(), fate),
            Encoding::I32 => speak::<i32>(name, setup, mouth.callback(), fate),
            Encoding::I16 => speak::<i16>(name, setup, mouth.callback(), fate),
            Encoding::U16 => speak::<u16>(name, setup, mouth.callback(), fate),
        }
    }
}

/// Has ALSA tell nobody what our errors tell: it would write to the terminal, on this thread.
fn hush() {
    #[cfg(target_os = "linux")]
    drop(alsa::Output::local_error_handler());
}

fn hear<S: SizedSample + Send + 'static>(
    name: &str,
    setup: Setup,
    mut callback: impl FnMut(&[S]) + Send + 'static,
    fate: Fate,
) -> Result<Box<dyn Stream>, Trouble> {
    hush();
    let device = opened(Way::In, name)?;
    let config = config(&device, Way::In, setup);
    let told = fate.clone();
    let stream = urgently(name, &fate, move || {
        let error = move |error: Error| tell(&told, &error);
        device.build_input_stream(config, move |data: &[S], _: &_| callback(data), error, None)
    });
    started(name, stream)
}

fn speak<S: SizedSample + Send + 'static>(
    name: &str,
    setup: Setup,
    mut callback: impl FnMut(&mut [S]) + Send + 'static,
    fate: Fate,
) -> Result<Box<dyn Stream>, Trouble> {
    hush();
    let device = opened(Way::Out, name)?;
    let config = config(&device, Way::Out, setup);
    let told = fate.clone();
    let stream = urgently(name, &fate, move || {
        let error = move |error: Error| tell(&told, &error);
        device.build_output_stream(config, move |data: &mut [S], _: &_| callback(data), error, None)
    });
    started(name, stream)
}

/// Opens a stream, so that the thread which calls back has real-time priority if it may.
///
/// On Linux a thread inherits that: the stream is opened by one which has it, and the callback asks for
/// nothing. Only devices that are hardware get it. What calls back for others may spin, as a null device's does, or
/// wait for a sound service without priority, and that service hurries by itself.
#[cfg(target_os = "linux")]
fn urgently<T: Send>(name: &str, fate: &Fate, open: impl FnOnce() -> T + Send) -> T {
    use thread_priority::{
        RealtimeThreadSchedulePolicy, ThreadSchedulePolicy, set_thread_priority_and_policy,
        thread_native_id,
    };

    // `hw:CARD=Lab,DEV=0`, `plughw:…`, `dmix:…`: of a card, by whatever way.
    if !name.contains("CARD=") && !name.starts_with("hw:") {
        return open();
    }
    let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo);
    let hurry = || {
        let priority = PRIORITY.try_into().expect("within 0 to 99");
        let asked = set_thread_priority_and_policy(thread_native_id(), priority, policy);
        fate.urgent(asked.is_ok());
        hush();
        open()
    };
    std::thread::scope(|scope| scope.spawn(hurry).join())
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// The system's own threads for sound have it, or the library asks, and tells if that was denied.
#[cfg(not(target_os = "linux"))]
fn urgently<T: Send>(_: &str, fate: &Fate, open: impl FnOnce() -> T + Send) -> T {
    if cfg!(any(target_os = "windows", target_vendor = "apple")) {
        fate.urgent(true);
    }
    open()
}

/// Of 1 to 99: before whatever is not in a hurry, behind what the system does for the card itself, at 50.
#[cfg(target_os = "linux")]
const PRIORITY: u8 = 10;

/// What the system's error means for the stream.
fn tell(fate: &Fate, error: &Error) {
    match error.kind() {
        ErrorKind::Xrun => fate.skips(),
        ErrorKind::RealtimeDenied => fate.urgent(false),
        // It goes on.
        ErrorKind::DeviceChanged => {}
        _ => fate.ends(error.to_string()),
    }
}

struct Running {
    _stream: cpal::Stream,
}

impl Stream for Running {}

fn started(name: &str, stream: Result<cpal::Stream, Error>) -> Result<Box<dyn Stream>, Trouble> {
    let started = stream.and_then(|stream| {
        stream.play()?;
        Ok(stream)
    });
    let stream = started.map_err(|error| trouble(&format!("`{name}` cannot be opened"), &error))?;
    Ok(Box::new(Running { _stream: stream }))
}

fn all(host: &cpal::Host) -> Result<cpal::Devices, Trouble> {
    host.devices().map_err(|error| trouble("sound cards cannot be listed", &error))
}

fn default_of(host: &cpal::Host, way: Way) -> Option<cpal::Device> {
    match way {
        Way::In => host.default_input_device(),
        Way::Out => host.default_output_device(),
    }
}

/// The device of this name, whether or not it can do anything.
fn found(host: &cpal::Host, way: Way, name: &str) -> Result<Option<cpal::Device>, Trouble> {
    match name {
        super::DEFAULT => Ok(default_of(host, way)),
        name => Ok(all(host)?.find(|device| name_of(device).as_deref() == Some(name))),
    }
}

fn opened(way: Way, name: &str) -> Result<cpal::Device, Trouble> {
    found(&cpal::default_host(), way, name)?.ok_or_else(|| absent(way, name, &[]))
}

fn name_of(device: &cpal::Device) -> Option<String> {
    Some(device.id().ok()?.id().to_owned())
}

fn ranges(device: &cpal::Device, way: Way) -> Result<Vec<SupportedStreamConfigRange>, Error> {
    match way {
        Way::In => device.supported_input_configs().map(Iterator::collect),
        Way::Out => device.supported_output_configs().map(Iterator::collect),
    }
}

/// The device, if it can be opened this way, or somebody else has it.
fn described(device: &cpal::Device, way: Way, is_default: bool) -> Option<Device> {
    let offers = match ranges(device, way) {
        Ok(ranges) => ranges.iter().filter_map(offer).collect(),
        Err(error) if error.kind() == ErrorKind::DeviceBusy => Vec::new(),
        Err(_) => return None,
    };
    let title = device.description().map(|told| told.name().to_owned());
    let name = name_of(device)?;
    Some(Device { title: title.unwrap_or_else(|_| name.clone()), name, is_default, offers })
}

fn offer(range: &SupportedStreamConfigRange) -> Option<Offer> {
    let encoding = match range.sample_format() {
        SampleFormat::F32 => Encoding::F32,
        SampleFormat::I32 => Encoding::I32,
        SampleFormat::I16 => Encoding::I16,
        SampleFormat::U16 => Encoding::U16,
        _ => return None,
    };
    let min_hz = range.min_sample_rate().max(*SOUND_HZ.start());
    let max_hz = range.max_sample_rate().min(*SOUND_HZ.end());
    (min_hz <= max_hz).then(|| Offer { channels: range.channels(), min_hz, max_hz, encoding })
}

fn format(encoding: Encoding) -> SampleFormat {
    match encoding {
        Encoding::F32 => SampleFormat::F32,
        Encoding::I32 => SampleFormat::I32,
        Encoding::I16 => SampleFormat::I16,
        Encoding::U16 => SampleFormat::U16,
    }
}

/// How long a callback's samples last, if the card can: what a system takes by itself may be seconds.
const PERIOD_S: f64 = 0.01;

fn config(device: &cpal::Device, way: Way, setup: Setup) -> StreamConfig {
    let ranges = ranges(device, way).unwrap_or_default();
    let range = ranges.iter().find(|range| {
        range.channels() == setup.channels
            && range.sample_format() == format(setup.encoding)
            && range.contains_rate(setup.rate_hz)
    });
    let wanted = (PERIOD_S * f64::from(setup.rate_hz)).round() as u32;
    let buffer_size = match range.map(|range| *range.buffer_size()) {
        Some(SupportedBufferSize::Range { min, max }) if 0 < max && min <= max => {
            BufferSize::Fixed(wanted.clamp(min, max))
        }
        _ => BufferSize::Default,
    };
    StreamConfig { channels: setup.channels, sample_rate: setup.rate_hz, buffer_size }
}

fn trouble(what: &str, error: &Error) -> Trouble {
    let remedy = match error.kind() {
        ErrorKind::DeviceBusy => "somebody else has it: close what uses it, or name another",
        ErrorKind::PermissionDenied if cfg!(target_os = "linux") => {
            "this user may not: add them to the group `audio`"
        }
        ErrorKind::PermissionDenied => "allow this program the microphone in the system's settings",
        ErrorKind::DeviceNotAvailable => "plug it in, or name another; see `afferent devices`",
        ErrorKind::HostUnavailable => "start the system's sound service",
        _ => "name another; see `afferent devices`",
    };
    Trouble { what: format!("{what}: {error}"), remedy: remedy.to_owned() }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::{process::Command, time::Duration};

    use engine::Timestamp;

    use super::{super::*, *};

    /// ALSA without hardware: its own null device under two names. It waits for nobody, so that callbacks come
    /// as fast as they go.
    const ALSA: &str = "pcm.!default { type null hint { show on description \"Nothing\" } }\n\
                        pcm.lab { type null hint { show on description \"The lab's\" } }\n\
                        pcm.null { type null hint { show on description \"Silence\" } }\n";
    const MODE: &str = "AFFERENT_CARD_TEST";

    /// ALSA reads its configuration once: what needs another one runs in a process of its own.
    #[test]
    fn a_card_of_the_system_is_found_and_opened_both_ways() {
        if std::env::var_os(MODE).is_some() {
            find_and_open();
            return;
        }
        let folder = std::env::temp_dir().join(format!("afferent-alsa-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("there is room");
        let path = folder.join("asound.conf");
        std::fs::write(&path, ALSA).expect("there is room");
        let name = "audio::device::card::tests::a_card_of_the_system_is_found_and_opened_both_ways";
        let ended = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", name, "--nocapture", "--test-threads=1"])
            .env(MODE, "1")
            .env("ALSA_CONFIG_PATH", &path)
            .output()
            .expect("a process can be started");
        let told = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert!(ended.status.success(), "{told}{}", String::from_utf8_lossy(&ended.stdout));
        std::fs::remove_dir_all(&folder).expect("it was made above");
    }

    fn find_and_open() {
        let cards = SystemCards;
        for way in [Way::In, Way::Out] {
            let devices = cards.devices(way).expect("ALSA is there");
            let names: Vec<_> = devices.iter().map(|device| device.name.as_str()).collect();
            assert!(names.contains(&"default") && names.contains(&"lab"), "{names:?}");
            assert!(!names.contains(&"null"), "that name is ours: {names:?}");
            let lab = cards.device(way, "lab").expect("listed");
            assert_eq!((lab.title.as_str(), lab.is_default), ("The lab's", false));
            assert!(cards.device(way, DEFAULT).expect("listed").is_default);
            let trouble = cards.device(way, "hw:7").expect_err("not there");
            assert!(trouble.remedy.contains("\"lab\""), "{trouble}");
        }

        let setup = cards.device(Way::In, "lab").and_then(|lab| lab.setup(48_000.0, 1));
        let setup = setup.expect("a null device can do all");
        assert_eq!((setup.channels, setup.rate_hz, setup.encoding), (1, 48_000, Encoding::F32));
        let (ear, mut heard) = handover(1, 48_000, 100);
        let fate = Fate::default();
        let now: Now = std::sync::Arc::new(|| Timestamp::from_nanos(7));
        let stream = cards.hear("lab", setup, ear, now, fate.clone()).expect("it opens");
        let mut planes = vec![Vec::new()];
        let stamp = patiently(|| heard.take(&mut planes), &fate);
        assert_eq!((stamp.at, stamp.len), (Timestamp::from_nanos(7), 480), "10 ms");
        drop(stream);

        let (mut voice, mouth) = outlet(1, 1, 4_800, 480);
        let fate = Fate::default();
        let stream = cards.speak("lab", setup, mouth, fate.clone()).expect("it opens");
        assert_eq!(voice.say(&[0.5; 4_800]), 4_800);
        patiently(|| (voice.waiting() == 0).then_some(()), &fate);
        drop(stream);
    }

    #[test]
    fn what_a_card_starts_inherits_real_time_priority_if_that_is_allowed() {
        use thread_priority::{RealtimeThreadSchedulePolicy as RealTime, ThreadSchedulePolicy};
        let policy = || thread_priority::thread_schedule_policy().expect("Linux tells");
        let of_started = |name: &str, fate: &Fate| {
            urgently(name, fate, || std::thread::spawn(policy).join().expect("it tells"))
        };
        let (before, fate) = (policy(), Fate::default());
        let is_urgent = of_started("plughw:CARD=Lab,DEV=0", &fate)
            == ThreadSchedulePolicy::Realtime(RealTime::Fifo);
        assert_eq!(fate.is_urgent(), Some(is_urgent));
        assert_eq!(policy(), before, "whoever opens it goes on as before");
        // What may spin gets none.
        let fate = Fate::default();
        assert_eq!(of_started("null", &fate), before);
        assert_eq!(fate.is_urgent(), None);
    }

    fn patiently<T>(mut there: impl FnMut() -> Option<T>, fate: &Fate) -> T {
        let begun = std::time::Instant::now();
        loop {
            if let Some(it) = there() {
                return it;
            }
            assert_eq!(fate.over(), None);
            assert!(begun.elapsed() < Duration::from_secs(20), "no callback came");
            std::thread::yield_now();
        }
    }
}

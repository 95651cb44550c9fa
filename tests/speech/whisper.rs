//! whisper.cpp itself: plumbing, order of times, stopping, pooling, memory.

#![cfg_attr(
    all(target_os = "linux", target_env = "gnu"),
    expect(unsafe_code, reason = "asks the C library how much of the heap is in use")
)]

use std::{
    cell::Cell,
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use afferent_suite::data;
use model::{
    transcription::{
        Cascade, Class, Decoder, Hypothesis, Outcome, Pool, Task, Way, budget,
        model_file::ModelFile,
    },
    whisper::Whisper,
};

const MODELS: &str = "ggml-org+whisper.cpp/models";
const MICRO: &str = "derived-models/ggml-micro-random.en.bin";

fn load(path: &Path) -> Arc<Whisper> {
    let file = ModelFile::read(fs::File::open(path).unwrap()).unwrap();
    let name = path.file_stem().unwrap().to_string_lossy().into_owned();
    Arc::new(Whisper::load(&name, path, file.content).unwrap())
}

fn model(name: &str) -> Option<Arc<Whisper>> {
    Some(load(&data::folder()?.join(name)))
}

fn tiny() -> Option<Arc<Whisper>> {
    model(&format!("{MODELS}/for-tests-ggml-tiny.bin"))
}

/// Samples of a 16 kHz WAV of 16 bits.
fn wav(path: PathBuf) -> Vec<f32> {
    let bytes = fs::read(path).unwrap();
    let at = bytes.windows(4).position(|four| four == b"data").unwrap() + 8;
    let sample = |pair: &[u8]| f32::from(i16::from_le_bytes([pair[0], pair[1]])) / 32_768.0;
    bytes[at..].chunks_exact(2).map(sample).collect()
}

fn jfk() -> Option<Vec<f32>> {
    Some(wav(data::folder()?.join("ggml-org+whisper.cpp/samples/jfk.wav")))
}

fn task(audio: &[f32], way: Way) -> Task {
    Task { audio: audio.into(), prompt: "".into(), way }
}

fn decode(model: &dyn Decoder, task: &Task) -> Hypothesis {
    model.open().unwrap().decode(task, &|| false).unwrap().unwrap()
}

/// What this thread has had of a processor, whatever others take of it.
fn worked() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

#[test]
fn a_model_without_weights_runs_and_less_audio_costs_less() {
    let (Some(tiny), Some(jfk)) = (tiny(), jfk()) else { return };
    let mut state = tiny.open().unwrap();
    let mut took = |seconds: usize| {
        let task = task(&jfk[..16_000 * seconds], Way::default());
        let began = worked();
        assert!(state.decode(&task, &|| false).unwrap().is_some());
        worked() - began
    };
    took(1);
    let (short, long) = (took(1), took(11));
    // 256 positions against 704: 2.7 and more, as attention grows with the square.
    assert!(short < long.mul_f64(0.6), "{short:?} of {long:?}");
}

#[test]
fn a_language_that_was_found_out_says_how_likely_it_is_and_costs_as_much_as_understanding_it() {
    let (Some(tiny), Some(jfk)) = (tiny(), jfk()) else { return };
    let mut state = tiny.open().unwrap();
    let mut least = |language: Option<&str>| {
        let way = Way { language: language.map(Into::into), ..Way::default() };
        let task = task(&jfk[..16_000], way);
        let tries = (0..3).map(|_| {
            let began = worked();
            let said = state.decode(&task, &|| false).unwrap().unwrap();
            (worked() - began, said)
        });
        tries.min_by_key(|(took, _)| *took).unwrap()
    };
    let (told, said) = least(Some("de"));
    assert_eq!((&*said.language, said.language_p), ("de", None));
    let (found_out, said) = least(None);
    // Without weights all languages are as likely.
    let p = said.language_p.unwrap();
    assert!((0.005..0.02).contains(&p), "{said:?}");
    // The encoder runs twice, trimmed both times; all of it would be six times as much.
    assert!(found_out < told.mul_f64(3.0), "{found_out:?}, not {told:?}");
}

#[test]
fn the_same_audio_is_understood_the_same_by_every_state() {
    let (Some(micro), Some(jfk)) = (model(MICRO), jfk()) else { return };
    let heard = task(&jfk[..48_000], Way::default());
    let first = decode(&*micro, &heard);
    assert!(first.language == "en" && first.model == "ggml-micro-random.en", "{first:?}");
    assert!((0.0..=1.0).contains(&first.confidence));
    for pair in first.words.windows(2) {
        assert!(pair[0].start_s <= pair[1].start_s, "{pair:?}");
    }
    assert_eq!(decode(&*micro, &heard), first);
    // Another piece in between leaves no trace, nor does a prompt that was told before.
    let mut state = micro.open().unwrap();
    let other =
        Task { prompt: "ask not what".into(), ..task(&jfk[64_000..128_000], Way::default()) };
    state.decode(&other, &|| false).unwrap().unwrap();
    assert_eq!(state.decode(&heard, &|| false).unwrap().unwrap(), first);
}

#[test]
fn products_of_matrices_are_computed_here_and_say_what_whisper_cpp_says() {
    let (Some(micro), Some(jfk)) = (model(MICRO), jfk()) else { return };
    for (from, to) in [(0, 48_000), (48_000, 80_000), (0, 176_000)] {
        let heard = task(&jfk[from..to], Way { tokens: Some(16), ..Way::default() });
        let before = Whisper::products();
        let theirs = Whisper::by_itself(|| decode(&*micro, &heard));
        let ours = decode(&*micro, &heard);
        assert!(Whisper::products() > before || cfg!(not(target_arch = "x86_64")), "none");
        let text = |said: &Hypothesis| -> Vec<String> {
            said.words.iter().map(|word| word.text.clone()).collect()
        };
        assert_eq!(text(&ours), text(&theirs));
        // It rounds what weights are multiplied with to 11 bits, we to 16 or more.
        assert!((ours.confidence - theirs.confidence).abs() < 0.01, "{ours:?}, {theirs:?}");
    }
}

#[test]
fn tokens_are_as_many_as_asked_for_and_capped_else() {
    let (Some(micro), Some(jfk)) = (model(MICRO), jfk()) else { return };
    let said = |seconds: usize, tokens| {
        decode(&*micro, &task(&jfk[..16_000 * seconds], Way { tokens, ..Way::default() }))
    };
    for count in [4, 12, 40] {
        let said = said(2, Some(count));
        // And the moment at which it ends.
        assert_eq!((said.tokens, said.capped), (count + 1, false));
    }
    assert!(said(2, None).tokens <= budget::tokens_max(2.0, "en", 217));
}

/// The random model, but never at a loss for words.
fn talkative(name: &str) -> Option<Arc<Whisper>> {
    let file = std::env::temp_dir().join(format!("afferent-{name}-{}.bin", std::process::id()));
    crate::talkative::write(&file).then(|| {
        let model = load(&file);
        fs::remove_file(&file).unwrap();
        model
    })
}

#[test]
fn who_would_never_stop_is_stopped_and_told_to_be_incomplete() {
    let (Some(model), Some(jfk)) = (talkative("capped"), jfk()) else { return };
    let mut capped = 0;
    for seconds in 1..=10 {
        let said = decode(&*model, &task(&jfk[..16_000 * seconds], Way::default()));
        let most = budget::tokens_max(seconds as f64, "en", 217);
        eprintln!("{seconds} s: {} tokens of {most}, looped {}", said.tokens, said.looped);
        // And the moment at which it ends.
        assert!((2..=most + 1).contains(&said.tokens), "{} of {most}", said.tokens);
        assert_eq!(said.capped, said.tokens > most);
        assert!(said.capped || said.looped, "it never stops by itself");
        capped += usize::from(said.capped);
    }
    assert!(capped > 0);
}

#[test]
fn what_a_model_cannot_say_at_once_it_says_in_windows() {
    let (Some(model), Some(jfk)) = (talkative("windows"), jfk()) else { return };
    let audio: Vec<f32> = jfk.iter().copied().cycle().take(16_000 * 28).collect();
    let said = decode(&*model, &task(&audio, Way::default()));
    eprintln!("{} tokens, looped {}, ends {:?}", said.tokens, said.looped, said.segment_ends_s);
    assert!(!said.capped && (said.looped || said.tokens > 217), "{}", said.tokens);
    assert!(said.segment_ends_s.last().is_some_and(|last| (20.0..=28.0).contains(last)));
    assert!(said.words.windows(2).all(|pair| pair[0].start_s <= pair[1].start_s));
}

#[test]
fn what_is_told_lies_within_the_audio() {
    let (Some(micro), Some(jfk)) = (model(MICRO), jfk()) else { return };
    for seconds in [1, 11, 40, 65] {
        let audio: Vec<f32> = jfk.iter().copied().cycle().take(16_000 * seconds).collect();
        let said = decode(&*micro, &task(&audio, Way::default()));
        let ends = said.words.iter().map(|word| word.end_s).chain(said.segment_ends_s);
        let last = ends.fold(0.0, f64::max);
        assert!(last > 0.0 && last <= seconds as f64, "{last} s of {seconds}");
    }
}

#[test]
fn beyond_full_scale_there_is_nothing() {
    let (Some(micro), Some(jfk)) = (model(MICRO), jfk()) else { return };
    let loud: Vec<f32> = jfk[..48_000].iter().map(|x| 8.0 * x).collect();
    let full: Vec<f32> = loud.iter().map(|x| x.clamp(-1.0, 1.0)).collect();
    assert!(loud != full);
    let said = |audio: &[f32]| decode(&*micro, &task(audio, Way::default()));
    assert_eq!(said(&loud), said(&full));
}

#[test]
fn audio_too_short_or_empty_or_of_silence_harms_nobody() {
    let Some(micro) = model(MICRO) else { return };
    let mut state = micro.open().unwrap();
    for len in [1, 100, 1_599, 1_600, 3_200] {
        assert!(state.decode(&task(&vec![0.0; len], Way::default()), &|| false).is_ok(), "{len}");
    }
    let loud = vec![1e30; 16_000];
    assert!(state.decode(&task(&loud, Way::default()), &|| false).is_ok());
    // More than the 30 s that the model hears at once.
    assert!(state.decode(&task(&vec![0.1; 16_000 * 40], Way::default()), &|| false).is_ok());
    let unknown = Way { language: Some("xx".into()), ..Way::default() };
    assert!(
        state.decode(&task(&[0.0; 1_600], unknown), &|| false).is_ok(),
        "it knows English only"
    );
    if let Some(tiny) = tiny() {
        let unknown = Way { language: Some("xx".into()), ..Way::default() };
        let said = tiny.open().unwrap().decode(&task(&[0.0; 1_600], unknown), &|| false);
        assert!(said.unwrap_err().to_string().contains("no language `xx`"));
    }
}

#[test]
fn what_runs_stops_within_a_step_of_the_computation_and_leaves_no_trace() {
    let (Some(tiny), Some(jfk)) = (tiny(), jfk()) else { return };
    assert!(Whisper::stops_soon(), "this whisper.cpp is not the one that was read");
    let mut state = tiny.open().unwrap();
    let heard = task(&jfk, Way { floor: 1_500, ..Way::default() });
    let began = Instant::now();
    let whole = state.decode(&heard, &|| false).unwrap().unwrap();
    let took = began.elapsed();
    // Stopped in the middle of the encoder, which is nearly all of it.
    let began = Instant::now();
    let stopped = AtomicBool::new(false);
    let stops = || {
        let stops = began.elapsed() > took / 4;
        stopped.fetch_or(stops, Ordering::Relaxed);
        stops
    };
    assert!(state.decode(&heard, &stops).unwrap().is_none());
    let late = began.elapsed().saturating_sub(took / 4);
    assert!(late < took / 4, "{late:?} of {took:?}");
    let again = state.decode(&heard, &|| false).unwrap().unwrap();
    assert_eq!(again, whole);
}

#[test]
fn wherever_it_was_stopped_the_next_answer_is_that_of_before() {
    let (Some(micro), Some(jfk)) = (model(MICRO), jfk()) else { return };
    let heard = task(&jfk[..48_000], Way { tokens: Some(8), ..Way::default() });
    let mut state = micro.open().unwrap();
    let asked = AtomicUsize::new(0);
    let mut until = |stop: usize| {
        asked.store(0, Ordering::Relaxed);
        let stops = || asked.fetch_add(1, Ordering::Relaxed) >= stop;
        state.decode(&heard, &stops).unwrap()
    };
    let whole = until(usize::MAX).unwrap();
    let count = asked.load(Ordering::Relaxed);
    Whisper::by_itself(|| until(usize::MAX).unwrap());
    let between = asked.load(Ordering::Relaxed);
    // Some of it is asked inside products.
    assert!(count > between || Whisper::products() == 0, "{count}, {between}");
    for stop in (0..count).step_by(17) {
        assert!(until(stop).is_none(), "{stop} of {count}");
        assert_eq!(until(usize::MAX).unwrap(), whole, "stopped at {stop} of {count}");
    }
}

#[test]
fn a_pool_gives_every_piece_its_own_answer() {
    let (Some(micro), Some(jfk)) = (model(MICRO), jfk()) else { return };
    let pieces: Vec<Task> =
        (0..12).map(|n| task(&jfk[8_000 * n..8_000 * n + 24_000], Way::default())).collect();
    let want: Vec<Hypothesis> = pieces.iter().map(|piece| decode(&*micro, piece)).collect();
    let cascade = Arc::new(Cascade::single(micro.clone()));
    let pool = Pool::new(3);
    let (tell, told) = std::sync::mpsc::channel();
    for (n, piece) in pieces.into_iter().enumerate() {
        let tell = tell.clone();
        pool.submit(&cascade, None, piece, Class::Final, move |outcome| {
            if let Outcome::Said(said) = outcome {
                tell.send((n, said)).unwrap();
            }
        });
    }
    for _ in 0..12 {
        let (n, said) = told.recv_timeout(Duration::from_secs(60)).unwrap();
        // As caches keep it: what is read of a number may differ in its last digit from what was written.
        let want = Hypothesis::of_answer(&want[n].to_answer()).unwrap();
        assert_eq!(Hypothesis { cost_s: 0.0, ..said }, want, "{n}");
    }
}

/// Bytes of the heap that are in use, by Rust and C++ alike.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn in_use() -> usize {
    /// As glibc's malloc.h has it, since 2.33.
    #[repr(C)]
    #[derive(Default)]
    struct Info {
        _arenas: [usize; 4],
        mapped: usize,
        _unused: [usize; 2],
        in_use: usize,
        _free: [usize; 2],
    }
    unsafe extern "C" {
        fn mallinfo2() -> Info;
    }
    // SAFETY: it counts, and returns ten numbers.
    let info = unsafe { mallinfo2() };
    info.in_use + info.mapped
}

/// Of the promise, 1 MB in 18 000 decodes, a decode's share: what is kept for each decode is seen within a few hundred, as the
/// heap is counted rather than memory, of which a system gives pages. The bench `transcribe` counts memory over all
/// of them; `AFFERENT_DECODES` says how many are made here.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[test]
fn decodes_leak_nothing() {
    const TUNABLES: &str = "GLIBC_TUNABLES";
    const EXACT: &str = "glibc.malloc.tcache_count=0";
    if std::env::var(TUNABLES).as_deref() != Ok(EXACT) {
        // What a thread sets aside for its next allocations counts as in use: some 40 kB, which come by and by.
        let this = std::env::current_exe().unwrap();
        let words = ["whisper::decodes_leak_nothing", "--exact", "--nocapture"];
        let status = std::process::Command::new(this).args(words).env(TUNABLES, EXACT).status();
        assert!(status.unwrap().success());
        return;
    }
    let (Some(micro), Some(jfk)) = (model(MICRO), jfk()) else { return };
    let count =
        std::env::var("AFFERENT_DECODES").ok().and_then(|it| it.parse().ok()).unwrap_or(400);
    let warm = count / 4;
    let way = Way { tokens: Some(8), floor: 64, ..Way::default() };
    let mut state = micro.open().unwrap();
    let mut before = 0;
    for n in 0..count {
        if n == warm {
            before = in_use();
        }
        let from = n * 160 % 100_000;
        let piece =
            Task { prompt: "my fellow".into(), ..task(&jfk[from..from + 16_000], way.clone()) };
        // Some are stopped: at the spectrogram, in the encoder, between tokens.
        let asked = Cell::new(0);
        let stops = || {
            asked.set(asked.get() + 1);
            n % 4 == 3 && asked.get() > n % 150
        };
        state.decode(&piece, &stops).unwrap();
    }
    let grown = in_use().saturating_sub(before);
    let most = (count - warm) * (1 << 20) / 18_000;
    eprintln!("{count} decodes: {grown} bytes more after the first {warm}, of {most}");
    assert!(grown <= most, "{grown} bytes, of {most}");
}

/// Fewest edits that make the one text of the other.
fn edits(want: &[String], got: &[String]) -> usize {
    let mut row: Vec<usize> = (0..=got.len()).collect();
    for (at, word) in want.iter().enumerate() {
        let mut next = vec![at + 1];
        for (to, other) in got.iter().enumerate() {
            let other = row[to] + usize::from(word != other);
            next.push(other.min(row[to + 1] + 1).min(next[to] + 1));
        }
        row = next;
    }
    row[got.len()]
}

/// Words as they are compared: without case and punctuation, digits as they are said.
fn plain(text: &str) -> Vec<String> {
    const DIGITS: [&str; 10] =
        ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
    let lower = text.to_lowercase().replace('\u{2019}', "'");
    let is_part = |c: char| c.is_alphanumeric() || c == '\'';
    let words = lower.split(|c| !is_part(c)).map(|word| word.trim_matches('\''));
    let words = words.filter(|word| !word.is_empty());
    let is_number = |word: &str| word.chars().all(|c| c.is_ascii_digit());
    let each = words.flat_map(|word| match is_number(word) {
        true => word.bytes().map(|digit| DIGITS[usize::from(digit - b'0')].to_owned()).collect(),
        false => vec![word.to_owned()],
    });
    each.collect()
}

#[test]
fn edits_are_counted_in_words() {
    let count = |want: &str, got: &str| edits(&plain(want), &plain(got));
    assert_eq!(count("And so, my fellow Americans", "and so my FELLOW americans."), 0);
    assert_eq!(count("one two three", "1 2, 3"), 0);
    assert_eq!(count("a b c d", "a x c"), 2);
    assert_eq!(count("", "a b"), 2);
}

/// Recordings of which the reference knows the words, at 16 kHz, mono, of 16 bits, each with its language.
fn recordings(data: &Path) -> Vec<(String, String, Vec<f32>, Vec<String>)> {
    let text = fs::read_to_string(data.join("reference/transcripts.json")).unwrap();
    let known: serde_json::Value = serde_json::from_str(&text).unwrap();
    let all = known["texts"].as_object().unwrap().iter().filter_map(|(file, known)| {
        let file = file.strip_prefix("dev/")?.to_owned();
        if !file.ends_with(".wav") || known["kind"] != "exact" {
            return None;
        }
        let language = known["language"].as_str().unwrap_or("en").to_owned();
        let bytes = fs::read(data.join(&file)).ok()?;
        (bytes.get(22..28)? == [1, 0, 0x80, 0x3e, 0, 0]).then_some(())?;
        let want = plain(known["text"].as_str()?);
        Some((file.clone(), language, wav(data.join(file)), want))
    });
    all.collect()
}

#[test]
fn recordings_with_known_words_are_at_hand() {
    let Some(data) = data::folder() else { return };
    let all = recordings(&data);
    let words: usize = all.iter().map(|(.., want)| want.len()).sum();
    let english = all.iter().filter(|(_, language, ..)| language == "en").count();
    eprintln!("{} recordings, {english} of them English, {words} words", all.len());
    assert!(all.len() > english && english > 5 && words > 100);
}

/// Words of recordings, by a model that knows some: of all of them together, as single ones have two words.
#[test]
fn a_real_model_understands_what_is_said() {
    let Some(path) = std::env::var_os("AFFERENT_WHISPER_MODEL") else {
        eprintln!("SKIPPED: no model at hand (set AFFERENT_WHISPER_MODEL)");
        return;
    };
    let Some(data) = data::folder() else { return };
    let model = load(Path::new(&path));
    let (mut wrong, mut all) = (0, 0);
    for (file, language, audio, want) in recordings(&data) {
        if language != "en" && !model.is_multilingual() {
            continue;
        }
        let way = Way { language: Some(language.as_str().into()), ..Way::default() };
        let said = decode(&*model, &task(&audio, way));
        let said: String = said.words.iter().map(|word| word.text.as_str()).collect();
        let edits = edits(&want, &plain(&said));
        eprintln!("{edits:3} of {:3} words wrong: {file} ({language}): {said}", want.len());
        (wrong, all) = (wrong + edits, all + want.len());
    }
    eprintln!("word error rate {:.1} % of {all} words", 100.0 * wrong as f64 / all as f64);
    // The smallest model of them all, tiny, makes some 8 % errors in clean English reading
    // (https://arxiv.org/abs/2212.04356, table 8) and more in short phrases and other languages.
    assert!(all > 0 && 10 * wrong <= 3 * all, "{wrong} of {all} words are wrong");
}

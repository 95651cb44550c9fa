//! [`Recordings`]: sound files, each perhaps with what is said in it.
//!
//! | `--data` | recordings |
//! |---|---|
//! | a folder | its sound files; what is said in `talk.flac` stands in `talk.txt` beside it, if that is there |
//! | `LIST.tsv`, `LIST.csv` | a line for each, below a heading with `file` and perhaps `text` and `speaker` |
//!
//! Paths in a list start from its folder. A text that is empty is none. Recordings of one speaker are one group; of which nobody is
//! told to speak is a group of its own.

use std::{
    collections::HashMap,
    fs,
    io::{self, BufRead},
    path::{Path, PathBuf},
};

use super::{trouble::Trouble, watch::Watch};

/// Endings of sound files that are looked for in a folder.
const ENDINGS: [&str; 12] =
    ["wav", "flac", "mp3", "ogg", "oga", "m4a", "mp4", "aac", "aif", "aiff", "caf", "wave"];
/// Longest list, and longest text beside a recording.
const LIST_BYTES_MAX: u64 = 64 << 20;

/// A sound file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Recording {
    pub(super) path: PathBuf,
    /// What is said in it, if that is known.
    pub(super) text: Option<String>,
    /// Who speaks, if that is told.
    pub(super) speaker: Option<String>,
}

impl Recording {
    fn new(path: PathBuf, text: Option<String>) -> Self {
        Self { path, text, speaker: None }
    }
}

/// Reads a folder or a list.
///
/// # Errors
/// If it cannot be read, is none of both, or has nothing in it.
pub(super) fn recordings(data: &Path) -> Result<Vec<Recording>, Trouble> {
    let all = if data.is_dir() { of_folder(data)? } else { of_list(data)? };
    if all.is_empty() {
        let message = format!("`{}` has no recordings", data.display());
        return Err(Trouble::file(message, WRITE));
    }
    Ok(all)
}

/// That none is there twice, under one name or two: what is judged by itself would seem to be known better than it is.
///
/// # Errors
/// Which one is, or that it shall end.
pub(super) fn once(all: &[Recording], watch: &Watch<'_>) -> Result<(), Trouble> {
    let twice = |path: &Path, other: &Path, why: &str| {
        let message = format!("`{}` is `{}`{why}", path.display(), other.display());
        Trouble::file(
            message,
            "name every recording once: twice the same is not twice as much to go by",
        )
    };
    let (mut paths, mut lengths) = (HashMap::new(), HashMap::<u64, Vec<&Path>>::new());
    for Recording { path, .. } in all {
        // What cannot be read is told when it is.
        let Ok(whole) = fs::canonicalize(path) else { continue };
        let Ok(facts) = fs::metadata(path) else { continue };
        if let Some(other) = paths.insert(whole, path) {
            return Err(twice(path, other, " again"));
        }
        lengths.entry(facts.len()).or_default().push(path);
    }
    for alike in lengths.into_values().filter(|alike| alike.len() > 1) {
        let mut contents = HashMap::<u64, Vec<&Path>>::new();
        for path in alike {
            watch.goes_on()?;
            let Ok(content) = content(path) else { continue };
            let others = contents.entry(content).or_default();
            if let Some(other) = others.iter().find(|other| is_same(path, other).unwrap_or(false)) {
                return Err(twice(path, other, " under another name"));
            }
            others.push(path);
        }
    }
    Ok(())
}

/// What tells the contents of files apart.
fn content(path: &Path) -> io::Result<u64> {
    let mut hash = xxhash_rust::xxh3::Xxh3::new();
    let mut file = io::BufReader::new(fs::File::open(path)?);
    loop {
        let bytes = file.fill_buf()?;
        let count = bytes.len();
        if count == 0 {
            return Ok(hash.digest());
        }
        hash.update(bytes);
        file.consume(count);
    }
}

/// Whether two files of one length hold the same.
fn is_same(one: &Path, other: &Path) -> io::Result<bool> {
    let open = |path: &Path| Ok::<_, io::Error>(io::BufReader::new(fs::File::open(path)?));
    let (mut one, mut other) = (open(one)?, open(other)?);
    loop {
        let (ours, theirs) = (one.fill_buf()?, other.fill_buf()?);
        let count = ours.len().min(theirs.len());
        if ours[..count] != theirs[..count] {
            return Ok(false);
        }
        if count == 0 {
            return Ok(ours.len() == theirs.len());
        }
        one.consume(count);
        other.consume(count);
    }
}

const WRITE: &str = "give a folder of sound files, such as `talk.wav` with `talk.txt` beside it, or a list `LIST.tsv` with the heading \
                     `file<TAB>text`";

fn unreadable(path: &Path, error: &std::io::Error) -> Trouble {
    let what = match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        std::io::ErrorKind::InvalidData => "it is no text in UTF-8".to_owned(),
        _ => error.to_string(),
    };
    Trouble::file(format!("cannot read `{}`: {what}", path.display()), WRITE)
}

fn read(path: &Path) -> Result<String, Trouble> {
    let long = || std::io::Error::other(format!("it is longer than {} MB", LIST_BYTES_MAX >> 20));
    let text = fs::metadata(path)
        .and_then(|facts| if facts.len() > LIST_BYTES_MAX { Err(long()) } else { Ok(()) })
        .and_then(|()| fs::read_to_string(path))
        .map_err(|error| unreadable(path, &error))?;
    Ok(text.trim_start_matches('\u{feff}').to_owned())
}

fn of_folder(folder: &Path) -> Result<Vec<Recording>, Trouble> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| unreadable(folder, &error))? {
        let path = entry.map_err(|error| unreadable(folder, &error))?.path();
        let ending = path.extension().map(|it| it.to_string_lossy().to_lowercase());
        if path.is_file() && ending.is_some_and(|ending| ENDINGS.contains(&&*ending)) {
            paths.push(path);
        }
    }
    // The same in every run.
    paths.sort();
    let with_text = |path: PathBuf| {
        let beside = path.with_extension("txt");
        let text = if beside.is_file() { said(&read(&beside)?) } else { None };
        Ok(Recording::new(path, text))
    };
    paths.into_iter().map(with_text).collect()
}

fn said(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn of_list(list: &Path) -> Result<Vec<Recording>, Trouble> {
    let ending = list.extension().map(|it| it.to_string_lossy().to_lowercase());
    let separator = match ending.as_deref() {
        Some("tsv") => '\t',
        Some("csv") => ',',
        _ if list.exists() => {
            let message = format!("`{}` is neither a folder nor a list", list.display());
            return Err(Trouble::file(message, WRITE));
        }
        _ => return Err(unreadable(list, &std::io::ErrorKind::NotFound.into())),
    };
    let text = read(list)?;
    let folder = list.parent().unwrap_or(Path::new(""));
    let bad = |line: usize, why: &str| {
        Trouble::file(format!("`{}`, line {line}: {why}", list.display()), WRITE)
    };
    let mut lines = text.lines().enumerate().map(|(at, line)| (at + 1, line));
    let Some((_, heading)) = lines.next() else { return Ok(Vec::new()) };
    let heading = fields(heading, separator).map_err(|why| bad(1, why))?;
    let place = |name: &str| heading.iter().position(|field| field.trim() == name);
    let file = place("file").ok_or_else(|| bad(1, "the heading has no `file`"))?;
    let [text, speaker] = ["text", "speaker"].map(place);
    let mut all = Vec::new();
    for (number, line) in lines.filter(|(_, line)| !line.trim().is_empty()) {
        let row = fields(line, separator).map_err(|why| bad(number, why))?;
        if row.len() > heading.len() {
            let why =
                "there are more fields than in the heading; a text with a comma stands in \"…\"";
            return Err(bad(number, why));
        }
        let path = row.get(file).map(|path| path.trim()).filter(|path| !path.is_empty());
        let path = folder.join(path.ok_or_else(|| bad(number, "there is no `file`"))?);
        let field = |at: Option<usize>| at.and_then(|at| row.get(at)).and_then(|text| said(text));
        all.push(Recording { speaker: field(speaker), ..Recording::new(path, field(text)) });
    }
    Ok(all)
}

/// The fields of a line; those that begin with a quote end with one, and two of them are one.
fn fields(line: &str, separator: char) -> Result<Vec<String>, &'static str> {
    let mut all = Vec::new();
    let mut rest = line;
    loop {
        let mut field = String::new();
        if let Some(quoted) = rest.strip_prefix('"') {
            rest = quoted;
            loop {
                let end = rest.find('"').ok_or("a quote is not closed")?;
                field.push_str(&rest[..end]);
                rest = &rest[end + 1..];
                match rest.strip_prefix('"') {
                    Some(more) => {
                        field.push('"');
                        rest = more;
                    }
                    None => break,
                }
            }
        }
        let end = rest.find(separator).unwrap_or(rest.len());
        field.push_str(&rest[..end]);
        all.push(field);
        match rest[end..].strip_prefix(separator) {
            Some(more) => rest = more,
            None => return Ok(all),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("room for a folder");
        for (name, text) in files {
            fs::write(folder.path().join(name), text).expect("room for a file");
        }
        folder
    }

    fn texts(all: Vec<Recording>) -> Vec<(String, Option<String>)> {
        let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
        all.into_iter().map(|it| (name(&it.path), it.text)).collect()
    }

    #[test]
    fn a_folder_has_sounds_with_texts_beside_them() {
        let files = [
            ("b.FLAC", "b"),
            ("b.txt", "\u{feff} well \n"),
            ("a.wav", ""),
            ("a.txt", " "),
            ("c.md", ""),
        ];
        let folder = folder(&files);
        let found = texts(recordings(folder.path()).expect("it is there"));
        let want = [("a.wav", None), ("b.FLAC", Some("well"))];
        assert_eq!(found, want.map(|(name, text)| (name.to_owned(), text.map(str::to_owned))));
    }

    #[test]
    fn a_list_names_them() {
        let csv = "text,file\n\"well, \"\"so\"\"\",a.wav\n,b.wav\n\nplain,c.wav\n";
        let tsv = "file\ttext\r\na.wav\twell, so\r\nb.wav\r\n";
        let folder = folder(&[("l.csv", csv), ("l.tsv", tsv)]);
        let found = texts(recordings(&folder.path().join("l.csv")).expect("it is right"));
        let want = [("a.wav", Some("well, \"so\"")), ("b.wav", None), ("c.wav", Some("plain"))];
        assert_eq!(found, want.map(|(name, text)| (name.to_owned(), text.map(str::to_owned))));
        let found = texts(recordings(&folder.path().join("l.tsv")).expect("it is right"));
        let want = [("a.wav", Some("well, so")), ("b.wav", None)];
        assert_eq!(found, want.map(|(name, text)| (name.to_owned(), text.map(str::to_owned))));
    }

    #[test]
    fn a_list_says_who_speaks() {
        let folder = folder(&[("l.tsv", "file\tspeaker\na.wav\tann\nb.wav\t\nc.wav\n")]);
        let all = recordings(&folder.path().join("l.tsv")).expect("it is right");
        let speakers: Vec<_> = all.iter().map(|it| it.speaker.as_deref()).collect();
        assert_eq!(speakers, [Some("ann"), None, None]);
    }

    #[test]
    fn a_recording_counts_once() {
        let long = "x".repeat(100_000);
        let other = format!("{}y", &long[1..]);
        let files =
            [("a.wav", &*long), ("b.wav", &*other), ("l.csv", "file\na.wav\nb.wav\n./a.wav\n")];
        let folder = folder(&files);
        let (open, ended) = (AtomicBool::new(false), AtomicBool::new(true));
        let checked = |path: &Path, interrupted| {
            let all = recordings(path).expect("there are some");
            once(&all, &Watch { interrupted, says: &|_| () })
        };
        assert_eq!(checked(folder.path(), &open), Ok(()));
        assert!(checked(folder.path(), &ended).is_err());
        let told = checked(&folder.path().join("l.csv"), &open).expect_err("it is there twice");
        assert!(told.message.contains("a.wav` again"), "{told}");
        fs::write(folder.path().join("c.wav"), &other).expect("room");
        let told = checked(folder.path(), &open).expect_err("it is there twice");
        assert!(told.message.contains("c.wav` is"), "{told}");
        assert!(told.message.contains("b.wav` under another name"), "{told}");
    }

    #[test]
    fn what_is_wrong_with_a_list_is_told_with_its_line() {
        let files = [
            ("none.csv", "file,text\n"),
            ("head.csv", "name,text\na.wav,well\n"),
            ("more.csv", "file,text\na.wav,well, so\n"),
            ("open.csv", "file,text\n\na.wav,\"well\n"),
            ("empty.tsv", "file\ttext\n\twell\n"),
            ("list.doc", ""),
        ];
        let folder = folder(&files);
        for (name, said) in [
            ("none.csv", "has no recordings"),
            ("head.csv", "line 1: the heading has no `file`"),
            ("more.csv", "line 2: there are more fields"),
            ("open.csv", "line 3: a quote is not closed"),
            ("empty.tsv", "line 2: there is no `file`"),
            ("list.doc", "is neither a folder nor a list"),
            ("gone.csv", "there is no such file"),
        ] {
            let told = recordings(&folder.path().join(name)).expect_err(name);
            assert!(told.message.contains(said), "{name}: {told}");
            assert!(told.hint.contains("LIST.tsv"), "{}", told.hint);
        }
        fs::write(folder.path().join("bad.csv"), b"file\n\xff\xfe\n").expect("room");
        let told = recordings(&folder.path().join("bad.csv")).expect_err("it is no text");
        assert!(told.message.contains("no text in UTF-8"), "{told}");
    }
}

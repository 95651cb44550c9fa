//! What a file is, by its first bytes.

use std::io::{Read, SeekFrom};

use engine::ReadSeek;

use crate::files::error::{FileError, excerpt};

/// How sound is written down, as far as it decides who reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// Chunks of RIFF, RF64 or BW64.
    Wav,
    /// Frames of MPEG audio, whose length no header tells.
    Mpeg,
    /// Ogg pages.
    Ogg,
    /// Anything else that is known.
    Other,
}

/// Bytes of a tag before the sound, such as a cover picture, that are passed over.
const TAGS_MAX: usize = 8;

/// What to do with a file that is not read.
const HINT: &str = "name a WAV, AIFF, FLAC, MP3, Ogg Vorbis, CAF, AAC or MP4 file (with AAC or ALAC), or make one of \
                    it: ffmpeg -i FILE sound.wav";

/// Names of what is no sound, or sound nobody here decodes, by the first bytes.
const REFUSED: &[(&[u8], &str)] = &[
    (b"\x1a\x45\xdf\xa3", "a Matroska or WebM file"),
    (b"\x30\x26\xb2\x75", "a Windows Media file"),
    (b"MThd", "a MIDI file, which holds notes and no sound"),
    (b"#!AMR", "an AMR file"),
    (b".snd", "an AU file"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "compressed by gzip"),
    (b"\x7fELF", "a program"),
    (b"RIFX", "a RIFX file, which is WAV with its bytes turned round"),
];

/// Looks at the first bytes and goes back to the start.
pub(super) fn of(reader: &mut dyn ReadSeek, path: &str) -> Result<Encoding, FileError> {
    let unreadable = |error| FileError::unreadable(path, "read it", error);
    let mut at = 0;
    // Tags stand in front of MP3, and by mistake in front of others too.
    for _ in 0..TAGS_MAX {
        let head = head(reader, at).map_err(unreadable)?;
        reader.seek(SeekFrom::Start(0)).map_err(unreadable)?;
        if let Some(tag) = tag_len(&head) {
            at += tag;
            continue;
        }
        return match (sniffed(&head), head.is_empty()) {
            (Some(encoding), _) => Ok(encoding),
            (None, true) if at > 0 => Err(refused(path, "holds a tag and nothing behind it")),
            (None, true) => Err(refused(path, "is empty")),
            (None, false) => Err(refused(path, &known(&head))),
        };
    }
    Err(refused(path, "begins with one tag after the other"))
}

/// The first bytes from a place on; fewer where the file ends.
fn head(reader: &mut dyn ReadSeek, at: u64) -> std::io::Result<Vec<u8>> {
    reader.seek(SeekFrom::Start(at))?;
    let mut head = Vec::new();
    reader.take(64).read_to_end(&mut head)?;
    Ok(head)
}

/// Length of an ID3v2 tag, whose sizes have seven bits to the byte.
fn tag_len(head: &[u8]) -> Option<u64> {
    let (b"ID3", size) = (head.get(..3)?, head.get(6..10)?) else { return None };
    let size = size.iter().fold(0u64, |size, &byte| size << 7 | u64::from(byte & 0x7f));
    let footer = if head[5] & 0x10 != 0 { 10 } else { 0 };
    Some(10 + size + footer)
}

fn sniffed(head: &[u8]) -> Option<Encoding> {
    let begins = |with: &[u8]| head.starts_with(with);
    let form = |name: &[u8]| head.get(8..12) == Some(name);
    if (begins(b"RIFF") || begins(b"RF64") || begins(b"BW64")) && form(b"WAVE") {
        return Some(Encoding::Wav);
    }
    if begins(b"OggS") {
        return Some(Encoding::Ogg);
    }
    let is_iff = begins(b"FORM") && (form(b"AIFF") || form(b"AIFC"));
    let is_mp4 = head.get(4..8) == Some(b"ftyp");
    if is_iff || is_mp4 || begins(b"fLaC") || begins(b"caff") {
        return Some(Encoding::Other);
    }
    match *head {
        // A sync word of MPEG audio, whose layer is none: AAC with ADTS headers.
        [0xff, second, ..] if second & 0xf6 == 0xf0 => Some(Encoding::Other),
        // Eleven bits of sync, a version that exists, a layer, a bit rate and a sample rate.
        [0xff, second, third, ..]
            if second & 0xe0 == 0xe0
                && second & 0x18 != 0x08
                && third & 0xf0 != 0xf0
                && third & 0x0c != 0x0c =>
        {
            Some(Encoding::Mpeg)
        }
        _ => None,
    }
}

fn known(head: &[u8]) -> String {
    let known = REFUSED.iter().find(|(begins, _)| head.starts_with(begins));
    if let Some((_, name)) = known {
        return format!("is {name}");
    }
    if head.starts_with(b"RIFF") {
        let form = head.get(8..12).unwrap_or_default();
        return format!("is a RIFF file of `{}`, not of sound", String::from_utf8_lossy(form));
    }
    let is_text = head.iter().all(|byte| matches!(byte, b'\t' | b'\n' | b'\r' | b' '..));
    match std::str::from_utf8(head) {
        Ok(text) if is_text => format!("is no sound file but text: `{}`", excerpt(text)),
        _ => {
            let bytes: Vec<String> =
                head.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
            format!("is no sound file that is known: it begins with the bytes {}", bytes.join(" "))
        }
    }
}

pub(super) fn refused(path: &str, what: &str) -> FileError {
    FileError::new(path, what.to_owned(), HINT)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn told(bytes: &[u8]) -> Result<Encoding, String> {
        of(&mut Cursor::new(bytes.to_vec()), "x").map_err(|error| error.message)
    }

    #[test]
    fn content_tells_what_it_is() {
        assert_eq!(told(b"RIFF\x00\x00\x00\x00WAVEfmt "), Ok(Encoding::Wav));
        assert_eq!(told(b"RF64\xff\xff\xff\xffWAVEds64"), Ok(Encoding::Wav));
        assert_eq!(told(b"FORM\x00\x00\x00\x00AIFF"), Ok(Encoding::Other));
        assert_eq!(told(b"fLaC\x00"), Ok(Encoding::Other));
        assert_eq!(told(b"OggS\x00"), Ok(Encoding::Ogg));
        assert_eq!(told(b"\xff\xfb\x90\x64"), Ok(Encoding::Mpeg));
        assert_eq!(told(b"\xff\xf1\x50\x80"), Ok(Encoding::Other), "ADTS");
        assert_eq!(told(b"\x00\x00\x00\x20ftypM4A "), Ok(Encoding::Other));
        // A tag of three bytes, then FLAC.
        assert_eq!(told(b"ID3\x04\x00\x00\x00\x00\x00\x03abcfLaC"), Ok(Encoding::Other));
    }

    #[test]
    fn what_is_no_sound_is_called_what_it_is() {
        for (bytes, says) in [
            (&b""[..], "is empty"),
            (b"ID3\x04\x00\x00\x00\x00\x00\x03abc", "holds a tag and nothing behind it"),
            (b"# notes\n", "is no sound file but text: `# notes\\n`"),
            (b"RIFF\x00\x00\x00\x00AVI ", "is a RIFF file of `AVI `, not of sound"),
            (b"\x1a\x45\xdf\xa3\x01", "is a Matroska or WebM file"),
            (b"\x89PNG\r\n", "is a PNG picture"),
            (b"\x00\x01\xfe", "is no sound file that is known: it begins with the bytes 00 01 fe"),
            // All bits set are the sync of MPEG audio, but no bit rate.
            (
                b"\xff\xff\xff\xff",
                "is no sound file that is known: it begins with the bytes ff ff ff ff",
            ),
        ] {
            assert_eq!(told(bytes), Err(says.to_owned()));
        }
    }
}

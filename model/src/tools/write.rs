//! Files put in their place whole, or not at all.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use tempfile::NamedTempFile;

use super::{sidecar::Profile, trouble::Trouble};

/// Where the profile of a model stands: `beats.int8.profile.toml` beside `beats.int8.onnx`.
pub fn sidecar_of(model: &Path) -> PathBuf {
    model.with_extension("profile.toml")
}

/// Writes the profile of a model beside it and says where.
///
/// # Errors
/// If that place cannot be written.
pub fn save(profile: &Profile, model: &Path) -> Result<PathBuf, Trouble> {
    let path = sidecar_of(model);
    write(&path, profile.to_toml().as_bytes())?;
    Ok(path)
}

/// Whether the variant can be put where it shall go, before anybody waits for it.
pub(super) fn writable(file: &Path, out: &Path) -> Result<(), Trouble> {
    let same = fs::canonicalize(file).ok().zip(fs::canonicalize(out).ok());
    if file == out || same.is_some_and(|(file, out)| file == out) {
        let message = format!("the variant would replace the model `{}`", file.display());
        return Err(Trouble::asked(message, "name another file: `--out model.int8.onnx`"));
    }
    if out.is_dir() {
        let message = format!("`{}` is a folder", out.display());
        return Err(Trouble::file(message, "name a file: `--out model.int8.onnx`"));
    }
    temporary(out).map(drop)
}

/// Whether a file can be put there, before anybody waits for it.
pub(super) fn has_room(path: &Path) -> Result<(), Trouble> {
    if path.is_dir() {
        let message = format!("`{}` is a folder", path.display());
        return Err(Trouble::file(message, "name a file, with `--out`"));
    }
    temporary(path).map(drop)
}

pub(super) fn unwritable(path: &Path, error: &io::Error) -> Trouble {
    let message = format!("cannot write `{}`: {error}", path.display());
    Trouble::file(message, "name a place that can be written, with `--out`")
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// A file beside `path`, gone if it is dropped.
fn temporary(path: &Path) -> Result<NamedTempFile, Trouble> {
    NamedTempFile::new_in(folder_of(path)).map_err(|error| unwritable(path, &error))
}

/// Puts all of a file in its place at once.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), Trouble> {
    let file = temporary(path)?;
    fs::write(file.path(), bytes).map_err(|error| unwritable(path, &error))?;
    readable(&file).map_err(|error| unwritable(path, &error))?;
    file.persist(path).map(drop).map_err(|error| unwritable(path, &error.error))
}

/// Temporary files are for their owner alone; models are not.
fn readable(file: &NamedTempFile) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        file.as_file().set_permissions(fs::Permissions::from_mode(0o644))?;
    }
    let _ = file;
    Ok(())
}

//! Files that are whole or not there at all.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use super::CheckpointError;
use crate::checksum::fnv1a;

/// Writes a file so that after a crash it has its old content or the new one,
/// whole.
pub(super) fn replace(path: &Path, parts: &[&[u8]]) -> Result<(), CheckpointError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".tmp");
    let write = || {
        let mut file = File::create(&beside)?;
        parts.iter().try_for_each(|part| file.write_all(part))?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        // The new name is in the folder, which is a file of its own.
        File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
    };
    write().map_err(|error| {
        // Half of it must not keep a full disk full.
        let _ = fs::remove_file(&beside);
        CheckpointError::io(path)(error)
    })
}

/// Writes a line of JSON and, below it, its checksum.
pub(super) fn write_json(
    path: &Path,
    value: &impl serde::Serialize,
) -> Result<(), CheckpointError> {
    let text = serde_json::to_string(value)
        .map_err(|error| CheckpointError::io(path)(io::Error::from(error)))?;
    let hash = fnv1a(text.as_bytes());
    replace(path, &[format!("{text}\n{hash:016x}\n").as_bytes()])
}

/// What every such file has.
#[derive(serde::Deserialize)]
struct Head {
    format: u64,
}

/// Reads what [`write_json`] wrote; `known` is the newest `format` that is
/// understood.
pub(super) fn read_json<T: serde::de::DeserializeOwned>(
    path: &Path,
    known: u64,
) -> Result<T, CheckpointError> {
    let damaged = |what: &str| CheckpointError::damaged(path, what);
    let text = match fs::read(path) {
        Ok(bytes) => String::from_utf8(bytes).map_err(|_| damaged("it is no text"))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(damaged("it is missing"));
        }
        Err(error) => return Err(CheckpointError::io(path)(error)),
    };
    let (json, hash) =
        text.trim_end().rsplit_once('\n').ok_or_else(|| damaged("it has no second line"))?;
    if u64::from_str_radix(hash, 16) != Ok(fnv1a(json.as_bytes())) {
        return Err(damaged("its checksum is wrong"));
    }
    let head: Head = serde_json::from_str(json).map_err(|error| damaged(&error.to_string()))?;
    if head.format > known {
        return Err(CheckpointError::Newer { path: path.to_owned(), format: head.format, known });
    }
    serde_json::from_str(json).map_err(|error| damaged(&error.to_string()))
}

/// The numbers N of the files `prefix` N `suffix` in a folder, which may not be
/// there, from low to high.
pub(super) fn numbers(
    folder: &Path,
    prefix: &str,
    suffix: &str,
) -> Result<Vec<u64>, CheckpointError> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(CheckpointError::io(folder))?,
    };
    let mut numbers = Vec::new();
    for entry in entries {
        let name = entry.map_err(CheckpointError::io(folder))?.file_name();
        let name = name.to_string_lossy();
        let number = name.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(suffix));
        numbers.extend(number.and_then(|number| number.parse::<u64>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

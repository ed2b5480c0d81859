//! An epoch that a sink with transactions of its own may or may not have
//! committed: after a crash only its broker knows.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::CheckpointError;
use super::file::{read_json, write_json};

#[derive(serde::Serialize, serde::Deserialize)]
struct Pending {
    format: u64,
    epoch: u64,
}

const FORMAT: u64 = 1;

/// Notes that the commit of an epoch begins.
pub(super) fn set(folder: &Path, epoch: u64) -> Result<(), CheckpointError> {
    write_json(&file(folder), &Pending { format: FORMAT, epoch })
}

/// The epoch that is noted, if there is one.
pub(super) fn get(folder: &Path) -> Result<Option<u64>, CheckpointError> {
    let file = file(folder);
    if !file.exists() {
        return Ok(None);
    }
    read_json(&file, FORMAT).map(|pending: Pending| Some(pending.epoch))
}

/// Notes that it is known.
pub(super) fn clear(folder: &Path) -> Result<(), CheckpointError> {
    let file = file(folder);
    match fs::remove_file(&file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(CheckpointError::io(&file)(error))
        }
        _ => Ok(()),
    }
}

fn file(folder: &Path) -> PathBuf {
    folder.join("pending.json")
}

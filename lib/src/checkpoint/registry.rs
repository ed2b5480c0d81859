//! Which programs are the stages of the present run.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::CheckpointError;
use super::file::{numbers, read_json, write_json};

const FORMAT: u64 = 1;

/// A program that takes part in a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Member {
    pub(super) format: u64,
    /// Identity of the run.
    pub(super) run: String,
    /// The stage's name, such as `window`.
    pub(super) name: String,
    pub(super) process: u32,
    /// Whether it commits the epochs.
    pub(super) is_last: bool,
    /// Whether it has handed `start` on.
    pub(super) has_forwarded: bool,
    /// The files that it writes to beside its output: device and inode.
    #[serde(default)]
    pub(super) side_files: Vec<(u64, u64)>,
}

impl Member {
    pub(super) fn new(run: &str, name: &str, is_last: bool) -> Self {
        let (run, name) = (run.to_owned(), name.to_owned());
        let process = std::process::id();
        Self {
            format: FORMAT,
            run,
            name,
            process,
            is_last,
            has_forwarded: false,
            side_files: vec![],
        }
    }

    /// Writes it down for the stage with that number.
    pub(super) fn register(&self, folder: &Path, number: u32) -> Result<(), CheckpointError> {
        write_json(&file(folder, number), self)
    }

    pub(super) fn describe(&self) -> String {
        format!("{} (process {})", self.name, self.process)
    }
}

/// Those of the folder that are there, with their numbers.
pub(super) fn members(folder: &Path) -> Result<Vec<(u32, Member)>, CheckpointError> {
    let mut members = Vec::new();
    for number in numbers(folder, "stage.", "")? {
        let Ok(number) = u32::try_from(number) else { continue };
        // One that is just being made, or was never finished, is nobody yet.
        if let Ok(member) = read_json(&file(folder, number), FORMAT) {
            members.push((number, member));
        }
    }
    Ok(members)
}

/// The file that the stage with that number keeps locked while it is there.
pub(super) fn lock_file(folder: &Path, number: u32) -> PathBuf {
    stage_folder(folder, number).join("lock")
}

/// Whether the stage with that number is no longer there.
pub(super) fn is_gone(folder: &Path, number: u32) -> bool {
    let file = File::open(lock_file(folder, number));
    // Let go of at once, should it be free.
    file.is_ok_and(|file| file.try_lock_shared().is_ok())
}

/// Those that are still there, in words.
pub(super) fn survivors(folder: &Path) -> String {
    let alive = members(folder).unwrap_or_default().into_iter();
    let alive = alive.filter(|(number, _)| !is_gone(folder, *number));
    let names: Vec<_> = alive.map(|(_, member)| member.describe()).collect();
    if names.is_empty() { "another process".to_owned() } else { names.join(", ") }
}

fn file(folder: &Path, number: u32) -> PathBuf {
    stage_folder(folder, number).join("run")
}

/// The folder of the stage with that number, made if it is not there.
pub(super) fn open_stage(folder: &Path, number: u32) -> Result<PathBuf, CheckpointError> {
    let path = stage_folder(folder, number);
    fs::create_dir_all(&path).map_err(CheckpointError::io(&path))?;
    Ok(path)
}

pub(super) fn stage_folder(folder: &Path, number: u32) -> PathBuf {
    folder.join(format!("stage.{number}"))
}

//! Which epochs are whole.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::CheckpointError;
use super::file::{numbers, read_json, replace, write_json};

/// An epoch that is whole: all stages have kept their state, and the output is
/// durable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    format: u64,
    /// Number of the epoch; 0 is the beginning.
    pub epoch: u64,
    /// Number of the last stage.
    pub stage: u32,
    /// Length of the output, if it is a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<u64>,
    /// Checksum of its last bytes, by which it is known again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tail: Option<String>,
}

impl Commit {
    /// An epoch, committed by the stage with that number.
    pub fn new(epoch: u64, stage: u32, output: Option<u64>) -> Self {
        Self { format: FORMAT, epoch, stage, output, tail: None }
    }

    /// The same with the checksum of the output's last bytes.
    #[must_use]
    pub fn with_tail(mut self, tail: Option<String>) -> Self {
        self.tail = tail;
        self
    }
}

const FORMAT: u64 = 1;

/// The commits of a folder, each a file of its own. The newest counts; the one
/// before is kept as a way back, should the newest epoch be damaged.
#[derive(Clone, Debug)]
pub struct Commits {
    folder: PathBuf,
}

impl Commits {
    /// Those of a checkpoint's folder.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// The number of the committed epoch; `None` before the first.
    ///
    /// # Errors
    ///
    /// Fails if the folder cannot be read.
    pub fn newest(&self) -> Result<Option<u64>, CheckpointError> {
        let newest = numbers(&self.folder, "commit.", ".json")?.pop();
        if newest.is_none() && self.begun().exists() {
            let what = "an epoch was committed, and no file says which";
            return Err(CheckpointError::damaged(&self.file(0), what));
        }
        Ok(newest)
    }

    /// There once an epoch has been committed.
    fn begun(&self) -> PathBuf {
        self.folder.join("begun")
    }

    /// The commit of an epoch.
    ///
    /// # Errors
    ///
    /// Fails if it is not there, or not as it was written.
    pub fn load(&self, epoch: u64) -> Result<Commit, CheckpointError> {
        let file = self.file(epoch);
        let commit: Commit = read_json(&file, FORMAT)?;
        if commit.epoch != epoch {
            return Err(CheckpointError::damaged(&file, "it is of another epoch"));
        }
        Ok(commit)
    }

    /// Commits an epoch. From here on a restart goes back to it.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be written.
    pub fn save(&self, commit: &Commit) -> Result<(), CheckpointError> {
        write_json(&self.file(commit.epoch), commit)?;
        if !self.begun().exists() {
            replace(&self.begun(), &[])?;
        }
        for old in numbers(&self.folder, "commit.", ".json")? {
            if old + 1 < commit.epoch {
                // One that stays is removed the next time.
                let _ = fs::remove_file(self.file(old));
            }
        }
        Ok(())
    }

    fn file(&self, epoch: u64) -> PathBuf {
        self.folder.join(format!("commit.{epoch}.json"))
    }
}

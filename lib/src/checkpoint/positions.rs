//! Where the sources stood at the end of each epoch.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::commit::Commits;
use super::file::{numbers, read_json, write_json};
use super::{CheckpointError, Directory};
use crate::source::Position;

/// The positions of the sources, by epoch.
///
/// A file for an epoch is two lines: the positions as JSON, and their FNV-1a
/// hash. Files of epochs older than the committed one are removed, but for
/// the one before.
#[derive(Clone, Debug)]
pub struct Positions {
    directory: Arc<Directory>,
    /// The epoch to go on from.
    epoch: u64,
}

/// What is written down.
#[derive(Debug, Serialize, Deserialize)]
struct Saved {
    format: u64,
    epoch: u64,
    #[serde(default)]
    files: Vec<Position>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    partitions: Vec<PartitionPosition>,
}

/// How far a partition of a topic has been read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionPosition {
    /// Name of the topic.
    pub topic: String,
    /// Number of the partition.
    pub partition: i32,
    /// Offset of the next message.
    pub offset: i64,
    /// Offset before which this run ends, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<i64>,
    /// The greatest event time before it, where partitions are merged by time,
    /// in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<i64>,
}

const FORMAT: u64 = 1;

impl Positions {
    /// Those kept in a folder; the run goes on from `epoch`.
    pub fn new(directory: Arc<Directory>, epoch: u64) -> Self {
        Self { directory, epoch }
    }

    /// The positions in files of the epoch; `None` at the very beginning.
    ///
    /// # Errors
    ///
    /// Fails if they cannot be read, or are not as they were written: going on
    /// from others would lose lines or repeat them.
    pub fn load(&self) -> Result<Option<Vec<Position>>, CheckpointError> {
        let saved = self.saved()?;
        if saved.as_ref().is_some_and(|saved| !saved.partitions.is_empty()) {
            return Err(self.of_another("Kafka"));
        }
        Ok(saved.map(|saved| saved.files))
    }

    /// The positions in partitions of the epoch; `None` at the very beginning.
    ///
    /// # Errors
    ///
    /// See [`load`](Self::load).
    pub fn load_partitions(&self) -> Result<Option<Vec<PartitionPosition>>, CheckpointError> {
        let saved = self.saved()?;
        if saved.as_ref().is_some_and(|saved| !saved.files.is_empty()) {
            return Err(self.of_another("files"));
        }
        Ok(saved.map(|saved| saved.partitions))
    }

    fn saved(&self) -> Result<Option<Saved>, CheckpointError> {
        let file = self.file(self.epoch);
        if self.epoch == 0 && !file.exists() {
            return Ok(None);
        }
        let saved: Saved = read_json(&file, FORMAT)?;
        if saved.epoch != self.epoch {
            return Err(CheckpointError::damaged(&file, "it is of another epoch"));
        }
        Ok(Some(saved))
    }

    fn of_another(&self, source: &str) -> CheckpointError {
        let path = self.directory.path().to_owned();
        let what = format!("it holds the positions of a run that read {source}");
        CheckpointError::Changed { path, what }
    }

    /// Keeps the positions in files of an epoch.
    ///
    /// # Errors
    ///
    /// Fails if they cannot be written.
    pub fn save(&mut self, epoch: u64, files: &[Position]) -> Result<(), CheckpointError> {
        let (files, partitions) = (files.to_vec(), Vec::new());
        self.write(&Saved { format: FORMAT, epoch, files, partitions })
    }

    /// Keeps the positions in partitions of an epoch.
    ///
    /// # Errors
    ///
    /// Fails if they cannot be written.
    pub fn save_partitions(
        &mut self,
        epoch: u64,
        partitions: Vec<PartitionPosition>,
    ) -> Result<(), CheckpointError> {
        self.write(&Saved { format: FORMAT, epoch, files: Vec::new(), partitions })
    }

    fn write(&mut self, saved: &Saved) -> Result<(), CheckpointError> {
        write_json(&self.file(saved.epoch), saved)?;
        let committed = Commits::new(self.directory.path()).newest()?.unwrap_or(0);
        let kept = numbers(self.directory.path(), "positions.", ".json")?;
        for old in kept.into_iter().filter(|old| old + 1 < committed) {
            // One that stays is removed the next time.
            let _ = fs::remove_file(self.file(old));
        }
        Ok(())
    }

    fn file(&self, epoch: u64) -> PathBuf {
        self.directory.path().join(format!("positions.{epoch}.json"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::Commit;

    #[test]
    fn the_committed_epoch_counts_and_damage_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let directory = Arc::new(Directory::open(folder.path(), |_| {}).unwrap());
        let of = |epoch| Positions::new(Arc::clone(&directory), epoch);
        assert_eq!(of(0).load().unwrap(), None);
        let commits = Commits::new(folder.path());
        for epoch in [0, 1, 2, 9, 10] {
            of(0).save(epoch, &[]).unwrap();
            commits.save(&Commit::new(epoch, 3, None)).unwrap();
        }
        of(0).save(11, &[]).unwrap();
        assert_eq!(of(10).load().unwrap(), Some(vec![]));
        let kept = numbers(folder.path(), "positions.", ".json").unwrap();
        assert_eq!(kept, [9, 10, 11], "older ones are removed");
        let file = of(10).file(10);
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text.replace("10", "11")).unwrap();
        let error = of(10).load().unwrap_err().to_string();
        assert!(error.contains("positions.10.json") && error.contains("checksum"), "{error}");
        assert!(error.contains("commit.10.json"), "{error}");
    }
}

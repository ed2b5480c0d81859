//! Where the sources stood at the end of each epoch.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::directory::{CheckpointError, Directory, replace};
use crate::checksum::fnv1a;
use crate::source::Position;
use crate::stream::StageError;

/// The positions of the sources, by epoch.
///
/// A file for an epoch is two lines: the positions as JSON, and their FNV-1a
/// hash. Files of older epochs are removed once a newer one is safe, but for
/// the one before.
#[derive(Clone, Debug)]
pub struct Positions {
    directory: Arc<Directory>,
}

/// What is written down.
#[derive(Debug, Serialize, Deserialize)]
struct Saved {
    format: u32,
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

const FORMAT: u32 = 1;

impl Positions {
    /// Those kept in a folder.
    pub fn new(directory: Arc<Directory>) -> Self {
        Self { directory }
    }

    /// The newest epoch with positions.
    ///
    /// # Errors
    ///
    /// Fails if the folder cannot be read.
    pub fn newest(&self) -> Result<Option<u64>, CheckpointError> {
        Ok(self.epochs()?.into_iter().max())
    }

    /// The positions in files of the newest epoch, if there is one.
    ///
    /// # Errors
    ///
    /// Fails if they cannot be read, or are not as they were written: going on
    /// from others would lose lines or repeat them.
    pub fn load(&self) -> Result<Option<Vec<Position>>, StageError> {
        let saved = self.saved()?;
        if saved.as_ref().is_some_and(|saved| !saved.partitions.is_empty()) {
            return Err(self.of_another("Kafka"));
        }
        Ok(saved.map(|saved| saved.files))
    }

    /// The positions in partitions of the newest epoch, if there is one.
    ///
    /// # Errors
    ///
    /// See [`load`](Self::load).
    pub fn load_partitions(&self) -> Result<Option<Vec<PartitionPosition>>, StageError> {
        let saved = self.saved()?;
        if saved.as_ref().is_some_and(|saved| !saved.files.is_empty()) {
            return Err(self.of_another("files"));
        }
        Ok(saved.map(|saved| saved.partitions))
    }

    fn saved(&self) -> Result<Option<Saved>, StageError> {
        let load = || match self.newest()? {
            Some(epoch) => read(&self.file(epoch)).map(Some),
            None => Ok(None),
        };
        load().map_err(|error| failed(&error))
    }

    fn of_another(&self, source: &str) -> StageError {
        let path = self.directory.path().display();
        StageError::Failed(format!(
            "{path} holds the positions of a run that read {source}: use that command line, or \
             another folder"
        ))
    }

    /// Keeps the positions in files of an epoch.
    ///
    /// # Errors
    ///
    /// Fails if they cannot be written.
    pub fn save(&mut self, epoch: u64, files: &[Position]) -> Result<(), StageError> {
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
    ) -> Result<(), StageError> {
        self.write(&Saved { format: FORMAT, epoch, files: Vec::new(), partitions })
    }

    fn write(&mut self, saved: &Saved) -> Result<(), StageError> {
        let epoch = saved.epoch;
        let file = self.file(epoch);
        let write = |source| StageError::Write { to: file.display().to_string(), source };
        let text = serde_json::to_string(saved).map_err(|error| write(error.into()))?;
        let hash = fnv1a(text.as_bytes());
        replace(&file, format!("{text}\n{hash:016x}\n").as_bytes()).map_err(write)?;
        let epochs = self.epochs().map_err(|error| failed(&error))?;
        for old in epochs.into_iter().filter(|old| old + 1 < epoch) {
            // One that stays is removed the next time.
            let _ = fs::remove_file(self.file(old));
        }
        Ok(())
    }

    fn file(&self, epoch: u64) -> PathBuf {
        self.directory.path().join(format!("positions.{epoch}.json"))
    }

    fn epochs(&self) -> Result<Vec<u64>, CheckpointError> {
        let path = self.directory.path();
        let mut epochs = Vec::new();
        for entry in fs::read_dir(path).map_err(CheckpointError::io(path))? {
            let name = entry.map_err(CheckpointError::io(path))?.file_name();
            let name = name.to_string_lossy();
            let number =
                name.strip_prefix("positions.").and_then(|rest| rest.strip_suffix(".json"));
            epochs.extend(number.and_then(|number| number.parse::<u64>().ok()));
        }
        Ok(epochs)
    }
}

fn read(path: &Path) -> Result<Saved, CheckpointError> {
    let damaged = |what: String| CheckpointError::Damaged { path: path.to_owned(), what };
    let text = fs::read_to_string(path).map_err(CheckpointError::io(path))?;
    let (json, hash) = text
        .trim_end()
        .rsplit_once('\n')
        .ok_or_else(|| damaged("it has no second line".to_owned()))?;
    if u64::from_str_radix(hash, 16) != Ok(fnv1a(json.as_bytes())) {
        return Err(damaged("its checksum is wrong".to_owned()));
    }
    let saved: Saved = serde_json::from_str(json).map_err(|error| damaged(error.to_string()))?;
    if saved.format != FORMAT {
        let (format, known) = (saved.format, FORMAT);
        return Err(damaged(format!("it is in format {format}, and this version knows {known}")));
    }
    Ok(saved)
}

/// An error with its cause, in words.
fn failed(error: &CheckpointError) -> StageError {
    let cause =
        std::error::Error::source(error).map_or(String::new(), |cause| format!(": {cause}"));
    StageError::Failed(format!("{error}{cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_epoch_counts_and_damage_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let directory = Arc::new(Directory::open(folder.path()).unwrap());
        let mut positions = Positions::new(directory);
        assert_eq!((positions.newest().unwrap(), positions.load().unwrap()), (None, None));
        for epoch in [1, 2, 9, 10] {
            positions.save(epoch, &[]).unwrap();
        }
        assert_eq!(
            (positions.newest().unwrap(), positions.load().unwrap()),
            (Some(10), Some(vec![]))
        );
        assert_eq!(positions.epochs().unwrap().len(), 2, "older ones are removed");
        let file = positions.file(10);
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text.replace("10", "11")).unwrap();
        let error = positions.load().unwrap_err().to_string();
        assert!(error.contains("positions.10.json") && error.contains("checksum"), "{error}");
    }

    #[test]
    fn a_folder_belongs_to_one() {
        let folder = tempfile::tempdir().unwrap();
        let first = Directory::open(folder.path()).unwrap();
        assert!(matches!(Directory::open(folder.path()), Err(CheckpointError::Locked(_))));
        let line = first.line.clone();
        drop(first);
        assert_eq!(Directory::open(folder.path()).unwrap().line, line);
    }
}

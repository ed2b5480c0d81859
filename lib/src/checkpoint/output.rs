//! The output behind the last stage, known again and cut to what is committed.

use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::CheckpointError;
use super::commit::{Commit, Commits};
use crate::checksum::fnv1a;

/// How messages name it.
pub(super) const STDOUT: &str = "stdout";
/// How much of its end it is known by.
const TAIL: u64 = 4096;

/// What is behind a stage.
#[derive(Debug)]
pub enum Role {
    /// Another stage.
    Inner,
    /// A file, opened for appending: it is cut to what is committed at a restart.
    File(File),
    /// Something that is no stage and takes what comes, which may come again
    /// after a restart.
    Foreign,
}

impl Role {
    /// The commit of an epoch by the stage with that number, with the output as
    /// it is.
    pub(super) fn commit(&self, epoch: u64, number: u32) -> Result<Commit, CheckpointError> {
        let Self::File(file) = self else { return Ok(Commit::new(epoch, number, None)) };
        let length = length(file)?;
        Ok(Commit::new(epoch, number, Some(length)).with_tail(tail(file, length)))
    }

    /// Brings the output of the stage with that number, called `stage`, back to
    /// where it was at the end of an epoch; commits the beginning before anything
    /// is written. Not to be called where another stage is behind.
    pub(super) fn bring_back(
        &self,
        folder: &Path,
        epoch: u64,
        number: u32,
        stage: &str,
    ) -> Result<(), CheckpointError> {
        let commits = Commits::new(folder);
        if commits.newest()?.is_none() {
            return commits.save(&self.commit(0, number)?);
        }
        let changed = |what: String| CheckpointError::Changed { path: folder.to_owned(), what };
        let commit = commits.load(epoch)?;
        if commit.stage != number {
            let then = commit.stage;
            let what = format!("its last stage was number {then}, and {stage} is number {number}");
            return Err(changed(what));
        }
        match (self, commit.output) {
            (Self::File(file), Some(committed)) => cut(file, committed, commit.tail.as_deref()),
            (Self::File(_), None) => Err(changed("its output was no file, and is one".to_owned())),
            _ => Ok(()),
        }
    }
}

/// Cuts a file to what is committed, if it is the one.
fn cut(file: &File, committed: u64, known_by: Option<&str>) -> Result<(), CheckpointError> {
    let present = length(file)?;
    if present < committed {
        return Err(CheckpointError::Other(format!(
            "the output holds {present} bytes, but {committed} are committed: it was emptied \
             (append with >>) or is another file. Bring it back, or begin anew with \
             `ingest --reset`"
        )));
    }
    if known_by.is_some_and(|known| tail(file, committed).is_none_or(|tail| tail != known)) {
        return Err(CheckpointError::Other(
            "the output is not the file that the run before wrote to: give that one, or begin anew \
             with `ingest --reset`"
                .to_owned(),
        ));
    }
    if present == committed {
        return Ok(());
    }
    file.set_len(committed).map_err(CheckpointError::io(Path::new(STDOUT)))
}

fn length(file: &File) -> Result<u64, CheckpointError> {
    Ok(file.metadata().map_err(CheckpointError::io(Path::new(STDOUT)))?.len())
}

/// The checksum of the last bytes of the first `length` ones; `None` where the
/// system does not let us read what we append to.
fn tail(file: &File, length: u64) -> Option<String> {
    let readable = File::open(format!("/proc/self/fd/{}", file.as_raw_fd())).ok()?;
    let begin = length.saturating_sub(TAIL);
    let mut bytes = vec![0; usize::try_from(length - begin).ok()?];
    readable.read_exact_at(&mut bytes, begin).ok()?;
    Some(format!("{:016x}", fnv1a(&bytes)))
}

//! What can be wrong with a checkpoint.

use std::io;
use std::path::{Path, PathBuf};

use crate::stream::{RestoreError, StageError};

/// Why a checkpoint cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The system refused something.
    #[error("cannot use {path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others work with it.
    #[error("{path} is in use by {holders}; a folder belongs to one line of stages")]
    InUse {
        /// The folder.
        path: PathBuf,
        /// Who they are.
        holders: String,
    },
    /// A file is not as it was written.
    #[error("{path} is damaged ({what}). {}", hint(path))]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A file was written by a newer version.
    #[error(
        "{path} is in format {format}, and this version knows those up to {known}: use the newer version"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        format: u64,
        /// The newest format that is known.
        known: u64,
    },
    /// What was kept is of another command line.
    #[error(
        "{path} was written by another command line: {what}. Use the old one, another folder, or \
         begin anew with `ingest --reset`"
    )]
    Changed {
        /// The folder.
        path: PathBuf,
        /// How they differ.
        what: String,
    },
    /// Anything else, in words for the user.
    #[error("{0}")]
    Other(String),
}

impl CheckpointError {
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        |source| Self::Io { path, source: plain(source) }
    }

    pub(super) fn damaged(path: &Path, what: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_owned(), what: what.into() }
    }

    pub(super) fn restore(path: &Path, error: RestoreError) -> Self {
        match error {
            RestoreError::Damaged(what) => Self::damaged(path, what),
            RestoreError::Mismatch(what) => Self::Changed { path: path.to_owned(), what },
        }
    }
}

impl From<CheckpointError> for StageError {
    fn from(error: CheckpointError) -> Self {
        Self::Failed(error.to_string())
    }
}

/// What to do about a damaged file.
fn hint(damaged: &Path) -> String {
    let name = damaged.file_name().unwrap_or_default().to_string_lossy();
    let is_number =
        |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let epoch = name.split('.').find(is_number).filter(|epoch| *epoch != "0");
    let Some(epoch) = epoch else {
        return "Take it from a copy, or begin anew with `ingest --reset`".to_owned();
    };
    let folder = damaged.ancestors().nth(if name.starts_with("state.") { 2 } else { 1 });
    let commit = folder.unwrap_or(damaged).join(format!("commit.{epoch}.json"));
    format!(
        "Take it from a copy, remove {} to go on from the epoch before, or begin anew with \
         `ingest --reset`",
        commit.display()
    )
}

/// The system's words without its number.
fn plain(error: io::Error) -> io::Error {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(at) => io::Error::new(error.kind(), text[..at].to_owned()),
        None => error,
    }
}

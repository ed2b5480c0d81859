//! The folder of a checkpoint.

use std::fs::{self, File, TryLockError};
use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Why a checkpoint cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The system refused something.
    #[error("cannot use {path}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another `ingest` works with it.
    #[error("{0} is in use by another ingest; a folder belongs to one pipeline")]
    Locked(PathBuf),
    /// A file is not as it was written.
    #[error(
        "{path} is damaged ({what}); remove it to go on from the epoch before, or the folder to begin anew"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
}

impl CheckpointError {
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        |source| Self::Io { path, source }
    }
}

/// A checkpoint's folder, locked for this process.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    /// Identity of the pipeline, the same in all its runs.
    pub line: String,
    /// Holds the lock until it is dropped.
    _lock: File,
}

impl Directory {
    /// Takes hold of a folder, which is made if it is not there.
    ///
    /// # Errors
    ///
    /// Fails if another process has it, or it cannot be written to.
    pub fn open(path: &Path) -> Result<Self, CheckpointError> {
        fs::create_dir_all(path).map_err(CheckpointError::io(path))?;
        let lock_path = path.join("lock");
        let lock = File::options().create(true).truncate(false).write(true).open(&lock_path);
        let lock = lock.map_err(CheckpointError::io(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(CheckpointError::Locked(path.to_owned()));
            }
            Err(TryLockError::Error(source)) => {
                return Err(CheckpointError::io(&lock_path)(source));
            }
        }
        let line = identity(&path.join("line"))?;
        Ok(Self { path: path.to_owned(), line, _lock: lock })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Reads a pipeline's identity, or makes one.
fn identity(path: &Path) -> Result<String, CheckpointError> {
    match fs::read_to_string(path) {
        Ok(text) if is_identity(text.trim_end()) => Ok(text.trim_end().to_owned()),
        Ok(_) => Err(CheckpointError::Damaged {
            path: path.to_owned(),
            what: "it should hold 16 hexadecimal digits".to_owned(),
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let line = random_id();
            replace(path, format!("{line}\n").as_bytes()).map_err(CheckpointError::io(path))?;
            Ok(line)
        }
        Err(source) => Err(CheckpointError::io(path)(source)),
    }
}

fn is_identity(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Sixteen hexadecimal digits that nobody else has. The standard library seeds
/// its hash maps from the system's random numbers.
pub fn random_id() -> String {
    format!("{:016x}", RandomState::new().hash_one(std::process::id()))
}

/// Writes a file so that after a crash it has its old content or the new one,
/// whole.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("tmp");
    let mut file = File::create(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    // The new name is in the folder, which is a file of its own.
    File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

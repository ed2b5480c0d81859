//! The folder of a checkpoint, as `ingest` holds it.

use std::fs::{self, File};
use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::CheckpointError;
use super::commit::Commits;
use super::file::{numbers, replace};
use super::lock::{PATIENCE, Share, leak, lock};
use super::pending;
use super::registry::survivors;
use crate::line::{Control, Start};

/// How long the last stage may take to ask its broker.
const ANSWER: Duration = Duration::from_secs(120);
/// How often to look for its answer.
const LOOK: Duration = Duration::from_millis(10);

/// A checkpoint's folder, locked for this process.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    /// Identity of the line, the same in all its runs.
    pub line: String,
    /// Identity of this run.
    pub run: String,
    /// Holds the lock until it is dropped.
    lock: File,
}

impl Directory {
    /// Takes hold of a folder, which is made if it is not there, and begins a
    /// run: no stage of an earlier one is left. If some are, `wait` is told who
    /// they are, once.
    ///
    /// # Errors
    ///
    /// Fails if other processes do not let go of it, or it cannot be written to.
    pub fn open(path: &Path, wait: impl Fn(&str)) -> Result<Self, CheckpointError> {
        Self::open_within(path, PATIENCE, wait)
    }

    fn open_within(
        path: &Path,
        patience: Duration,
        wait: impl Fn(&str),
    ) -> Result<Self, CheckpointError> {
        fs::create_dir_all(path).map_err(CheckpointError::io(path))?;
        let wait = || {
            wait(&format!(
                "{} is in use by {}: waiting up to {} s for it",
                path.display(),
                survivors(path),
                patience.as_secs()
            ));
        };
        let hold = |name: &str| {
            let held = lock(&path.join(name), Share::Exclusive, patience, wait)?;
            held.ok_or_else(|| in_use(path))
        };
        let whole = hold("lock")?;
        let stages = hold("stages")?;
        let line = identity(path)?;
        let run = random_id();
        replace(&path.join("run"), &[format!("{run}\n").as_bytes()])?;
        drop(stages);
        Ok(Self { path: path.to_owned(), line, run, lock: whole })
    }

    /// Keeps the lock until the process ends, also when this is dropped: what is
    /// written last must not meet another run.
    ///
    /// # Errors
    ///
    /// Fails if the system does.
    pub fn hold_until_exit(&self) -> Result<(), CheckpointError> {
        leak(&self.lock).map_err(CheckpointError::io(&self.path))
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The epoch that the run goes on from; 0 is the beginning.
    ///
    /// # Errors
    ///
    /// Fails if the folder cannot be read, or what it says was committed is
    /// damaged.
    pub fn epoch(&self) -> Result<u64, CheckpointError> {
        let commits = Commits::new(&self.path);
        match commits.newest()? {
            Some(epoch) => Ok(commits.load(epoch)?.epoch),
            None => Ok(0),
        }
    }

    /// Has the last stage find out whether an epoch was committed whose commit had
    /// begun when the run before ended: writes a `start` to `stream` that asks
    /// for it, and waits for the answer, as long as the stream `is_read`. Where
    /// `ingest` itself `is_last`, nobody can tell.
    ///
    /// # Errors
    ///
    /// Fails if there is no answer.
    pub fn resolve(
        &self,
        stream: &mut impl Write,
        is_last: bool,
        is_read: impl Fn() -> bool,
    ) -> Result<(), CheckpointError> {
        let Some(pending) = pending::get(&self.path)? else { return Ok(()) };
        if is_last {
            let what = format!("`emit` was committing epoch {pending}, and is no longer there");
            return Err(CheckpointError::Changed { path: self.path.clone(), what });
        }
        let (line, run) = (Some(self.line.clone()), Some(self.run.clone()));
        let ask = Start { line, run, epoch: Some(self.epoch()?), pending: Some(pending), stage: 1 };
        let mut text = Vec::new();
        Control::Start(ask).write(&mut text);
        text.push(b'\n');
        let asked = stream.write_all(&text).and_then(|()| stream.flush());
        asked.map_err(CheckpointError::io(Path::new("stdout")))?;
        let deadline = Instant::now() + ANSWER;
        while pending::get(&self.path)?.is_some() {
            if !is_read() {
                let text = "the stage behind this one has gone before it could ask whether the last \
                            epoch was committed";
                return Err(CheckpointError::Other(text.to_owned()));
            }
            if Instant::now() >= deadline {
                return Err(CheckpointError::Other(format!(
                    "the last stage has not found out in {} s whether epoch {pending} was committed",
                    ANSWER.as_secs()
                )));
            }
            thread::sleep(LOOK);
        }
        Ok(())
    }

    /// Forgets everything, to begin anew.
    ///
    /// # Errors
    ///
    /// Fails if a file cannot be removed.
    pub fn reset(&mut self) -> Result<(), CheckpointError> {
        let remove = |name: String| {
            let path = self.path.join(name);
            let removed =
                if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            match removed {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    Err(CheckpointError::io(&path)(error))
                }
                _ => Ok(()),
            }
        };
        // Without commits nothing else counts, so they go first and the newest of them last. Should
        // this be broken off then, the folder says that it is damaged, and can be reset again.
        for epoch in numbers(&self.path, "commit.", ".json")? {
            remove(format!("commit.{epoch}.json"))?;
        }
        remove("begun".to_owned())?;
        for epoch in numbers(&self.path, "positions.", ".json")? {
            remove(format!("positions.{epoch}.json"))?;
        }
        for number in numbers(&self.path, "stage.", "")? {
            remove(format!("stage.{number}"))?;
        }
        remove("pending.json".to_owned())?;
        remove("line".to_owned())?;
        self.line = identity(&self.path)?;
        Ok(())
    }
}

/// The error of a folder that others hold.
pub(super) fn in_use(path: &Path) -> CheckpointError {
    CheckpointError::InUse { path: path.to_owned(), holders: survivors(path) }
}

/// Reads a file of one word; `None` if it is not there.
pub(super) fn read(folder: &Path, name: &str) -> Result<Option<String>, CheckpointError> {
    let path = folder.join(name);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text.trim_end().to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(CheckpointError::io(&path)(source)),
    }
}

/// Reads a line's identity, or makes one.
fn identity(folder: &Path) -> Result<String, CheckpointError> {
    let path = folder.join("line");
    match read(folder, "line")? {
        Some(line) if is_identity(&line) => Ok(line),
        Some(_) => Err(CheckpointError::damaged(&path, "it should hold 16 hexadecimal digits")),
        None => {
            let line = random_id();
            replace(&path, &[format!("{line}\n").as_bytes()])?;
            Ok(line)
        }
    }
}

fn is_identity(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Sixteen hexadecimal digits that nobody else has. The standard library seeds
/// its hash maps from the system's random numbers.
fn random_id() -> String {
    format!("{:016x}", RandomState::new().hash_one(std::process::id()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_belongs_to_one() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Directory::open_within(folder.path(), Duration::ZERO, |_| {});
        let first = open().unwrap();
        assert!(matches!(open(), Err(CheckpointError::InUse { .. })));
        let (line, run) = (first.line.clone(), first.run.clone());
        drop(first);
        let second = open().unwrap();
        assert_eq!(second.line, line);
        assert_ne!(second.run, run);
    }
}

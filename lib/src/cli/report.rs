//! Statistics and the closing summary.

use std::fs::{self, File, Permissions};
use std::io::{self, IsTerminal as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::summary::{Hints, summary};
use super::{say, terminal};
use crate::source;
use crate::stream::{Moment, Operator, Output, Owner, StageError, Stats};
use crate::time::TimeDelta;

/// Who wants to know the figures, and when.
#[derive(Debug)]
pub(super) struct Report {
    stage: String,
    pipeline: Option<String>,
    begun: Instant,
    file: Option<PathBuf>,
    every: Option<Duration>,
    due: Option<Instant>,
    hints: Hints,
}

impl Report {
    pub(super) fn new(
        Owner { stage, pipeline }: Owner<'_>,
        file: Option<PathBuf>,
        every: Option<TimeDelta>,
        hints: Hints,
    ) -> Self {
        let begun = Instant::now();
        let every = every.map(|every| Duration::from_micros(every.micros.max(1) as u64));
        let due = every.map(|every| begun + every);
        let pipeline = pipeline.filter(|name| !name.is_empty()).map(str::to_owned);
        Self { stage: stage.to_owned(), pipeline, begun, file, every, due, hints }
    }

    pub(super) fn stage(&self) -> &str {
        &self.stage
    }

    /// When the figures are to be written next.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    pub(super) fn is_due(&self) -> bool {
        self.due.is_some_and(|due| Instant::now() >= due)
    }

    /// Writes the figures as they stand: to a person who asks on a terminal, in
    /// words.
    pub(super) fn show(&mut self, operator: &dyn Operator, out: &Output) -> Result<(), StageError> {
        if let Some(every) = self.every {
            self.due = Some(Instant::now() + every);
        }
        let mut stats = out.stats.clone();
        operator.stats(&mut stats);
        if self.file.is_none() && terminal::is_drawable() {
            self.summarise(&stats);
            return Ok(());
        }
        self.write(&stats, false)
    }

    fn write(&self, stats: &Stats, is_done: bool) -> Result<(), StageError> {
        let owner = Owner { stage: &self.stage, pipeline: self.pipeline.as_deref() };
        let moment =
            Moment { now: source::now(), seconds: self.begun.elapsed().as_secs_f64(), is_done };
        let file = match &self.file {
            Some(file) if file != Path::new("-") => file,
            _ => {
                let text = stats.to_json(owner, moment);
                let text = format!("{}{text}", terminal::before_message());
                // There is nobody to tell that stderr is closed.
                let _ = io::stderr().write_all(text.as_bytes());
                return Ok(());
            }
        };
        let result = if file.extension().is_some_and(|extension| extension == "prom") {
            replace(file, stats.to_prometheus(owner, moment).as_bytes())
        } else {
            write_whole(file, stats.to_json(owner, moment).as_bytes())
        };
        result.map_err(|source| StageError::Write { to: file.display().to_string(), source })
    }

    /// Writes the figures of a run that has failed, if `--stats` was given.
    pub(super) fn write_failed(&self, stats: &Stats) -> Result<(), StageError> {
        if self.file.is_some() { self.write(stats, false) } else { Ok(()) }
    }

    /// The end: figures for `--stats`, and a summary for people where there is
    /// one looking, or something was lost.
    pub(super) fn close(&self, stats: &Stats, is_done: bool) -> Result<(), StageError> {
        if self.file.is_some() {
            self.write(stats, is_done)?;
        }
        if io::stderr().is_terminal() || stats.has_losses() {
            self.summarise(stats);
        }
        Ok(())
    }

    fn summarise(&self, stats: &Stats) {
        let lines = summary(stats, self.hints, self.begun.elapsed().as_secs_f64());
        // In one message, or those of other stages could come in between.
        say(&self.stage, &lines.join(&format!("\n{}: ", self.stage)));
    }
}

/// Writes a file so that a reader sees the old content or the new, whole, as
/// far as that can be: what is no regular file, such as `/dev/fd/3`, cannot be
/// replaced, and neither can a file in a folder that is closed to us.
fn write_whole(file: &Path, text: &[u8]) -> io::Result<()> {
    let is_replaceable = match fs::metadata(file) {
        Ok(metadata) => metadata.is_file(),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    };
    // A link stays one, even one that leads nowhere, as /dev/stdout does to a file
    // that has been deleted.
    let target = fs::canonicalize(file).ok();
    let target = target.or_else(|| fs::symlink_metadata(file).is_err().then(|| file.to_owned()));
    match target.filter(|_| is_replaceable) {
        Some(target) if put_in_place(&target, text, None).is_ok() => Ok(()),
        _ => fs::write(file, text),
    }
}

/// Writes a file so that a reader sees the old content or the new, whole. All
/// may read it, whatever the umask, since readers such as `node_exporter` run
/// as a user of their own.
pub(crate) fn replace(file: &Path, text: &[u8]) -> io::Result<()> {
    put_in_place(file, text, Some(Permissions::from_mode(0o644)))
}

/// Puts a new file in the place of an old one; its permissions are those given,
/// or else those of the old one, or what the umask leaves.
fn put_in_place(file: &Path, text: &[u8], permissions: Option<Permissions>) -> io::Result<()> {
    let mut beside = file.as_os_str().to_owned();
    beside.push(format!(".{}.tmp", std::process::id()));
    let beside = PathBuf::from(beside);
    let permissions =
        permissions.or_else(|| fs::metadata(file).ok().map(|metadata| metadata.permissions()));
    let written = File::create(&beside).and_then(|mut handle| {
        handle.write_all(text)?;
        if let Some(permissions) = permissions {
            handle.set_permissions(permissions)?;
        }
        handle.sync_all()?;
        fs::rename(&beside, file)
    });
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written
}

/// Writes a file as a whole, so that a reader sees the old content or the new.
/// What is no file, such as `/dev/stdout`, is written to as it is.
pub fn file_writer(path: PathBuf) -> impl FnMut(&[u8]) -> Result<(), StageError> {
    move |text| {
        write_whole(&path, text)
            .map_err(|source| StageError::Write { to: path.display().to_string(), source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.prom");
        replace(&file, b"one").unwrap();
        replace(&file, b"two").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "two");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o644);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_link_stays_one_and_permissions_stay() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("x.json"), folder.path().join("link"));
        write_whole(&file, b"one").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        write_whole(&link, b"two").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "two");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
        write_whole(Path::new("/dev/null"), b"three").unwrap();
    }

    #[test]
    fn a_link_that_leads_nowhere_stays_one_too() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("new"), folder.path().join("link"));
        std::os::unix::fs::symlink(&file, &link).unwrap();
        file_writer(link.clone())(b"one").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"one");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }
}

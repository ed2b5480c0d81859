//! A file of metrics, rewritten every so often.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::UsageError;
use super::report::replace;
use crate::prometheus::Sink;
use crate::stream::StageError;

/// A file for the textfile collector of Prometheus' `node_exporter`: always
/// whole, readable by all, without timestamps, which would make the collector
/// skip it.
#[derive(Debug)]
pub struct Textfile {
    path: PathBuf,
    every: Duration,
    due: Instant,
}

impl Textfile {
    /// A file that is rewritten every `every`, at first after that long.
    ///
    /// # Errors
    ///
    /// Fails if the name does not end in `.prom` (others are not collected), or
    /// there is no such folder.
    pub fn new(path: PathBuf, every: Duration) -> Result<Self, UsageError> {
        if path.extension().is_none_or(|extension| extension != "prom") {
            let shown = path.display();
            return Err(UsageError(format!(
                "--textfile {shown}: the name must end in .prom, or node_exporter skips the file"
            )));
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
            let (shown, folder) = (path.display(), folder.display());
            return Err(UsageError(format!("--textfile {shown}: there is no folder {folder}")));
        }
        Ok(Self { path, every, due: Instant::now() + every })
    }
}

impl Sink for Textfile {
    fn due_in(&self) -> Duration {
        self.due.saturating_duration_since(Instant::now())
    }

    fn publish(&mut self, text: &[u8]) -> Result<(), StageError> {
        self.due = Instant::now() + self.every;
        replace(&self.path, text)
            .map_err(|source| StageError::Write { to: self.path.display().to_string(), source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_are_collected() {
        let every = Duration::from_secs(10);
        for (path, is_fit) in [
            ("a.prom", true),
            ("/tmp/b.prom", true),
            ("/no such/b.prom", false),
            ("a.txt", false),
            (".prom", false),
            ("", false),
        ] {
            assert_eq!(Textfile::new(path.into(), every).is_ok(), is_fit, "{path:?}");
        }
    }

    #[test]
    fn the_file_is_whole_and_next_due_later() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.prom");
        let mut file = Textfile::new(path.clone(), Duration::from_micros(1)).unwrap();
        std::thread::sleep(Duration::from_millis(1));
        assert_eq!(file.due_in(), Duration::ZERO);
        file.every = Duration::from_secs(3_600);
        file.publish(b"a 1\n").unwrap();
        assert!(file.due_in() > Duration::from_secs(3_000));
        assert_eq!(std::fs::read(&path).unwrap(), b"a 1\n");
        drop(folder);
        assert!(file.publish(b"").is_err());
    }
}

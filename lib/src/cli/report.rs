//! Statistics and the closing summary.

use std::fmt::Write as _;
use std::fs::{self, File, Permissions};
use std::io::{self, IsTerminal as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::say;
use crate::line::Reason;
use crate::stream::{Operator, Output, StageError, Stats};
use crate::time::TimeDelta;

/// Who wants to know the figures, and when.
#[derive(Debug)]
pub(super) struct Report {
    stage: String,
    begun: Instant,
    file: Option<PathBuf>,
    every: Option<Duration>,
    due: Option<Instant>,
}

impl Report {
    pub(super) fn new(stage: &str, file: Option<PathBuf>, every: Option<TimeDelta>) -> Self {
        let begun = Instant::now();
        let every = every.map(|every| Duration::from_micros(every.micros.max(1) as u64));
        let due = every.map(|every| begun + every);
        Self { stage: stage.to_owned(), begun, file, every, due }
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

    /// Writes the figures as they stand.
    pub(super) fn show(&mut self, operator: &dyn Operator, out: &Output) -> Result<(), StageError> {
        if let Some(every) = self.every {
            self.due = Some(Instant::now() + every);
        }
        let mut stats = out.stats.clone();
        operator.stats(&mut stats);
        self.write(&stats)
    }

    fn write(&self, stats: &Stats) -> Result<(), StageError> {
        let seconds = self.begun.elapsed().as_secs_f64();
        let file = match &self.file {
            Some(file) if file != Path::new("-") => file,
            _ => {
                let text = stats.to_json(&self.stage, seconds);
                // There is nobody to tell that stderr is closed.
                let _ = io::stderr().write_all(text.as_bytes());
                return Ok(());
            }
        };
        let prometheus = file.extension().is_some_and(|extension| extension == "prom");
        let result = if prometheus {
            replace(file, stats.to_prometheus(&self.stage, seconds).as_bytes())
        } else {
            fs::write(file, stats.to_json(&self.stage, seconds))
        };
        result.map_err(|source| StageError::Write { to: file.display().to_string(), source })
    }

    /// Writes the figures if `--stats` was given.
    pub(super) fn write_file(&self, stats: &Stats) -> Result<(), StageError> {
        if self.file.is_some() { self.write(stats) } else { Ok(()) }
    }

    /// The end: figures for `--stats`, and a summary for people where there is
    /// one looking, or something was lost.
    pub(super) fn close(&self, stats: &Stats) -> Result<(), StageError> {
        self.write_file(stats)?;
        if io::stderr().is_terminal() || stats.has_losses() {
            say(&self.stage, &summary(stats, self.begun.elapsed().as_secs_f64()));
        }
        Ok(())
    }
}

/// Writes a file so that a reader sees the old content or the new, whole. All
/// may read it, whatever the umask, since readers such as `node_exporter` run
/// as a user of their own.
pub(crate) fn replace(file: &Path, text: &[u8]) -> io::Result<()> {
    let mut beside = file.as_os_str().to_owned();
    beside.push(format!(".{}.tmp", std::process::id()));
    let beside = PathBuf::from(beside);
    let written = File::create(&beside).and_then(|mut handle| {
        handle.write_all(text)?;
        handle.set_permissions(Permissions::from_mode(0o644))?;
        handle.sync_all()?;
        fs::rename(&beside, file)
    });
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written
}

/// One line such as `1,000 records in, 998 out, 2 rejected (no_timestamp 2), 0.1 s`.
fn summary(stats: &Stats, seconds: f64) -> String {
    let mut text =
        format!("{} records in, {} out", grouped(stats.records_in), grouped(stats.records_out));
    if stats.rejected() > 0 {
        let reasons: Vec<String> = Reason::ALL
            .iter()
            .filter(|reason| stats.rejected[reason.index()] > 0)
            .map(|reason| format!("{reason} {}", grouped(stats.rejected[reason.index()])))
            .collect();
        let _ = write!(text, ", {} rejected ({})", grouped(stats.rejected()), reasons.join(", "));
    }
    if stats.casts_failed > 0 {
        let _ = write!(text, ", {} casts failed", grouped(stats.casts_failed));
    }
    for figure in stats.own.iter().filter(|figure| figure.count > 0) {
        let _ = write!(text, ", {} {}", grouped(figure.count), figure.name.replace('_', " "));
    }
    if let Some(window) = &stats.window {
        let mut losses = String::new();
        for (name, number) in window.totals() {
            if number > 0 && name != "aggregated" {
                let _ = write!(losses, ", {} {}", grouped(number), name.replace('_', " "));
            }
        }
        text.push_str(&losses);
        if window.queries.len() > 1 && !losses.is_empty() {
            let _ = write!(text, " (summed over {} queries)", window.queries.len());
        }
    }
    let _ = write!(text, ", {seconds:.1} s");
    text
}

/// A number with its thousands set apart.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summaries_name_losses() {
        let mut stats = Stats { records_in: 1_234_567, records_out: 12, ..Stats::default() };
        assert_eq!(summary(&stats, 0.04), "1,234,567 records in, 12 out, 0.0 s");
        stats.rejected[Reason::BadTimestamp.index()] = 2;
        assert_eq!(
            summary(&stats, 1.0),
            "1,234,567 records in, 12 out, 2 rejected (bad_timestamp 2), 1.0 s"
        );
    }

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
}

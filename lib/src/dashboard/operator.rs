//! The stage: rows and alerts in, a history that others look at.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::history::{Bounds, Ended, Figures, History};
use super::page;
use super::text::{Labels, write_text};
use crate::line::{Control, Line, Projection, Value};
use crate::row::{Place, RowError, RowReader, Selection, read_key};
use crate::stream::{
    Figure, Operator, Output, RestoreError, SnapshotReader, SnapshotWriter, StageError, Stats,
};
use crate::time::Timestamp;

/// A history that a stage writes and a server reads.
#[derive(Clone, Debug)]
pub struct Shared(Arc<Mutex<History>>);

impl Shared {
    /// An empty history.
    pub fn new(bounds: Bounds) -> Self {
        Self(Arc::new(Mutex::new(History::new(bounds))))
    }

    /// The history, for a moment.
    pub fn lock(&self) -> MutexGuard<'_, History> {
        // Every change leaves it fit to be looked at, even one that panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes the report, whole.
pub type ReportWriter = Box<dyn FnMut(&[u8]) -> Result<(), StageError>>;

/// Keeps rows and alerts as a history to be looked at.
pub struct Dashboard {
    rows: RowReader,
    history: Shared,
    selection: Selection,
    report: Option<ReportWriter>,
    /// Rows of this run that were not asked for.
    filtered: u64,
    /// Processing time as last told.
    now: Timestamp,
    labels: Labels,
    alert: Alert,
    key: Vec<u8>,
    value: Vec<u8>,
}

/// Where a row without a window may have its time.
const TIME: &str = "timestamp";

/// Parts of an alert, as JSON. Used again for each.
#[derive(Clone, Debug, Default)]
struct Alert {
    name: Vec<u8>,
    severity: Vec<u8>,
    field: Vec<u8>,
    value: Vec<u8>,
    reason: Vec<u8>,
    text: Vec<u8>,
}

impl Dashboard {
    /// Keeps the rows that are selected, and all alerts.
    pub fn new(history: Shared, mut selection: Selection) -> Self {
        let mut projection = Projection::default();
        selection.look_at(&mut projection);
        Self {
            rows: RowReader::new(projection, Some(TIME)).with_members(),
            history,
            selection,
            report: None,
            filtered: 0,
            now: Timestamp::EPOCH,
            labels: Labels::default(),
            alert: Alert::default(),
            key: Vec::new(),
            value: Vec::new(),
        }
    }

    /// Gives the report to `write` when the input ends.
    #[must_use]
    pub fn with_report(self, write: ReportWriter) -> Self {
        Self { report: Some(write), ..self }
    }

    /// What is kept.
    pub fn history(&self) -> &Shared {
        &self.history
    }

    fn place(&mut self, line: &[u8]) -> Result<Option<Place>, RowError> {
        match self.rows.place(line) {
            Err(RowError::NoTime) => Ok(None),
            place => place.map(Some),
        }
    }

    /// Collects the labels of the row, or of the alert, without `except`.
    fn collect_labels(&mut self, line: &[u8], except: &[&[u8]]) {
        let Self { rows, selection, labels, key, value, .. } = self;
        labels.begin(match Value::read(rows.query(), line, value) {
            Value::Str(query) => Some(query),
            _ => None,
        });
        for member in rows.members() {
            read_key(line, member.key as usize, key);
            if key == b"query" || except.contains(&key.as_slice()) {
                continue;
            }
            if let Some(text) = selection.label(key, member.value, line, value) {
                labels.push(key, text);
            }
        }
    }

    fn take_row(&mut self, line: &[u8]) -> Result<(), RowError> {
        let place = self.place(line)?;
        self.collect_labels(line, &[]);
        let Self { rows, selection, history, labels, key, now, .. } = self;
        let mut history = history.lock();
        let mut update = history.row(labels.end(), place, *now);
        // A time that is a number says where the row stands.
        let is_time = |key: &[u8]| key == TIME.as_bytes() && rows.window().is_none();
        selection.for_each_number(rows.members(), line, key, |key, number| {
            if !is_time(key) {
                update.set(key, number);
            }
        });
        Ok(())
    }

    fn take_alert(&mut self, line: &[u8]) -> Result<(), RowError> {
        let place = self.place(line)?;
        self.collect_labels(line, &[b"alert", b"severity", b"field"]);
        let Self { rows, history, labels, alert, key, value, now, .. } = self;
        alert.clear();
        for member in rows.members() {
            read_key(line, member.key as usize, key);
            let Some(part) = alert.part(key) else { continue };
            part.clear();
            if let Some(text) = Value::read(member.value, line, value).to_text() {
                write_text(&text, part);
            }
        }
        alert.write(labels.end());
        history.lock().alert(&alert.name, &alert.text, place, *now);
        Ok(())
    }

    /// The input has ended: says so, and gives out the report.
    fn close(&mut self, ended: Ended) -> Result<(), StageError> {
        self.history.lock().end(ended);
        let Some(write) = &mut self.report else { return Ok(()) };
        let text = page::report(&self.history.lock());
        write(&text)
    }
}

impl Alert {
    fn clear(&mut self) {
        for part in
            [&mut self.name, &mut self.severity, &mut self.field, &mut self.value, &mut self.reason]
        {
            part.clear();
        }
    }

    /// What is kept of the member `key`, if anything is.
    fn part(&mut self, key: &[u8]) -> Option<&mut Vec<u8>> {
        match key {
            b"alert" => Some(&mut self.name),
            b"severity" => Some(&mut self.severity),
            b"field" => Some(&mut self.field),
            b"value" => Some(&mut self.value),
            b"reason" => Some(&mut self.reason),
            _ => None,
        }
    }

    /// Makes the text of it, as JSON members.
    fn write(&mut self, labels: &[u8]) {
        let Self { name, severity, field, value, reason, text } = self;
        text.clear();
        text.extend_from_slice(labels);
        for (key, part) in [
            ("alert", name),
            ("severity", severity),
            ("field", field),
            ("value", value),
            ("reason", reason),
        ] {
            text.extend_from_slice(b",\"");
            text.extend_from_slice(key.as_bytes());
            text.extend_from_slice(b"\":");
            text.extend_from_slice(if part.is_empty() { b"null" } else { part });
        }
    }
}

impl Operator for Dashboard {
    fn on_record(&mut self, line: Line<'_>, out: &mut Output) -> Result<(), StageError> {
        let taken = match self.rows.read(line) {
            Err(error) => Err(error),
            Ok(()) if self.rows.is_alert() => self.take_alert(line.bytes),
            Ok(()) if self.selection.has(&mut self.rows, line.bytes) => self.take_row(line.bytes),
            Ok(()) => {
                self.filtered += 1;
                self.history.lock().filtered();
                Ok(())
            }
        };
        let Err(error) = taken else { return Ok(()) };
        self.history.lock().rejected();
        out.reject(error.reason(), error, line)
    }

    fn on_control(&mut self, control: &Control, _out: &mut Output) -> Result<(), StageError> {
        if *control == Control::Suspend { self.close(Ended::Suspended) } else { Ok(()) }
    }

    fn on_end(&mut self, out: &mut Output) -> Result<(), StageError> {
        self.selection.say_unseen(out);
        self.close(Ended::Done)
    }

    fn on_clock(&mut self, now: Timestamp, _out: &mut Output) -> Result<(), StageError> {
        self.now = now;
        Ok(())
    }

    fn is_stateful(&self) -> bool {
        true
    }

    fn snapshot(&self, state: &mut SnapshotWriter) {
        self.history.lock().snapshot(state);
    }

    fn restore(&mut self, state: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        self.history.lock().restore(state)
    }

    fn stats(&self, stats: &mut Stats) {
        let Figures { refused, crowded, too_old, .. } = self.history.lock().figures();
        let judged = stats.records_in.saturating_sub(stats.rejected());
        stats.own.extend([
            Figure::used("shown", judged.saturating_sub(self.filtered)),
            Figure::fate("filtered", self.filtered),
            Figure::count("crowded", crowded),
            Figure::loss("too_old", too_old),
            Figure::loss("refused", refused),
        ]);
    }
}

impl fmt::Debug for Dashboard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dashboard").field("selection", &self.selection).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "operator_tests.rs"]
mod tests;

//! The stage: rows and alerts in, metrics out.

use std::fmt;
use std::time::Duration;

use super::labels::{LabelSet, MAX_LABEL};
use super::registry::{Options, Registry};
use crate::line::{Control, Kind, Line, Projection, Value, json};
use crate::row::{RowError, RowReader};
use crate::stream::{
    Figure, Operator, Output, RestoreError, SnapshotReader, SnapshotWriter, StageError, Stats,
};
use crate::time::Timestamp;

/// Where the exposition goes, again and again. Clocks and files are behind
/// this.
pub trait Sink: fmt::Debug {
    /// How long until the next text is wanted; zero if now.
    fn due_in(&self) -> Duration;

    /// Takes the text that now holds.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be written.
    fn publish(&mut self, text: &[u8]) -> Result<(), StageError>;
}

/// Exports rows and alerts as metrics.
///
/// Without a [`Sink`] the exposition is printed at the end of the data. With
/// one it is published whenever that is due and something has changed, and at
/// the end of the run.
#[derive(Debug)]
pub struct ExportProm {
    rows: RowReader,
    registry: Registry,
    /// The queries that are exported; if empty, all that are not by user or
    /// address.
    queries: Vec<String>,
    ip_address: usize,
    user_id: usize,
    sink: Option<Box<dyn Sink>>,
    /// Processing time as last told.
    now: Option<Timestamp>,
    /// The registry's revision that the sink has.
    published: Option<u64>,
    /// Rows that were not asked for.
    filtered: u64,
    labels: LabelSet,
    key: Vec<u8>,
    value: Vec<u8>,
    text: Vec<u8>,
}

/// Fields that say how a row came to be, or nothing that can be counted.
const NO_LABELS: [&[u8]; 3] = [b"closed_by", b"reason", b"message"];
/// Numbers that are no measure.
const NO_GAUGES: [&[u8]; 1] = [b"revision"];

impl ExportProm {
    /// Exports the rows of `queries`, or if there are none named, all rows
    /// without an `ip_address` or `user_id`; and all alerts.
    pub fn new(options: Options, queries: Vec<String>) -> Self {
        let mut projection = Projection::default();
        let (ip_address, user_id) = (projection.add("ip_address"), projection.add("user_id"));
        Self {
            rows: RowReader::new(projection, None).with_members(),
            registry: Registry::new(options),
            queries,
            ip_address,
            user_id,
            sink: None,
            now: None,
            published: None,
            filtered: 0,
            labels: LabelSet::default(),
            key: Vec::new(),
            value: Vec::new(),
            text: Vec::new(),
        }
    }

    /// Publishes to `sink`, and prints nothing.
    #[must_use]
    pub fn with_sink(self, sink: Box<dyn Sink>) -> Self {
        Self { sink: Some(sink), ..self }
    }

    /// What is exported.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    fn is_wanted(&mut self, line: &[u8]) -> bool {
        let Self { rows, queries, .. } = self;
        if !queries.is_empty() {
            return queries.iter().any(|query| rows.is_of_query(line, query));
        }
        !rows.field(self.ip_address).is_present() && !rows.field(self.user_id).is_present()
    }

    /// Collects the labels of the row, or of the alert.
    fn collect_labels(&mut self, line: &[u8], is_alert: bool) {
        let Self { rows, labels, key, value, .. } = self;
        labels.clear();
        for member in rows.members() {
            read_key(line, member.key as usize, key);
            let by_user = matches!(key.as_slice(), b"ip_address" | b"user_id");
            if is_alert && by_user || NO_LABELS.contains(&key.as_slice()) {
                continue;
            }
            match Value::read(member.value, line, value) {
                Value::Str(text) if is_label(text) => labels.push(key, text),
                Value::Bool(true) if key == b"overflow" => labels.push(key, b"true"),
                _ => {}
            }
        }
    }

    fn take_row(&mut self, line: &[u8]) -> Result<(), RowError> {
        let place = self.rows.window().map(|_| self.rows.place(line)).transpose()?;
        self.collect_labels(line, false);
        let Self { rows, registry, labels, key, value, .. } = self;
        let query = match Value::read(rows.query(), line, value) {
            Value::Str(query) => Some(query),
            _ => None,
        };
        let mut series = registry.row(labels, query, place);
        for member in rows.members() {
            let number = match member.value.kind {
                Kind::Int | Kind::Float => json::parse_double(member.value.text(line)),
                Kind::Null => None,
                _ => continue,
            };
            read_key(line, member.key as usize, key);
            if !NO_GAUGES.contains(&key.as_slice()) {
                series.set(key, number);
            }
        }
        Ok(())
    }

    /// Publishes, if the sink wants it.
    fn publish_if_due(&mut self) -> Result<(), StageError> {
        match &self.sink {
            Some(sink) if sink.due_in().is_zero() => self.publish(),
            _ => Ok(()),
        }
    }

    /// Publishes, if there is somewhere to and something new.
    fn publish(&mut self) -> Result<(), StageError> {
        let Some(sink) = &mut self.sink else { return Ok(()) };
        let revision = self.registry.revision();
        if self.published.replace(revision) == Some(revision) {
            return Ok(());
        }
        self.text.clear();
        self.registry.write(&mut self.text);
        sink.publish(&self.text)
    }
}

/// Reads the key whose opening quote is at `at`.
fn read_key(line: &[u8], at: usize, key: &mut Vec<u8>) {
    key.clear();
    let start = at + 1;
    let Ok(end) = json::string_end(line, start) else { return };
    let text = &line[start..end.end - 1];
    if end.escaped { json::unescape(text, key) } else { key.extend_from_slice(text) }
}

/// Whether a string tells series apart: no free text, and no time, which would
/// make a new series of every row.
fn is_label(text: &[u8]) -> bool {
    text.len() <= MAX_LABEL && Timestamp::parse(text).is_none()
}

impl Operator for ExportProm {
    fn on_record(&mut self, line: Line<'_>, out: &mut Output) -> Result<(), StageError> {
        if let Err(error) = self.rows.read(line) {
            return out.reject(error.reason(), error, line);
        }
        if self.rows.is_alert() {
            self.collect_labels(line.bytes, true);
            self.registry.alert(&mut self.labels);
        } else if !self.is_wanted(line.bytes) {
            self.filtered += 1;
        } else if let Err(error) = self.take_row(line.bytes) {
            return out.reject(error.reason(), error, line);
        }
        self.publish_if_due()
    }

    fn on_control(&mut self, control: &Control, _out: &mut Output) -> Result<(), StageError> {
        // The series stand as they are, whether or not the data have ended.
        if *control == Control::Suspend { self.publish() } else { Ok(()) }
    }

    fn on_end(&mut self, out: &mut Output) -> Result<(), StageError> {
        if self.sink.is_some() {
            return self.publish();
        }
        self.text.clear();
        self.registry.write(&mut self.text);
        self.text
            .split_inclusive(|byte| *byte == b'\n')
            .try_for_each(|line| out.copy_row(line.strip_suffix(b"\n").unwrap_or(line)))
    }

    fn on_clock(&mut self, now: Timestamp, _out: &mut Output) -> Result<(), StageError> {
        self.now = Some(now);
        self.publish_if_due()
    }

    fn wakes_at(&self) -> Option<Timestamp> {
        let sink = self.sink.as_ref()?;
        // The sink counts from this moment, and `now` is a little before it, or
        // not yet known: then the call comes early and is asked for once more.
        let now = self.now.unwrap_or(Timestamp::EPOCH);
        let micros = i64::try_from(sink.due_in().as_micros()).unwrap_or(i64::MAX);
        (self.published != Some(self.registry.revision()))
            .then(|| Timestamp::from_micros(now.micros.saturating_add(micros)))
    }

    fn is_stateful(&self) -> bool {
        true
    }

    fn snapshot(&self, state: &mut SnapshotWriter) {
        self.registry.snapshot(state);
    }

    fn restore(&mut self, state: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        self.registry.restore(state)
    }

    fn stats(&self, stats: &mut Stats) {
        stats.own.extend([
            Figure::new("filtered", self.filtered),
            Figure::loss("passed_over", self.registry.passed_over()),
            Figure::loss("refused", self.registry.refused()),
        ]);
    }
}

#[cfg(test)]
#[path = "operator_tests.rs"]
mod tests;

//! The stage: rows and alerts in, metrics out.

use std::fmt;
use std::time::Duration;

use super::backfill::Backfill;
use super::labels::LabelSet;
use super::registry::{Options, Registry};
use crate::line::{Control, Line, Projection, Value};
use crate::row::{MAX_LABEL, PERSONAL, RowError, RowReader, Selection, is_label, read_key};
use crate::stream::{
    Figure, Operator, Output, RestoreError, SnapshotReader, SnapshotWriter, StageError, Stats,
};

/// Where the exposition goes, again and again. Clocks, files and connections
/// are behind this.
pub trait Sink: fmt::Debug {
    /// How long until the next text is wanted; zero if now.
    fn due_in(&self) -> Duration;

    /// Takes the text that now holds.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be written.
    fn publish(&mut self, text: &[u8]) -> Result<(), StageError>;

    /// Says what there is to say of texts that go out beside the stage. Returns
    /// how long until it wants to be asked again; `None` for whenever.
    fn attend(&mut self, _say: &mut dyn FnMut(&str)) -> Option<Duration> {
        None
    }

    /// The run has ended, and the text published last holds from here on.
    /// Nothing else follows.
    ///
    /// # Errors
    ///
    /// Fails if that has not got where it should.
    fn close(&mut self) -> Result<(), StageError> {
        Ok(())
    }
}

/// Exports rows and alerts as metrics.
///
/// Without a [`Sink`] the exposition is printed at the end of the data. Those
/// that there are get it whenever they are due and something has changed, and
/// at the end of the run.
#[derive(Debug)]
pub struct ExportProm {
    rows: RowReader,
    metrics: Metrics,
    selection: Selection,
    /// Names of labels that a sink gives.
    taken: Vec<String>,
    outlets: Vec<Outlet>,
    /// Lines since the sinks were last asked what is due.
    unasked: u32,
    /// Rows that were not asked for.
    filtered: u64,
    /// Rows and alerts with more labels than there is room for.
    too_large: u64,
    labels: LabelSet,
    key: Vec<u8>,
    value: Vec<u8>,
    text: Vec<u8>,
}

/// What is exported.
#[derive(Debug)]
enum Metrics {
    /// The newest window of every series.
    Newest(Box<Registry>),
    /// All windows.
    All(Box<Backfill>),
}

/// A sink, and what it has.
#[derive(Debug)]
struct Outlet {
    sink: Box<dyn Sink>,
    /// The registry's revision.
    published: Option<u64>,
    /// Whether it has failed, and people have heard so.
    is_failing: bool,
}

/// The clock is read once in so many lines: reading it takes as long as half a
/// row.
const LINES_PER_LOOK: u32 = 64;
/// Where a row without a window may have its time.
const TIME: &str = "timestamp";

impl ExportProm {
    /// Exports the rows that are selected, and all alerts.
    pub fn new(options: Options, selection: Selection) -> Self {
        let taken = options.taken_labels.clone();
        let metrics = Metrics::Newest(Box::new(Registry::new(options)));
        Self { taken, ..Self::of(metrics, selection) }
    }

    /// Exports all windows of all series with their times, at the end of the
    /// data and in the OpenMetrics format.
    pub fn backfill(options: Options, selection: Selection) -> Self {
        Self::of(Metrics::All(Box::new(Backfill::new(options))), selection)
    }

    fn of(metrics: Metrics, mut selection: Selection) -> Self {
        let mut projection = Projection::default();
        selection.look_at(&mut projection);
        Self {
            rows: RowReader::new(projection, Some(TIME)).with_members(),
            metrics,
            selection,
            taken: Vec::new(),
            outlets: Vec::new(),
            unasked: 0,
            filtered: 0,
            too_large: 0,
            labels: LabelSet::default(),
            key: Vec::new(),
            value: Vec::new(),
            text: Vec::new(),
        }
    }

    /// Publishes to `sink` too, and prints nothing.
    #[must_use]
    pub fn with_sink(mut self, sink: Box<dyn Sink>) -> Self {
        self.outlets.push(Outlet { sink, published: None, is_failing: false });
        self
    }

    /// Appends what is exported.
    pub fn write(&self, text: &mut Vec<u8>) {
        match &self.metrics {
            Metrics::Newest(registry) => registry.write(text),
            Metrics::All(backfill) => backfill.write(text),
        }
    }

    /// Collects the labels of the row, or of the alert.
    fn collect_labels(&mut self, line: &[u8], is_alert: bool) {
        let Self { rows, selection, taken, labels, key, value, .. } = self;
        labels.clear();
        for member in rows.members() {
            read_key(line, member.key as usize, key);
            // A name that long is no name, and its label would be in every series.
            if key.len() > MAX_LABEL {
                continue;
            }
            let is_personal = PERSONAL.iter().any(|name| name.as_bytes() == key);
            if is_alert && is_personal {
                continue;
            }
            if let Some(text) = selection.label(key, member.value, line, value) {
                // As Prometheus itself names what a scrape would hide.
                if taken.iter().any(|name| name.as_bytes() == key) {
                    key.splice(..0, *b"exported_");
                }
                labels.push(key, text);
            }
        }
    }

    fn take_alert(&mut self, line: &[u8]) -> Result<(), RowError> {
        self.collect_labels(line, true);
        if self.labels.is_too_large() {
            self.too_large += 1;
            return Ok(());
        }
        match &mut self.metrics {
            Metrics::Newest(registry) => registry.alert(&mut self.labels),
            Metrics::All(backfill) => backfill.alert(&mut self.labels, self.rows.place(line)?),
        }
        Ok(())
    }

    fn take_row(&mut self, line: &[u8]) -> Result<(), RowError> {
        self.collect_labels(line, false);
        if self.labels.is_too_large() {
            self.too_large += 1;
            return Ok(());
        }
        let Self { rows, selection, metrics, labels, key, value, .. } = self;
        match metrics {
            Metrics::Newest(registry) => {
                // Rows without a window go by arrival.
                let place = rows.window().map(|_| rows.place(line)).transpose()?;
                let query = match Value::read(rows.query(), line, value) {
                    Value::Str(query) if is_label(query) => Some(query),
                    _ => None,
                };
                let mut series = registry.row(labels, query, place);
                selection.for_each_number(rows.members(), line, key, |field, number| {
                    series.set(field, number);
                });
            }
            Metrics::All(backfill) => {
                let mut row = backfill.row(labels, rows.place(line)?);
                selection.for_each_number(rows.members(), line, key, |field, number| {
                    row.set(field, number);
                });
            }
        }
        Ok(())
    }

    /// Publishes to the sinks that are due and have not got what holds now.
    /// One that fails is tried again when it is due once more.
    fn publish(&mut self, out: &mut Output) {
        let Self { metrics: Metrics::Newest(registry), outlets, text, .. } = self else { return };
        // Before the first row the last run's values, which may be about to be taken up again, are
        // better than none.
        let (revision, mut is_written) = (registry.revision(), false);
        for outlet in outlets.iter_mut().filter(|_| revision > 0) {
            if outlet.published != Some(revision) && outlet.sink.due_in().is_zero() {
                write_once(registry, text, &mut is_written);
                if let Err(error) = outlet.publish(text, revision)
                    && !std::mem::replace(&mut outlet.is_failing, true)
                {
                    out.message(&format!("{}; trying again", said(&error)));
                }
            }
        }
    }

    /// Publishes to all sinks what holds at the end, be it nothing.
    fn publish_last(&mut self) -> Result<(), StageError> {
        let Self { metrics: Metrics::Newest(registry), outlets, text, .. } = self else {
            return Ok(());
        };
        let (revision, mut is_written) = (registry.revision(), false);
        let results = outlets.iter_mut().map(|outlet| {
            if outlet.published == Some(revision) {
                return Ok(());
            }
            write_once(registry, text, &mut is_written);
            outlet.publish(text, revision)
        });
        // None is left out because another fails.
        results.fold(Ok(()), Result::and)
    }

    /// The run has ended well: sees to it that all sinks have what holds.
    ///
    /// # Errors
    ///
    /// Fails if one of them could not be given it.
    pub fn close(&mut self) -> Result<(), StageError> {
        self.outlets.iter_mut().map(|outlet| outlet.sink.close()).fold(Ok(()), Result::and)
    }
}

impl Outlet {
    fn publish(&mut self, text: &[u8], revision: u64) -> Result<(), StageError> {
        self.sink.publish(text)?;
        self.published = Some(revision);
        self.is_failing = false;
        Ok(())
    }
}

/// Writes the exposition, unless that has been done.
fn write_once(registry: &Registry, text: &mut Vec<u8>, is_written: &mut bool) {
    if !std::mem::replace(is_written, true) {
        text.clear();
        registry.write(text);
    }
}

/// An error with its cause, in one line.
fn said(error: &StageError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

impl Operator for ExportProm {
    fn on_record(&mut self, line: Line<'_>, out: &mut Output) -> Result<(), StageError> {
        if let Err(error) = self.rows.read(line) {
            return out.reject(error.reason(), error, line);
        }
        let taken = if self.rows.is_alert() {
            self.take_alert(line.bytes)
        } else if self.selection.has(&mut self.rows, line.bytes) {
            self.take_row(line.bytes)
        } else {
            self.filtered += 1;
            Ok(())
        };
        match taken {
            // Only a back-fill wants a time, and there is no flag that names it.
            Err(error @ RowError::NoTime) => {
                let text = format_args!("neither a window nor a {TIME} to be exported at");
                return out.reject(error.reason(), text, line);
            }
            Err(error) => return out.reject(error.reason(), error, line),
            Ok(()) => {}
        }
        self.unasked += 1;
        if self.unasked >= LINES_PER_LOOK {
            self.unasked = 0;
            self.attend(out)?;
        }
        Ok(())
    }

    fn on_control(&mut self, control: &Control, _out: &mut Output) -> Result<(), StageError> {
        // The series stand as they are, whether or not the data have ended.
        if *control == Control::Suspend { self.publish_last() } else { Ok(()) }
    }

    fn on_end(&mut self, out: &mut Output) -> Result<(), StageError> {
        self.selection.say_unseen(out);
        if !self.outlets.is_empty() {
            return self.publish_last();
        }
        let mut text = std::mem::take(&mut self.text);
        text.clear();
        self.write(&mut text);
        text.split_inclusive(|byte| *byte == b'\n')
            .try_for_each(|line| out.copy_row(line.strip_suffix(b"\n").unwrap_or(line)))
    }

    fn attend(&mut self, out: &mut Output) -> Result<Option<Duration>, StageError> {
        self.publish(out);
        let Metrics::Newest(registry) = &self.metrics else { return Ok(None) };
        let revision = Some(registry.revision());
        let mut say = |message: &str| out.message(message);
        let waits = self.outlets.iter_mut().flat_map(|Outlet { sink, published, .. }| {
            let has_news = *published != revision && revision > Some(0);
            let due = has_news.then(|| sink.due_in());
            [due, sink.attend(&mut say)]
        });
        Ok(waits.flatten().min())
    }

    fn on_failure(&mut self, _out: &mut Output) {
        // A run that had nothing to say has not taken anything over either. Why it failed is what
        // is told.
        if matches!(&self.metrics, Metrics::Newest(registry) if registry.revision() > 0) {
            let _ = self.publish_last();
            let _ = self.close();
        }
    }

    fn is_stateful(&self) -> bool {
        true
    }

    fn snapshot(&self, state: &mut SnapshotWriter) {
        match &self.metrics {
            Metrics::Newest(registry) => registry.snapshot(state),
            Metrics::All(backfill) => backfill.snapshot(state),
        }
    }

    fn restore(&mut self, state: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        match &mut self.metrics {
            Metrics::Newest(registry) => registry.restore(state),
            Metrics::All(backfill) => backfill.restore(state),
        }
    }

    fn stats(&self, stats: &mut Stats) {
        let (passed_over, refused) = match &self.metrics {
            Metrics::Newest(registry) => (registry.passed_over(), registry.refused()),
            Metrics::All(backfill) => (0, backfill.refused()),
        };
        let judged = stats.records_in.saturating_sub(stats.rejected());
        stats.own.extend([
            Figure::used("exported", judged.saturating_sub(self.filtered)),
            Figure::fate("filtered", self.filtered),
            Figure::loss("passed_over", passed_over),
            Figure::loss("refused", refused + self.too_large),
        ]);
    }
}

#[cfg(test)]
#[path = "operator_tests.rs"]
mod tests;

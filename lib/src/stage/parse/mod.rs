//! `parse`: text and JSON become normalised records.

mod container;
mod explain;
mod format;
#[cfg(test)]
mod tests;
mod text;
mod words;

pub use explain::Explain;
pub use format::Format;

use crate::format::{Containers, JsonRecords, Normalized, TextParser, TimeOptions, Untimed};
use crate::line::{Line, Reason};
use crate::reshape::Reshape;
use crate::stream::{
    Operator, Output, Place, RestoreError, SnapshotReader, SnapshotWriter, StageError, Stats,
};
use crate::time::{Calendar, Timestamp};
use format::Json;

/// Brings lines into normal form, plain ones, those that `ingest` has wrapped
/// in `@raw`, and those that a container runtime has wrapped; see
/// [`JsonRecords`], [`TextParser`] and [`Containers`].
#[derive(Debug)]
pub struct Parse {
    are_json: Json,
    untimed: Untimed,
    /// The only field that may hold the time, if there is one.
    time_field: Option<String>,
    json: JsonRecords,
    /// `None` for words.
    parser: Option<TextParser>,
    calendar: Calendar,
    containers: Containers,
    /// What is done to the records before they are written.
    reshape: Option<Reshape>,
    /// A text line taken out of its `@raw`, and the value of its `@source`.
    text: Vec<u8>,
    source: Option<Vec<u8>>,
}

/// Where a text came from, apart from its line.
#[derive(Clone, Copy, Default)]
struct Origin<'a> {
    /// The value of `@source`.
    source: Option<&'a [u8]>,
    /// When a container runtime wrote it: the time of what has none itself.
    time: Option<Timestamp>,
}

impl Parse {
    /// A parser for lines of this format.
    pub fn new(format: Format) -> Self {
        let (are_json, parser) = format.parts();
        Self {
            are_json,
            untimed: Untimed::Reject,
            time_field: None,
            json: JsonRecords::default(),
            parser,
            calendar: Calendar::default(),
            containers: Containers::default(),
            reshape: None,
            text: Vec::new(),
            source: None,
        }
    }

    /// Reads times by this calendar, where `times` says.
    #[must_use]
    pub fn with_times(mut self, calendar: Calendar, times: &TimeOptions) -> Self {
        self.calendar = calendar;
        self.json = JsonRecords::new(times);
        self.untimed = times.untimed;
        self.parser = self.parser.map(|parser| parser.with_time_field(times.field.as_deref()));
        self.time_field.clone_from(&times.field);
        self
    }

    /// Takes on another calendar, and gives back its own.
    pub(crate) fn swap_calendar(&mut self, calendar: &mut Calendar) {
        std::mem::swap(&mut self.calendar, calendar);
    }

    /// Forgets the part of a line that waits for its rest, and says when it was
    /// written.
    pub(crate) fn take_part(&mut self) -> Option<Timestamp> {
        self.containers.unfinished().map(|(_, time)| time)
    }

    /// Reshapes the records before they are written.
    #[must_use]
    pub fn with_reshape(mut self, reshape: Option<Reshape>) -> Self {
        self.reshape = reshape;
        self
    }

    /// Runs `parse`, and reshapes the records that it writes.
    #[inline]
    fn reshaped(
        &mut self,
        out: &mut Output,
        parse: impl FnOnce(&mut Self, &mut Output) -> Result<(), StageError>,
    ) -> Result<(), StageError> {
        let Some(mut reshape) = self.reshape.take() else { return parse(self, out) };
        let result = reshape.reshape(out, |out| parse(self, out));
        self.reshape = Some(reshape);
        result
    }

    /// Parses a line that looks like JSON: a record, or wrapped text.
    #[inline]
    fn json(&mut self, line: Line<'_>, out: &mut Output) -> Result<(), StageError> {
        if line.fault == Some(Reason::InvalidUtf8) {
            return out.reject(Reason::InvalidUtf8, "not UTF-8", line);
        }
        let start = out.row().len();
        match self.json.normalize(line.bytes, &mut self.calendar, out.row()) {
            Ok(Normalized::Text { text, source }) => {
                self.text.clear();
                self.text.extend_from_slice(text);
                self.source = source.map(Into::into);
            }
            Ok(_) if matches!(self.are_json, Json::Never | Json::IsText) => {
                out.row().truncate(start);
                return out.reject(Reason::NoMatch, "a JSON record: --format auto takes it", line);
            }
            Ok(Normalized::AsIs) => return out.copy_row(line.bytes),
            Ok(Normalized::Rewritten) => return out.finish_row(),
            Err(error) => return out.reject(error.reason(), error, line),
        }
        let text = std::mem::take(&mut self.text);
        let source = self.source.take();
        let result = self.plain(&text, source.as_deref(), line, out);
        self.text = text;
        result
    }

    /// Parses `text`, which came as `line`, in whichever format it is.
    fn inner(
        &mut self,
        text: &[u8],
        origin: Origin<'_>,
        line: Line<'_>,
        out: &mut Output,
    ) -> Result<(), StageError> {
        match self.are_json {
            Json::Always => self.inner_json(text, origin, line, out),
            Json::Sometimes if begins_with_brace(text) => self.inner_json(text, origin, line, out),
            _ => self.text_line(text, origin, line, out),
        }
    }

    fn inner_json(
        &mut self,
        text: &[u8],
        origin: Origin<'_>,
        line: Line<'_>,
        out: &mut Output,
    ) -> Result<(), StageError> {
        let (Origin { source, time }, calendar) = (origin, &mut self.calendar);
        match self.json.normalize_unwrapped(text, source, time, calendar, out.row()) {
            Ok(()) => out.finish_row(),
            Err(error) => out.reject(error.reason(), error, line),
        }
    }

    fn parse(&mut self, line: Line<'_>, out: &mut Output) -> Result<(), StageError> {
        // Wrapped text looks like JSON too, whatever format it is in.
        if begins_with_brace(line.bytes) {
            if line.fault != Some(Reason::InvalidUtf8)
                && let Some(result) = self.docker(line, out)
            {
                return result;
            }
            if self.are_json != Json::IsText || line.bytes.starts_with(b"{\"@") {
                return self.json(line, out);
            }
        }
        if line.fault == Some(Reason::InvalidUtf8) {
            if self.are_json == Json::Always {
                return self.json(line, out);
            }
            out.stats.replaced_utf8 += 1;
            let text = String::from_utf8_lossy(line.bytes);
            return self.plain(text.as_bytes(), None, line, out);
        }
        self.plain(line.bytes, None, line, out)
    }
}

fn begins_with_brace(text: &[u8]) -> bool {
    text.trim_ascii_start().starts_with(b"{")
}

impl Operator for Parse {
    fn on_place(&mut self, place: &Place, out: &mut Output) -> Result<(), StageError> {
        if place.line == 0 {
            self.give_held(out)?;
            self.begin_source(place);
        }
        Ok(())
    }

    fn on_record(&mut self, line: Line<'_>, out: &mut Output) -> Result<(), StageError> {
        self.reshaped(out, |parse, out| parse.parse(line, out))?;
        if let Some(notice) = self.calendar.take_notice() {
            out.message(&notice);
        }
        Ok(())
    }

    fn on_clock(&mut self, now: Timestamp, _out: &mut Output) -> Result<(), StageError> {
        self.calendar.set_now(now);
        if let Some(reshape) = &mut self.reshape {
            reshape.set_now(now);
        }
        Ok(())
    }

    fn on_end(&mut self, out: &mut Output) -> Result<(), StageError> {
        self.give_held(out)
    }

    /// In any format: a line may be a part of what a container's program wrote,
    /// which waits for its rest. Times without a year follow on the one before,
    /// and lines of CSV on their header.
    fn is_stateful(&self) -> bool {
        true
    }

    fn snapshot(&self, state: &mut SnapshotWriter) {
        self.calendar.snapshot(state);
        self.containers.snapshot(state);
        if let Some(parser) = &self.parser {
            parser.snapshot(state);
        }
    }

    fn restore(&mut self, state: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        self.calendar.restore(state)?;
        self.containers.restore(state)?;
        match &mut self.parser {
            Some(parser) => parser.restore(state),
            None => Ok(()),
        }
    }

    fn stats(&self, stats: &mut Stats) {
        let text = self.parser.as_ref().map_or(0, TextParser::casts_failed);
        stats.casts_failed += self.json.casts_failed + text;
        if let Some(reshape) = &self.reshape {
            reshape.stats(stats);
        }
    }
}

//! Where rows, rejects and messages go.

use std::fmt;
use std::fs::{File, Metadata};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt as _;
use std::sync::Arc;

use super::input::{Place, PlaceKind};
use super::stats::Stats;
use super::{MaxRejects, StageError};
use crate::line::{Control, Line, Position, Reason, json};

/// How errors name the standard output.
pub(super) const STDOUT: &str = "stdout";

/// Rows are written once this many bytes have come together.
const BLOCK: usize = 128 * 1024;
/// So many rejects are named on stderr; the rest is only counted.
const NAMED_REJECTS: u64 = 5;
/// So much of a rejected line is shown.
const SHOWN: usize = 120;

/// A file beside stdout, such as that of `--rejects`.
pub struct SideFile {
    name: String,
    file: File,
    buffer: Vec<u8>,
}

impl SideFile {
    /// A file that is called `name` in messages.
    pub fn new(name: impl Into<String>, file: File) -> Self {
        Self { name: name.into(), file, buffer: Vec::new() }
    }

    /// How messages call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Cuts it to what it held when `length` bytes had been written. One that
    /// nothing has been kept of (`None`) has to be empty.
    ///
    /// # Errors
    ///
    /// Tells why that cannot be done, as where it holds less.
    pub fn cut(&mut self, length: Option<u64>) -> Result<(), String> {
        let name = &self.name;
        let failed = |error: io::Error| format!("cannot cut {name}: {error}");
        let metadata = self.file.metadata().map_err(failed)?;
        let present = metadata.len();
        if !metadata.is_file() {
            // Such as /dev/null.
            return Ok(());
        }
        let Some(length) = length else {
            return if present == 0 {
                Ok(())
            } else {
                Err(format!(
                    "{name} holds something, and is not the file that the run before wrote to: give \
                     that one, or an empty one"
                ))
            };
        };
        if present < length {
            return Err(format!(
                "{name} holds {present} bytes, but {length} are committed: it was emptied or is \
                 another file. Bring it back, or begin anew with `ingest --reset`"
            ));
        }
        self.file.set_len(length).map_err(failed)
    }

    /// How many bytes it holds, and the file itself; `None` for what is no file,
    /// such as `/dev/null`. To be called when nothing is buffered.
    ///
    /// # Errors
    ///
    /// Tells why that cannot be found out.
    pub fn kept(&self) -> Result<Option<(u64, File)>, String> {
        let failed = |error: io::Error| format!("cannot use {}: {error}", self.name);
        let metadata = self.file.metadata().map_err(failed)?;
        if !metadata.is_file() {
            return Ok(None);
        }
        Ok(Some((metadata.len(), self.file.try_clone().map_err(failed)?)))
    }

    /// What it is under any name: device and inode; `None` for what is no file.
    pub fn identity(&self) -> Option<(u64, u64)> {
        let metadata = self.file.metadata().ok().filter(Metadata::is_file)?;
        Some((metadata.dev(), metadata.ino()))
    }

    /// Space to append whole lines to; call [`finish_line`](Self::finish_line)
    /// afterwards.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// Ends a line.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be written.
    pub fn finish_line(&mut self) -> Result<(), StageError> {
        self.buffer.push(b'\n');
        if self.buffer.len() >= BLOCK { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), StageError> {
        let written = self.file.write_all(&self.buffer);
        self.buffer.clear();
        written.map_err(|source| StageError::Write { to: self.name.clone(), source })
    }
}

impl fmt::Debug for SideFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SideFile").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What an operator writes to: rows to stdout, rejects and late records to
/// files of their own, messages to people. Everything is buffered; the driver
/// flushes before it waits and at the end.
pub struct Output {
    rows: Vec<u8>,
    sink: Option<Box<dyn Write>>,
    /// Records refused, as `{"error":…,"source":…,"raw":…}`.
    pub rejects: Option<SideFile>,
    /// Late records, as they came, with `late_by`.
    pub late: Option<SideFile>,
    /// Whether the first reject ends the stage.
    pub strict: bool,
    /// How many rejects are too many.
    pub max_rejects: Option<MaxRejects>,
    /// What has been counted.
    pub stats: Stats,
    /// The input that is being read.
    place: Place,
    /// Number of the line that is being read, from 1.
    line_number: u64,
    /// Offset of that line in its input, in bytes.
    line_offset: u64,
    /// Whether the stage has all that it wants.
    is_done: bool,
    messages: Box<dyn FnMut(&str)>,
}

impl Output {
    /// Rows go to `sink`, which is given whole lines only, messages for people to `messages`, one line each,
    /// without newline.
    pub fn new(sink: Box<dyn Write>, messages: Box<dyn FnMut(&str)>) -> Self {
        Self {
            rows: Vec::with_capacity(BLOCK + BLOCK / 4),
            sink: Some(sink),
            rejects: None,
            late: None,
            strict: false,
            max_rejects: None,
            stats: Stats::default(),
            place: Place::stdin(),
            line_number: 0,
            line_offset: 0,
            is_done: false,
            messages,
        }
    }

    /// Rows stay in memory, to be looked at with [`rows`](Self::rows);
    /// messages are dropped.
    pub fn in_memory() -> Self {
        Self { sink: None, ..Self::new(Box::new(io::sink()), Box::new(|_| {})) }
    }

    /// The rows not yet written.
    pub fn rows(&self) -> &[u8] {
        &self.rows
    }

    /// Space to append one row to; call [`finish_row`](Self::finish_row)
    /// afterwards.
    #[inline]
    pub fn row(&mut self) -> &mut Vec<u8> {
        &mut self.rows
    }

    /// Ends a row.
    ///
    /// # Errors
    ///
    /// Fails if stdout cannot be written.
    #[inline]
    pub fn finish_row(&mut self) -> Result<(), StageError> {
        self.rows.push(b'\n');
        self.stats.records_out += 1;
        if self.rows.len() >= BLOCK { self.write_rows() } else { Ok(()) }
    }

    /// Writes `line` as a row of its own, as it is.
    ///
    /// # Errors
    ///
    /// Fails if stdout cannot be written.
    #[inline]
    pub fn copy_row(&mut self, line: &[u8]) -> Result<(), StageError> {
        self.rows.extend_from_slice(line);
        self.finish_row()
    }

    /// Runs `write` with its rows going to `rows`, each ended by a newline, in
    /// place of stdout; they do not count. For what reads another's rows
    /// before they are written.
    pub fn divert<T>(&mut self, rows: &mut Vec<u8>, write: impl FnOnce(&mut Self) -> T) -> T {
        let (sink, records_out) = (self.sink.take(), self.stats.records_out);
        std::mem::swap(&mut self.rows, rows);
        let result = write(self);
        std::mem::swap(&mut self.rows, rows);
        (self.sink, self.stats.records_out) = (sink, records_out);
        result
    }

    /// Writes a control line, which counts as no record.
    pub(super) fn control(&mut self, control: &Control) {
        control.write(&mut self.rows);
        self.rows.push(b'\n');
    }

    /// Writes a control line as it came.
    pub(super) fn control_line(&mut self, line: &[u8]) {
        self.rows.extend_from_slice(line);
        self.rows.push(b'\n');
    }

    #[cold]
    fn write_rows(&mut self) -> Result<(), StageError> {
        let Some(sink) = &mut self.sink else { return Ok(()) };
        self.stats.bytes_out += self.rows.len() as u64;
        let written = sink.write_all(&self.rows);
        self.rows.clear();
        written.map_err(|source| StageError::Write { to: STDOUT.to_owned(), source })
    }

    /// Hands everything buffered to the system. To the sink this is the end of
    /// a batch: the rows since the last time belong together.
    ///
    /// # Errors
    ///
    /// Fails if stdout or a side file cannot be written.
    pub fn flush(&mut self) -> Result<(), StageError> {
        self.flush_side_files()?;
        if !self.rows.is_empty() {
            self.write_rows()?;
        }
        let flushed = self.sink.as_mut().map_or(Ok(()), Write::flush);
        flushed.map_err(|source| StageError::Write { to: STDOUT.to_owned(), source })
    }

    /// Lets go of stdout, to which everything has been written.
    pub(super) fn close(&mut self) {
        self.sink = None;
    }

    /// Hands what is buffered for the side files to the system.
    ///
    /// # Errors
    ///
    /// Fails if one cannot be written.
    pub fn flush_side_files(&mut self) -> Result<(), StageError> {
        for side in self.side_files() {
            if !side.buffer.is_empty() {
                side.flush()?;
            }
        }
        Ok(())
    }

    /// The files beside stdout.
    pub fn side_files(&mut self) -> impl Iterator<Item = &mut SideFile> {
        [&mut self.rejects, &mut self.late].into_iter().flatten()
    }

    /// Says something to people.
    pub fn message(&mut self, text: &str) {
        (self.messages)(text);
    }

    /// Says where the next lines come from.
    pub(crate) fn begin_source(&mut self, place: Place) {
        self.line_number = place.line;
        self.place = place;
    }

    #[inline]
    pub(crate) fn begin_line(&mut self, position: Position) {
        self.line_number = position.line;
        self.line_offset = position.offset;
    }

    /// Asks for the run to end behind the present line, as at an end of input.
    pub fn finish(&mut self) {
        self.is_done = true;
    }

    pub(super) fn is_done(&self) -> bool {
        self.is_done
    }

    /// Name of the input that is being read.
    pub fn source(&self) -> &Arc<str> {
        &self.place.name
    }

    /// The input that is being read.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Offset in its input of the line that is being read, in bytes, after
    /// decompression.
    pub fn line_offset(&self) -> u64 {
        self.line_offset
    }

    /// Number of the line that is being read, from 1; of a record of several
    /// lines, the first.
    pub fn line_number(&self) -> u64 {
        self.line_number
    }

    /// Counts a line that cannot be used, names it if it is one of the first,
    /// and keeps it if `--rejects` was given. `detail` says what was wrong in
    /// it.
    ///
    /// # Errors
    ///
    /// Fails under `--strict`, if these are too many, or if the reject file cannot be written.
    #[cold]
    pub fn reject(
        &mut self,
        reason: Reason,
        detail: impl fmt::Display,
        line: Line<'_>,
    ) -> Result<(), StageError> {
        self.stats.rejected[reason.index()] += 1;
        let raw = String::from_utf8_lossy(line.bytes);
        if let Some(rejects) = &mut self.rejects {
            let row = rejects.buffer();
            row.extend_from_slice(b"{\"error\":");
            json::write_string(format!("{reason}: {detail}").as_bytes(), row);
            row.extend_from_slice(b",\"source\":{");
            self.place.write_members(row);
            row.extend_from_slice(match self.place.kind {
                PlaceKind::Partition => b",\"offset\":",
                _ => b",\"line\":",
            });
            json::write_int(i128::from(self.place.number(self.line_number)), row);
            row.extend_from_slice(b"},\"raw\":");
            json::write_string(raw.as_bytes(), row);
            row.push(b'}');
            rejects.finish_line()?;
        }
        let number = self.place.number(self.line_number);
        let place = format!("{}:{number}: {reason}: {detail}", self.place.name);
        if self.strict {
            return Err(StageError::Strict(place));
        }
        match self.stats.rejected() {
            ..=NAMED_REJECTS => self.message(&format!("{place}: {}", shown(&raw))),
            number if number == NAMED_REJECTS + 1 => {
                let hint = if self.rejects.is_some() { "" } else { "; --rejects FILE keeps all" };
                self.message(&format!("further rejected lines are only counted{hint}"));
            }
            _ => {}
        }
        self.max_rejects.map_or(Ok(()), |most| most.check(&self.stats))
    }
}

/// The beginning of a line, fit for a terminal: no control characters.
fn shown(raw: &str) -> String {
    let mut text: String =
        raw.chars().take(SHOWN).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if raw.chars().nth(SHOWN).is_some() {
        text.push('…');
    }
    text
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output")
            .field("place", &self.place)
            .field("line_number", &self.line_number)
            .field("stats", &self.stats)
            .finish_non_exhaustive()
    }
}

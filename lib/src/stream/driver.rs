//! The loop that feeds an operator.

use std::time::Duration;

use super::checkpoint::{Checkpoint, Kept};
use super::clock::ProcessingClock;
use super::control::{At, ControlLines, ControlState, behind_the_end};
use super::input::{Event, Input, Next};
use super::{Operator, Origin, Output, Place, StageError};
use crate::line::{Framing, LineReader, Reason};
use crate::time::{TimeDelta, Timestamp};

/// What the driver needs to know.
#[derive(Clone, Debug)]
pub struct Options {
    /// What a record is.
    pub framing: Framing,
    /// Lines longer than this many bytes are rejected.
    pub max_line: usize,
    /// Whether the input may have control lines. A stage that reads the outside
    /// world takes none, so that data cannot forge them.
    pub accept_control: bool,
    /// Whether control lines are passed on (into a pipe) or swallowed.
    pub forward_control: bool,
    /// What this stage puts into the stream if it is the one that makes its
    /// control lines.
    pub origin: Option<Origin>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            framing: Framing::Lines,
            max_line: 64 * 1024 * 1024,
            accept_control: true,
            forward_control: true,
            origin: None,
        }
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The data ended, or were taken to have ended; everything is flushed.
    Ended,
    /// The run ended, the data did not: nothing was flushed.
    Suspended,
    /// Nobody reads our output any more.
    ReaderGone,
}

/// Feeds `operator` from `input` until it ends.
///
/// Output is flushed whenever the driver is about to wait for input, and at
/// the end. Under a checkpoint the run has to be ended by what the stream says,
/// and its reader has to stay.
///
/// # Errors
///
/// Fails if input or output does, on the first reject under `--strict`, or if
/// the checkpoint does.
pub fn drive(
    operator: &mut dyn Operator,
    input: &mut dyn Input,
    out: &mut Output,
    options: &Options,
    checkpoint: Option<&mut dyn Checkpoint>,
) -> Result<Outcome, StageError> {
    let is_checked = checkpoint.is_some();
    let mut driver = Driver {
        operator: &mut *operator,
        input,
        out: &mut *out,
        checkpoint: match checkpoint {
            Some(checkpoint) => Some(checkpoint),
            None => None,
        },
        is_over: false,
        reader: LineReader::new(options.framing.clone(), options.max_line),
        control: ControlLines::new(options),
        clock: ProcessingClock::default(),
        origin: options.origin.clone(),
        options,
    };
    let outcome = match driver.run() {
        Err(error) if error.is_reader_gone() => Ok(Outcome::ReaderGone),
        outcome => outcome,
    };
    let outcome = match outcome {
        Ok(Outcome::ReaderGone) if is_checked && !driver.is_over => Err(reader_gone()),
        outcome => outcome,
    };
    if outcome.is_err() {
        operator.on_failure(out);
    }
    // However the run ended, what was put aside until then is kept.
    let kept = out.flush_side_files();
    outcome.and_then(|outcome| kept.map(|()| outcome))
}

struct Driver<'a> {
    operator: &'a mut dyn Operator,
    input: &'a mut dyn Input,
    out: &'a mut Output,
    checkpoint: Option<&'a mut dyn Checkpoint>,
    /// Whether all that the run has to say has been said.
    is_over: bool,
    reader: LineReader,
    control: ControlLines,
    clock: ProcessingClock,
    origin: Option<Origin>,
    options: &'a Options,
}

impl Driver<'_> {
    fn run(&mut self) -> Result<Outcome, StageError> {
        self.begin()?;
        loop {
            match self.input.next()? {
                Next::Place(place) => {
                    self.begin_source(place)?;
                    if let Some(outcome) = self.read_source()? {
                        return Ok(outcome);
                    }
                }
                Next::Pending => match self.readable()? {
                    Event::Stop => return self.stop(),
                    Event::ReaderGone => return Ok(Outcome::ReaderGone),
                    _ => {}
                },
                Next::End => return self.end(),
            }
        }
    }

    /// Begins the stream, if this is the stage that does.
    fn begin(&mut self) -> Result<(), StageError> {
        let Some(origin) = &mut self.origin else { return Ok(()) };
        if let Some(checkpoint) = self.checkpoint.as_deref_mut() {
            let kept = origin
                .resume(self.input, |start| checkpoint.begin(start, self.operator, self.out))?;
            self.control.numbering.resume(kept.read);
            if checkpoint.is_last() {
                origin.silence();
            }
        }
        origin.begin(self.input.now(), self.out);
        if let Some(checkpoint) = self.checkpoint.as_deref_mut() {
            self.out.flush()?;
            checkpoint.has_forwarded()?;
        }
        Ok(())
    }

    fn begin_source(&mut self, place: Place) -> Result<(), StageError> {
        self.reader.begin(place.offset, place.line);
        self.operator.on_place(&place, self.out)?;
        self.out.begin_source(place);
        Ok(())
    }

    /// Reads the present source to its end; the outcome if the run ends before.
    fn read_source(&mut self) -> Result<Option<Outcome>, StageError> {
        loop {
            self.take_lines()?;
            if self.out.is_done() {
                return self.end().map(Some);
            }
            match self.readable()? {
                Event::Stop => return self.stop().map(Some),
                Event::ReaderGone => return Ok(Some(Outcome::ReaderGone)),
                _ if self.out.is_done() => return self.end().map(Some),
                _ => {}
            }
            if self.read()? == 0 {
                self.take_lines()?;
                return if self.out.is_done() { self.end().map(Some) } else { Ok(None) };
            }
        }
    }

    /// Reads once; returns how many bytes.
    fn read(&mut self) -> Result<usize, StageError> {
        let input = &mut *self.input;
        let read = self.reader.fill(|space| input.read(space));
        let count = read.map_err(|source| {
            let from = self.out.source().to_string();
            StageError::Read { from, source }
        })?;
        self.out.stats.bytes_in += count as u64;
        Ok(count)
    }

    /// The data have ended.
    fn end(&mut self) -> Result<Outcome, StageError> {
        let outcome = match self.control.state {
            ControlState::Suspended => Outcome::Suspended,
            ControlState::Ended => Outcome::Ended,
            _ if self.checkpoint.is_some() && self.origin.is_none() => return Err(torn()),
            _ if self.origin.as_ref().is_some_and(|origin| origin.is_finished(&self.out.stats)) => {
                return self.suspend();
            }
            _ => {
                self.operator.on_end(self.out)?;
                Outcome::Ended
            }
        };
        if let Some(mut origin) = self.origin.take() {
            origin.end(self.out);
            self.barrier(&mut origin, true)?;
        }
        self.finish()?;
        Ok(outcome)
    }

    /// The run ends, the data do not.
    fn suspend(&mut self) -> Result<Outcome, StageError> {
        if let Some(mut origin) = self.origin.take() {
            let has_ended = origin.is_finished(&self.out.stats);
            self.barrier(&mut origin, has_ended)?;
            origin.suspend(self.out);
        }
        self.finish()?;
        Ok(Outcome::Suspended)
    }

    /// All has been written: sees it through.
    fn finish(&mut self) -> Result<(), StageError> {
        self.flush()?;
        if let Some(checkpoint) = self.checkpoint.as_deref_mut() {
            let mut has_left = false;
            while let Some(wait) = checkpoint.finish()? {
                if !has_left {
                    if !self.input.is_read() {
                        return Err(reader_gone());
                    }
                    // What stands in between may hold back what it has until our end.
                    self.out.close();
                    self.input.leave();
                    has_left = true;
                }
                self.input.pause(wait);
            }
        }
        self.is_over = true;
        Ok(())
    }

    /// Ends an epoch, where this stage begins the stream.
    fn barrier(&mut self, origin: &mut Origin, has_ended: bool) -> Result<(), StageError> {
        if !origin.can_resume() {
            return Ok(());
        }
        self.out.flush()?;
        let epoch = origin.epoch();
        self.input.save(epoch, self.reader.consumed())?;
        if let Some(checkpoint) = self.checkpoint.as_deref_mut() {
            let kept = Kept { has_ended, ..Kept::default() };
            checkpoint.barrier(epoch, kept, self.operator, self.out)?;
        }
        origin.barrier(self.out);
        Ok(())
    }

    /// The run was told to end: so do the data, unless another run can go on
    /// with them.
    fn stop(&mut self) -> Result<Outcome, StageError> {
        if self.origin.as_ref().is_some_and(Origin::can_resume) {
            return self.suspend();
        }
        if self.checkpoint.is_some() && !self.control.is_over() {
            return Err(torn());
        }
        self.reader.release();
        self.take_lines()?;
        self.take_held()?;
        self.end()
    }

    /// Takes in the whole lines that sources hold back, since no more will
    /// come. What was read of an unfinished line is no line.
    fn take_held(&mut self) -> Result<(), StageError> {
        while !self.out.is_done()
            && let Some(place) = self.input.next_held()
        {
            self.reader.discard();
            self.begin_source(place)?;
            while self.read()? > 0 {
                self.take_lines()?;
            }
            self.take_lines()?;
        }
        Ok(())
    }

    /// Waits until the source can be read, after flushing if that takes time.
    fn readable(&mut self) -> Result<Event, StageError> {
        let failed = |source| StageError::Read { from: "the input".to_owned(), source };
        let mut event = self.input.poll().map_err(failed)?;
        let mut release = self.releases_at();
        loop {
            self.tell_origin()?;
            // Not at a flush: batches must not depend on who watches.
            self.input.show_progress(self.operator, self.out);
            let mut check = None;
            if let Some(checkpoint) = self.checkpoint.as_deref_mut() {
                check = checkpoint.check()?;
            }
            if self.input.is_due() {
                self.flush()?;
            }
            match event {
                Event::Readable | Event::Stop | Event::ReaderGone => return Ok(event),
                // It has been shown already.
                Event::Pending | Event::ShowProgress => {}
                Event::TimedOut if release.is_some_and(|release| release <= self.input.now()) => {
                    release = None;
                    self.reader.release();
                    self.take_lines()?;
                    if self.out.is_done() {
                        return Ok(Event::Readable);
                    }
                }
                Event::TimedOut => self.tell_time()?,
                Event::ShowStats => self.input.show_stats(self.operator, self.out)?,
            }
            self.flush()?;
            let attend = self.operator.attend(self.out)?;
            let timeout = [self.timeout(release), attend, check].into_iter().flatten().min();
            event = self.input.wait(timeout).map_err(failed)?;
        }
    }

    /// Writes all that there is, and tells the source so.
    fn flush(&mut self) -> Result<(), StageError> {
        self.out.flush()?;
        self.input.written(self.reader.consumed())
    }

    /// When a record that more lines could belong to is given out, if none
    /// come from now on.
    fn releases_at(&self) -> Option<Timestamp> {
        let wait = TimeDelta { micros: self.reader.wait()?.as_micros().try_into().ok()? };
        Some(Timestamp::from_micros(self.input.now().micros.checked_add(wait.micros)?))
    }

    /// How long the operator, the origin and a record to be released can do
    /// without a call.
    fn timeout(&mut self, release: Option<Timestamp>) -> Option<Duration> {
        let release = release.map(|release| {
            let micros = release.micros.saturating_sub(self.input.now().micros);
            Duration::from_micros(micros.try_into().unwrap_or(0))
        });
        if self.control.is_over() {
            return release;
        }
        let origin = self.origin.as_ref().and_then(Origin::wakes_at);
        let wake = [self.operator.wakes_at(), origin].into_iter().flatten().min();
        let wake = wake.and_then(|wake| self.clock.wait_for(wake, self.input.now()));
        [wake, release].into_iter().flatten().min()
    }

    /// Puts into the stream what is due by the clock.
    fn tell_origin(&mut self) -> Result<(), StageError> {
        let Some(mut origin) = self.origin.take() else { return Ok(()) };
        let now = self.input.now();
        origin.beat(now, self.out);
        if origin.is_barrier_due(now) {
            let has_ended = origin.is_finished(&self.out.stats);
            self.barrier(&mut origin, has_ended)?;
        }
        self.origin = Some(origin);
        Ok(())
    }

    /// Tells the operator what the wall clock shows, if that still counts.
    fn tell_time(&mut self) -> Result<(), StageError> {
        match self.clock.at_wall(self.input.now()) {
            Some(now) => self.operator.on_clock(now, self.out),
            None => Ok(()),
        }
    }

    /// Takes in the lines that have been read.
    fn take_lines(&mut self) -> Result<(), StageError> {
        // The wall clock is told once for each read, and not before the first
        // record: a heartbeat directly behind `start` is then the only clock
        // that the operator ever sees.
        let mut is_told = false;
        while let Some((position, mut line)) = self.reader.next_line() {
            let place = if self.checkpoint.is_some() {
                self.control.numbering.place(position)
            } else {
                position
            };
            self.out.begin_line(place);
            if self.out.line_number() == 1 {
                // Some editors begin a file with a byte order mark.
                line.bytes = line.bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line.bytes);
            }
            if line.bytes.iter().all(u8::is_ascii_whitespace) {
                self.out.stats.blank += 1;
                continue;
            }
            if self.control.state != ControlState::Absent {
                let at = At { line: line.bytes, position };
                if self.control.take(
                    at,
                    &mut self.clock,
                    self.operator,
                    self.out,
                    &mut self.checkpoint,
                )? {
                    continue;
                }
            }
            if self.control.state == ControlState::Ended {
                return Err(behind_the_end(self.out));
            }
            if !is_told {
                is_told = true;
                if let Some(now) = self.clock.at_wall(self.input.now()) {
                    self.operator.on_clock(now, self.out)?;
                }
            }
            self.out.stats.records_in += 1;
            if line.fault == Some(Reason::TooLong) {
                let limit = self.options.max_line;
                let detail = format_args!("longer than {limit} bytes; see --max-line");
                self.out.reject(Reason::TooLong, detail, line)?;
            } else {
                self.operator.on_record(line, self.out)?;
            }
            if self.out.is_done() {
                break;
            }
        }
        Ok(())
    }
}

/// The error of a stage under a checkpoint whose input ends unannounced.
#[cold]
fn torn() -> StageError {
    let text = "the input ended in the middle: a stage before this one has failed. Nothing was \
                flushed; the same command line goes on from the last epoch that is committed";
    StageError::Failed(text.to_owned())
}

/// The error of a stage under a checkpoint whose output nobody reads to the end.
#[cold]
fn reader_gone() -> StageError {
    let text = "the stage behind this one has gone before the end: nothing more is kept";
    StageError::Failed(text.to_owned())
}

#[cfg(test)]
#[path = "driver_tests.rs"]
mod tests;

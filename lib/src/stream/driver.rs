//! The loop that feeds an operator.

use std::time::Duration;

use super::clock::ProcessingClock;
use super::input::{Event, Input, Next};
use super::{Operator, Origin, Output, Place, StageError};
use crate::line::{Control, Framing, LineReader, Reason};
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
/// the end.
///
/// # Errors
///
/// Fails if input or output does, or on the first reject under `--strict`.
pub fn drive(
    operator: &mut dyn Operator,
    input: &mut dyn Input,
    out: &mut Output,
    options: &Options,
) -> Result<Outcome, StageError> {
    let mut driver = Driver {
        operator: &mut *operator,
        input,
        out: &mut *out,
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
    reader: LineReader,
    control: ControlLines,
    clock: ProcessingClock,
    origin: Option<Origin>,
    options: &'a Options,
}

impl Driver<'_> {
    fn run(&mut self) -> Result<Outcome, StageError> {
        if let Some(origin) = &mut self.origin {
            origin.begin(self.input.now(), self.out);
        }
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
            _ => {
                self.operator.on_end(self.out)?;
                Outcome::Ended
            }
        };
        if let Some(origin) = &mut self.origin {
            origin.end(self.reader.consumed(), self.input, self.out)?;
        }
        self.flush()?;
        Ok(outcome)
    }

    /// The run was told to end: so do the data, unless another run can go on
    /// with them.
    fn stop(&mut self) -> Result<Outcome, StageError> {
        match self.origin.as_mut().filter(|origin| origin.can_resume()) {
            None => {
                self.reader.release();
                self.take_lines()?;
                self.take_held()?;
                self.end()
            }
            Some(origin) => {
                origin.suspend(self.reader.consumed(), self.input, self.out)?;
                self.flush()?;
                Ok(Outcome::Suspended)
            }
        }
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
            if self.input.is_due() {
                self.flush()?;
            }
            match event {
                Event::Readable | Event::Stop | Event::ReaderGone => return Ok(event),
                Event::Pending => {}
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
            let timeout = [self.timeout(release), attend].into_iter().flatten().min();
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
        if matches!(self.control.state, ControlState::Suspended | ControlState::Ended) {
            return release;
        }
        let origin = self.origin.as_ref().and_then(Origin::wakes_at);
        let wake = [self.operator.wakes_at(), origin].into_iter().flatten().min();
        let wake = wake.and_then(|wake| self.clock.wait_for(wake, self.input.now()));
        [wake, release].into_iter().flatten().min()
    }

    /// Puts into the stream what is due by the clock.
    fn tell_origin(&mut self) -> Result<(), StageError> {
        let Some(origin) = &mut self.origin else { return Ok(()) };
        let now = self.input.now();
        origin.on_clock(now, self.reader.consumed(), self.input, self.out)
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
            self.out.begin_line(position);
            if self.out.line_number() == 1 {
                // Some editors begin a file with a byte order mark.
                line.bytes = line.bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line.bytes);
            }
            if line.bytes.iter().all(u8::is_ascii_whitespace) {
                self.out.stats.blank += 1;
                continue;
            }
            if self.control.state != ControlState::Absent
                && self.control.take(line.bytes, &mut self.clock, self.operator, self.out)?
            {
                continue;
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

/// What is known of the stream's control lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ControlState {
    /// No line has been read.
    Undecided,
    /// The stream has none: what looks like one is a forgery, and a record.
    Absent,
    /// The stream began with `start`.
    Present,
    /// The stream has been suspended.
    Suspended,
    /// The data have ended and the operator knows.
    Ended,
}

struct ControlLines {
    state: ControlState,
    forward: bool,
}

impl ControlLines {
    fn new(options: &Options) -> Self {
        let state =
            if options.accept_control { ControlState::Undecided } else { ControlState::Absent };
        Self { state, forward: options.forward_control }
    }

    /// Acts on the line if it is a control line; tells whether it was.
    #[cold]
    fn take(
        &mut self,
        line: &[u8],
        clock: &mut ProcessingClock,
        operator: &mut dyn Operator,
        out: &mut Output,
    ) -> Result<bool, StageError> {
        let may_be = Control::is_control(line);
        let control = match (self.state, may_be.then(|| Control::parse(line))) {
            (ControlState::Undecided, Some(Ok(control @ Control::Start(_)))) => control,
            (ControlState::Undecided, _) => {
                self.state = ControlState::Absent;
                return Ok(false);
            }
            (_, None) => return Ok(false),
            (_, Some(Ok(control))) => control,
            (_, Some(Err(error))) => {
                let (source, number) = (out.source(), out.line_number());
                return Err(StageError::Failed(format!("{source}:{number}: {error}")));
            }
        };
        match &control {
            Control::Start(_) if self.state == ControlState::Ended => {
                return Err(behind_the_end(out));
            }
            Control::Start(start) => {
                self.state = ControlState::Present;
                if start.line.is_some() && operator.is_stateful() {
                    self.forward = false;
                    out.message(
                        "this stage keeps state but has no --checkpoint: \
                         control lines end here, and the stages behind cannot be exactly-once",
                    );
                }
            }
            Control::Suspend => self.state = ControlState::Suspended,
            Control::Heartbeat { at } if self.state == ControlState::Present => {
                if clock.hand_over() {
                    operator.on_clock_change();
                }
                operator.on_clock(clock.at_heartbeat(*at), out)?;
            }
            _ => {}
        }
        operator.on_control(&control, out)?;
        if control == Control::End && self.state != ControlState::Ended {
            // What the end settles belongs before the line that says it.
            operator.on_end(out)?;
            self.state = ControlState::Ended;
        }
        if self.forward {
            out.control(line);
        }
        Ok(true)
    }
}

/// The error of a stream that goes on after its end.
#[cold]
fn behind_the_end(out: &Output) -> StageError {
    let (source, number) = (out.source(), out.line_number());
    StageError::Failed(format!(
        "{source}:{number}: the stream has ended above this line; read recordings one at a time"
    ))
}

#[cfg(test)]
#[path = "driver_tests.rs"]
mod tests;

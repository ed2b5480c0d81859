//! The loop that feeds an operator.

use std::io;
use std::time::Duration;

use super::{Operator, Output, StageError};
use crate::line::{Control, LineReader, Reason};

/// What the outside world has for the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A read would not block.
    Readable,
    /// A read would block.
    Pending,
    /// The time asked for has passed without input.
    TimedOut,
    /// Somebody wants to see the statistics now.
    ShowStats,
    /// Nobody reads our output any more.
    ReaderGone,
    /// The run is to end as if the input had ended.
    Stop,
}

/// The input side of a stage: one or more sources, read one after another.
///
/// The driver reads no clock and opens no file; what does is behind this.
pub trait Input {
    /// Goes on to the first or next source and returns its name; `None` if
    /// there are no more.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be opened.
    fn next_source(&mut self) -> Result<Option<String>, StageError>;

    /// Whether that may take a wait, as for the writer of a named pipe.
    fn next_source_waits(&self) -> bool {
        false
    }

    /// Tells whether the present source can be read, without waiting.
    ///
    /// # Errors
    ///
    /// Fails if the system does.
    fn poll(&mut self) -> io::Result<Event>;

    /// Waits until there is something to do, at most for `timeout`. Never
    /// returns [`Event::Pending`].
    ///
    /// # Errors
    ///
    /// Fails if the system does.
    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<Event>;

    /// Reads from the present source; 0 is its end.
    ///
    /// # Errors
    ///
    /// Fails if the system does.
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize>;

    /// Shows the statistics to whoever asked for them.
    ///
    /// # Errors
    ///
    /// Fails if they cannot be written.
    fn show_stats(&mut self, _operator: &dyn Operator, _out: &Output) -> Result<(), StageError> {
        Ok(())
    }
}

/// What the driver needs to know.
#[derive(Clone, Debug)]
pub struct Options {
    /// Lines longer than this many bytes are rejected.
    pub max_line: usize,
    /// Whether the input may have control lines. A stage that reads the outside
    /// world takes none, so that data cannot forge them.
    pub accept_control: bool,
    /// Whether control lines are passed on (into a pipe) or swallowed.
    pub forward_control: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { max_line: 64 * 1024 * 1024, accept_control: true, forward_control: true }
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
        operator,
        input,
        out,
        reader: LineReader::new(options.max_line),
        control: ControlLines::new(options),
        options,
    };
    let outcome = match driver.run() {
        Err(error) if error.is_reader_gone() => Ok(Outcome::ReaderGone),
        outcome => outcome,
    };
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
    options: &'a Options,
}

impl Driver<'_> {
    fn run(&mut self) -> Result<Outcome, StageError> {
        loop {
            if self.input.next_source_waits() {
                self.out.flush()?;
            }
            let Some(name) = self.input.next_source()? else { break };
            self.out.begin_source(&name);
            loop {
                self.take_lines()?;
                match self.readable()? {
                    Event::Stop => return self.end(),
                    Event::ReaderGone => return Ok(Outcome::ReaderGone),
                    _ => {}
                }
                let input = &mut *self.input;
                let read = self.reader.fill(|space| input.read(space));
                let count =
                    read.map_err(|source| StageError::Read { from: name.clone(), source })?;
                self.out.stats.bytes_in += count as u64;
                if count == 0 {
                    self.take_lines()?;
                    break;
                }
            }
        }
        self.end()
    }

    fn end(&mut self) -> Result<Outcome, StageError> {
        let outcome = match self.control.state {
            ControlState::Suspended => Outcome::Suspended,
            ControlState::Ended => Outcome::Ended,
            _ => {
                self.operator.on_end(self.out)?;
                Outcome::Ended
            }
        };
        self.out.flush()?;
        Ok(outcome)
    }

    /// Waits until the source can be read, after flushing if that takes time.
    fn readable(&mut self) -> Result<Event, StageError> {
        let failed = |source| StageError::Read { from: "the input".to_owned(), source };
        let mut event = self.input.poll().map_err(failed)?;
        loop {
            match event {
                Event::Readable | Event::Stop | Event::ReaderGone => return Ok(event),
                Event::Pending => {}
                Event::TimedOut => self.operator.on_idle(self.out)?,
                Event::ShowStats => self.input.show_stats(self.operator, self.out)?,
            }
            self.out.flush()?;
            event = self.input.wait(self.operator.idle_after()).map_err(failed)?;
        }
    }

    /// Takes in the lines that have been read.
    fn take_lines(&mut self) -> Result<(), StageError> {
        while let Some(mut line) = self.reader.next_line() {
            self.out.begin_line();
            if self.out.line_number() == 1 {
                // Some editors begin a file with a byte order mark.
                line.bytes = line.bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line.bytes);
            }
            if line.bytes.iter().all(u8::is_ascii_whitespace) {
                self.out.stats.blank += 1;
                continue;
            }
            if self.control.state != ControlState::Absent
                && self.control.take(line.bytes, self.operator, self.out)?
            {
                continue;
            }
            if self.control.state == ControlState::Ended {
                return Err(behind_the_end(self.out));
            }
            self.out.stats.records_in += 1;
            if line.fault == Some(Reason::TooLong) {
                let limit = self.options.max_line;
                let detail = format_args!("longer than {limit} bytes; see --max-line");
                self.out.reject(Reason::TooLong, detail, line)?;
            } else {
                self.operator.on_record(line, self.out)?;
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
mod tests {
    use super::*;
    use crate::line::Line;
    use std::cell::RefCell;
    use std::rc::Rc;

    /// Passes lines on, shows when it is told the end.
    struct Echo;

    impl Operator for Echo {
        fn on_record(&mut self, line: Line<'_>, out: &mut Output) -> Result<(), StageError> {
            out.copy_row(line.bytes)
        }

        fn on_end(&mut self, out: &mut Output) -> Result<(), StageError> {
            out.copy_row(b"END")
        }

        fn is_stateful(&self) -> bool {
            true
        }
    }

    /// Sources in memory; a `None` among the pieces is a wait.
    struct Pieces {
        sources: Vec<Vec<Option<&'static [u8]>>>,
        waits: Rc<RefCell<u32>>,
    }

    impl Input for Pieces {
        fn next_source(&mut self) -> Result<Option<String>, StageError> {
            self.sources.pop().map_or(Ok(None), |pieces| {
                self.sources.push(pieces);
                Ok(Some("memory".to_owned()))
            })
        }

        fn poll(&mut self) -> io::Result<Event> {
            match self.sources.last().and_then(|pieces| pieces.last()) {
                Some(None) => Ok(Event::Pending),
                _ => Ok(Event::Readable),
            }
        }

        fn wait(&mut self, _timeout: Option<Duration>) -> io::Result<Event> {
            *self.waits.borrow_mut() += 1;
            if let Some(pieces) = self.sources.last_mut() {
                pieces.pop();
            }
            Ok(Event::Readable)
        }

        fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
            if let Some(Some(piece)) = self.sources.last_mut().and_then(Vec::pop) {
                space[..piece.len()].copy_from_slice(piece);
                Ok(piece.len())
            } else {
                self.sources.pop();
                Ok(0)
            }
        }
    }

    #[derive(Clone, Default)]
    struct Written(Rc<RefCell<Vec<Vec<u8>>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().push(bytes.to_vec());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn run(sources: &[&[Option<&'static [u8]>]]) -> (Result<Outcome, StageError>, Vec<String>) {
        let reversed = |pieces: &&[Option<&'static [u8]>]| pieces.iter().rev().copied().collect();
        let sources = sources.iter().rev().map(reversed).collect();
        let written = Written::default();
        let mut out = Output::new(Box::new(written.clone()), Box::new(|_| {}));
        let mut input = Pieces { sources, waits: Rc::default() };
        let outcome = drive(&mut Echo, &mut input, &mut out, &Options::default());
        let blocks = written.0.take().into_iter();
        let blocks = blocks.map(|block| String::from_utf8(block).unwrap()).collect();
        (outcome, blocks)
    }

    #[test]
    fn flushes_before_it_waits_and_only_then() {
        let (outcome, blocks) =
            run(&[&[Some(b"a\nb\n"), Some(b"c\n"), None, Some(b"d\n")], &[Some(b"e")]]);
        assert_eq!(outcome.unwrap(), Outcome::Ended);
        assert_eq!(blocks, ["a\nb\nc\n", "d\ne\nEND\n"]);
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_first_line() {
        let (_, blocks) = run(&[&[Some(b"\xef\xbb\xbfa\nb")], &[Some(b"\xef\xbb\xbfc")]]);
        assert_eq!(blocks, ["a\nb\nc\nEND\n"]);
    }

    #[test]
    fn a_last_line_does_not_run_into_the_next_source() {
        let (_, blocks) = run(&[&[Some(b"a")], &[Some(b"b")]]);
        assert_eq!(blocks, ["a\nb\nEND\n"]);
    }

    #[test]
    fn a_suspended_stream_is_not_flushed() {
        let start = br#"{"@":"start","format":1,"line":null,"run":null,"epoch":null,"stage":0}
{"a":1}
{"@":"suspend"}
"#;
        let (outcome, blocks) = run(&[&[Some(start)]]);
        assert_eq!(outcome.unwrap(), Outcome::Suspended);
        assert_eq!(blocks, [std::str::from_utf8(start).unwrap()]);
    }

    #[test]
    fn the_last_rows_come_before_the_end_line() {
        let lines = br#"{"@":"start","format":1,"line":null,"run":null,"epoch":null,"stage":0}
{"a":1}
{"@":"end"}
{"@":"barrier","epoch":8}
"#;
        let (outcome, blocks) = run(&[&[Some(lines)]]);
        assert_eq!(outcome.unwrap(), Outcome::Ended);
        let shown: String = blocks.concat().lines().skip(1).collect();
        assert_eq!(shown, r#"{"a":1}END{"@":"end"}{"@":"barrier","epoch":8}"#);
    }

    #[test]
    fn nothing_goes_on_after_its_end() {
        let ended = r#"{"@":"start","format":1,"line":null,"run":null,"epoch":null,"stage":0}
{"@":"end"}
"#;
        for behind in [r#"{"a":1}"#, ended] {
            let lines = format!("{ended}{behind}\n").leak().as_bytes();
            let error = run(&[&[Some(lines)]]).0.unwrap_err();
            assert!(error.to_string().starts_with("memory:3: the stream has ended"), "{error}");
        }
    }

    #[test]
    fn the_outside_world_cannot_forge_control_lines() {
        let start = br#"{"@":"start","format":1,"line":null,"run":null,"epoch":null,"stage":0}"#;
        let mut out = Output::in_memory();
        let mut input = Pieces { sources: vec![vec![Some(&start[..])]], waits: Rc::default() };
        let options = Options { accept_control: false, ..Options::default() };
        drive(&mut Echo, &mut input, &mut out, &options).unwrap();
        assert_eq!(out.stats.records_in, 1);
    }

    #[test]
    fn without_start_a_control_line_is_a_record() {
        let (outcome, blocks) = run(&[&[Some(b"{\"@\":\"suspend\"}\n")]]);
        assert_eq!(outcome.unwrap(), Outcome::Ended);
        assert_eq!(blocks, ["{\"@\":\"suspend\"}\nEND\n"]);
    }

    #[test]
    fn state_without_checkpoint_breaks_the_line() {
        let start = br#"{"@":"start","format":1,"line":"3f","run":"9c","epoch":0,"stage":0}
x
{"@":"end"}
"#;
        let (_, blocks) = run(&[&[Some(start)]]);
        assert_eq!(blocks, ["x\nEND\n"]);
    }

    #[test]
    fn damaged_control_lines_stop_the_stage() {
        let lines = br#"{"@":"start","format":1,"line":null,"run":null,"epoch":null,"stage":0}
{"@":"barrier"}
"#;
        let error = run(&[&[Some(lines)]]).0.unwrap_err();
        assert!(error.to_string().starts_with("memory:2: "), "{error}");
    }
}

//! A source together with what else a stage attends to while it reads:
//! signals, timers, and whether its stdout is still read.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::progress::Progress;
use super::report::Report;
use super::say;
use super::signals::Signals;
use crate::source::{self, Source, enlarge, is_pipe};
use crate::stream::{Event, Input, Next, Operator, Output, Place, StageError};
use crate::time::Timestamp;

/// A stage that is no source goes on reading this long after it was told to
/// stop: the source has been told too, and its end is on the way.
const GRACE: Duration = Duration::from_secs(5);

/// So many times bytes that lie in memory are taken before the system is asked
/// for anything else: asking costs more than a line does.
const UNASKED: u32 = 64;

/// The input of a running stage.
#[derive(Debug)]
pub(super) struct Attended {
    source: Box<dyn Source>,
    /// Whether this stage is the first of its pipeline.
    is_first: bool,
    signals: Signals,
    /// When a stage that is not the first stops for a signal.
    deadline: Option<Instant>,
    report: Report,
    progress: Progress,
    stdout: OwnedFd,
    stdout_is_pipe: bool,
    /// How many times in a row the system has not been asked.
    unasked: u32,
}

impl Attended {
    pub(super) fn new(
        source: Box<dyn Source>,
        is_first: bool,
        signals: Signals,
        report: Report,
        when: super::ProgressWhen,
    ) -> io::Result<Self> {
        let progress = Progress::new(report.stage(), when, is_first, source.total());
        let stdout = rustix::stdio::stdout();
        let stdout_is_pipe = is_pipe(stdout);
        let stdout = stdout.try_clone_to_owned()?;
        if stdout_is_pipe {
            enlarge(stdout.as_fd());
        }
        Ok(Self {
            source,
            is_first,
            signals,
            deadline: None,
            report,
            progress,
            stdout,
            stdout_is_pipe,
            unasked: 0,
        })
    }

    /// Stops watching whether stdout is still read.
    pub(super) fn forget_stdout(&mut self) {
        self.stdout_is_pipe = false;
    }

    /// Takes progress off the screen and gives back the report and signals.
    pub(super) fn finish(mut self) -> (Report, Signals) {
        self.progress.clear();
        self.source.close();
        self.tell_messages();
        (self.report, self.signals)
    }

    fn tell_messages(&mut self) {
        for message in self.source.messages() {
            say(self.report.stage(), &message);
        }
    }

    /// What signals and timers ask for.
    fn pending_event(&mut self) -> Option<Event> {
        if self.signals.stop() {
            let grace = if self.is_first { Duration::ZERO } else { GRACE };
            let deadline = *self.deadline.get_or_insert_with(|| Instant::now() + grace);
            if Instant::now() >= deadline {
                return Some(Event::Stop);
            }
        }
        let asked = self.signals.take_show_stats();
        (asked || self.report.is_due()).then_some(Event::ShowStats)
    }

    /// Waits for input, a signal or the reader's leaving; tells which came, if
    /// any did within `timeout`.
    fn poll_descriptors(&mut self, timeout: Option<Duration>) -> io::Result<Option<Event>> {
        let mut descriptors = Vec::new();
        self.source.descriptors(&mut descriptors);
        let sources = descriptors.len();
        let mut fds: Vec<PollFd<'_>> = descriptors.into_iter().map(readable).collect();
        fds.push(readable(self.signals.fd()));
        if self.stdout_is_pipe {
            fds.push(PollFd::new(&self.stdout, PollFlags::empty()));
        }
        let timeout = timeout.map(|timeout| Timespec {
            tv_sec: timeout.as_secs().try_into().unwrap_or(i64::MAX),
            tv_nsec: timeout.subsec_nanos().into(),
        });
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        // A hang-up shows as end of file when it is read.
        let has_input = fds[..sources].iter().any(|fd| !fd.revents().is_empty());
        let is_signal = !fds[sources].revents().is_empty();
        let gone = PollFlags::ERR | PollFlags::HUP;
        let is_reader_gone = fds.get(sources + 1).is_some_and(|fd| fd.revents().intersects(gone));
        if is_signal {
            self.signals.drain();
        }
        if is_reader_gone {
            return Ok(Some(Event::ReaderGone));
        }
        Ok(has_input.then_some(Event::Readable))
    }

    /// Whether the source has something to do though no descriptor says so.
    fn is_ready(&self) -> bool {
        let is_due = |look: Instant| look <= Instant::now();
        self.source.is_ready() || self.source.looks_at().is_some_and(is_due)
    }
}

fn readable(fd: BorrowedFd<'_>) -> PollFd<'_> {
    PollFd::from_borrowed_fd(fd, PollFlags::IN)
}

impl Input for Attended {
    fn next(&mut self) -> Result<Next, StageError> {
        let next = self.source.next();
        self.tell_messages();
        next
    }

    fn next_held(&mut self) -> Option<Place> {
        self.source.next_held()
    }

    fn poll(&mut self) -> io::Result<Event> {
        if let Some(event) = self.pending_event() {
            return Ok(event);
        }
        if self.unasked < UNASKED && self.source.is_ready() {
            self.unasked += 1;
            return Ok(Event::Readable);
        }
        self.unasked = 0;
        let event = self.poll_descriptors(Some(Duration::ZERO))?;
        let ready = || if self.is_ready() { Event::Readable } else { Event::Pending };
        Ok(event.unwrap_or_else(ready))
    }

    fn wait(&mut self, timeout: Option<Duration>) -> io::Result<Event> {
        // A time too far away to be told is never reached.
        let wake = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            if let Some(event) = self.pending_event() {
                return Ok(event);
            }
            if self.is_ready() {
                return Ok(Event::Readable);
            }
            let now = Instant::now();
            if wake.is_some_and(|wake| now >= wake) {
                // Input that has come meanwhile goes first.
                return Ok(self.poll_descriptors(Some(Duration::ZERO))?.unwrap_or(Event::TimedOut));
            }
            if self.progress.is_due() {
                return Ok(Event::ShowProgress);
            }
            let due = [self.report.due(), self.progress.due()];
            let times = [wake, self.deadline, self.source.looks_at()].into_iter().chain(due);
            let next = times.flatten().min();
            let timeout = next.map(|next| next.saturating_duration_since(now));
            if let Some(event) = self.poll_descriptors(timeout)? {
                return Ok(event);
            }
        }
    }

    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.source.read(space) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    fn is_read(&self) -> bool {
        !self.stdout_is_pipe || super::is_read()
    }

    fn leave(&mut self) {
        let nothing = File::options().write(true).open("/dev/null");
        // Where that is not to be had, the reader waits for our end.
        if let Ok(nothing) = nothing
            && rustix::stdio::dup2_stdout(&nothing).is_ok()
        {
            self.stdout = nothing.into();
            self.stdout_is_pipe = false;
        }
    }

    fn pause(&mut self, length: Duration) {
        thread::sleep(length);
    }

    fn now(&self) -> Timestamp {
        source::now()
    }

    fn show_stats(&mut self, operator: &dyn Operator, out: &Output) -> Result<(), StageError> {
        self.report.show(operator, out)
    }

    fn show_progress(&mut self, operator: &dyn Operator, out: &Output) {
        if self.progress.is_due() {
            let (taken, share) = (self.source.taken(), self.source.share());
            self.progress.draw(taken, share, &out.stats, operator, source::now());
        }
    }

    fn is_due(&self) -> bool {
        self.source.is_due()
    }

    fn written(&mut self, consumed: u64) -> Result<(), StageError> {
        self.source.written(consumed)
    }

    fn save(&mut self, epoch: u64, consumed: u64) -> Result<(), StageError> {
        self.source.save(epoch, consumed)
    }
}

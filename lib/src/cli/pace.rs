//! Writing in time with the clock.

use std::os::fd::{AsFd as _, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::signals::Signals;
use crate::source::is_pipe;
use crate::stream::{Output, StageError};
use crate::time::Timestamp;

/// Keeps a stream of lines in time with the wall clock, and knows when to stop:
/// after SIGINT or SIGTERM, or when nobody reads stdout any more.
#[derive(Debug)]
pub struct Pacer {
    /// Seconds of the stream in one of the clock; `None` for as fast as can be.
    speed: Option<f64>,
    /// When the first line was due, and its time.
    first: Option<(Instant, Timestamp)>,
    signals: Signals,
    stdout: OwnedFd,
}

impl Pacer {
    /// A pacer that lets so many seconds of the stream, more than 0, pass in
    /// each second of the clock; without a speed it never waits.
    ///
    /// # Errors
    ///
    /// Fails if signal handlers cannot be installed.
    pub fn new(speed: Option<f64>) -> anyhow::Result<Self> {
        let stdout = rustix::stdio::stdout().try_clone_to_owned()?;
        Ok(Self { speed, first: None, signals: Signals::install()?, stdout })
    }

    /// Waits until a line of this time is due; the first one is at once. What
    /// `out` has is flushed before a wait. False if it is time to stop.
    ///
    /// # Errors
    ///
    /// Fails if `out` does.
    pub fn wait_for(&mut self, at: Timestamp, out: &mut Output) -> Result<bool, StageError> {
        let due = self.speed.map(|speed| {
            let (start, first) = *self.first.get_or_insert_with(|| (Instant::now(), at));
            let seconds = at.micros.saturating_sub(first.micros) as f64 / 1e6 / speed;
            // What is too far away to be told is as good as never.
            let after = Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX);
            start.checked_add(after).unwrap_or(start + CENTURY)
        });
        let wait =
            |due: Instant| due.checked_duration_since(Instant::now()).filter(|d| !d.is_zero());
        if due.and_then(wait).is_some() {
            out.flush()?;
        }
        while !self.signals.stop() {
            let Some(rest) = due.and_then(wait) else { return Ok(true) };
            if !self.sleep(rest) {
                return Ok(false);
            }
        }
        Ok(false)
    }

    /// Sleeps for so long, or until a signal comes; false if stdout's reader has
    /// gone.
    fn sleep(&mut self, rest: Duration) -> bool {
        let mut fds = [
            PollFd::from_borrowed_fd(self.signals.fd(), PollFlags::IN),
            PollFd::new(&self.stdout, PollFlags::empty()),
        ];
        let watched = if is_pipe(self.stdout.as_fd()) { &mut fds[..] } else { &mut fds[..1] };
        let timeout = Timespec {
            tv_sec: rest.as_secs().try_into().unwrap_or(i64::MAX),
            tv_nsec: rest.subsec_nanos().into(),
        };
        match poll(watched, Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => {}
            // Nothing to wait with: the time passes all the same.
            Err(_) => std::thread::sleep(rest.min(Duration::from_millis(100))),
        }
        let has_reader = !fds[1].revents().intersects(PollFlags::ERR | PollFlags::HUP);
        if !fds[0].revents().is_empty() {
            self.signals.drain();
        }
        has_reader
    }
}

/// Longer than anybody waits.
const CENTURY: Duration = Duration::from_secs(100 * 365 * 86_400);

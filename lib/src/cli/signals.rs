//! Signals: notice at the first SIGINT or SIGTERM, the system's default at the
//! second; SIGUSR1 asks for statistics.
//!
//! `timeout` and other supervisors tell the process and then its group, so that
//! two signals come at once. They are one notice: only a signal that comes a
//! while later is the second.

use std::io::{self, Read as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};
use signal_hook::{flag, low_level};

/// Signals that come within so long of the first are the same notice.
const SAME: Duration = Duration::from_millis(250);

#[derive(Debug)]
pub(super) struct Signals {
    stop: Arc<AtomicBool>,
    show_stats: Arc<AtomicBool>,
    /// Becomes readable when a signal arrives, so that a wait ends.
    wake: UnixStream,
}

impl Signals {
    pub(super) fn install() -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let show_stats = Arc::new(AtomicBool::new(false));
        let (wake, ring) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        let ends = Arc::new(AtomicBool::new(false));
        let (notice, first) = UnixStream::pair()?;
        for signal in [SIGINT, SIGTERM] {
            flag::register_conditional_default(signal, Arc::clone(&ends))?;
            flag::register(signal, Arc::clone(&stop))?;
            low_level::pipe::register(signal, ring.try_clone()?)?;
            low_level::pipe::register(signal, first.try_clone()?)?;
        }
        // A thread, since the program may be waiting for whoever reads it.
        thread::Builder::new().name("signals".to_owned()).spawn(move || arm(notice, &ends))?;
        flag::register(SIGUSR1, Arc::clone(&show_stats))?;
        low_level::pipe::register(SIGUSR1, ring)?;
        Ok(Self { stop, show_stats, wake })
    }

    /// Whether SIGINT or SIGTERM has come.
    pub(super) fn stop(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Whether SIGUSR1 has come since the last call.
    pub(super) fn take_show_stats(&self) -> bool {
        self.show_stats.swap(false, Ordering::Relaxed)
    }

    /// What to wait on.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }

    /// Waits until a signal has come.
    pub(super) fn wait(&mut self) -> io::Result<()> {
        let mut fds = [PollFd::from_borrowed_fd(self.wake.as_fd(), PollFlags::IN)];
        match poll(&mut fds, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        self.drain();
        Ok(())
    }

    /// Forgets wake-ups that have been acted on.
    pub(super) fn drain(&mut self) {
        let mut bytes = [0; 64];
        while matches!(self.wake.read(&mut bytes), Ok(count) if count > 0) {}
    }
}

/// Lets signals end the program, a while after the first one.
fn arm(mut notice: UnixStream, ends: &AtomicBool) {
    if notice.read_exact(&mut [0]).is_ok() {
        thread::sleep(SAME);
        ends.store(true, Ordering::Relaxed);
    }
}

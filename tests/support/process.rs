//! Programs that are watched while they run.
//!
//! Nothing here sleeps to give a program time: whatever is waited for has a
//! deadline, and missing it fails the test.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How long anything may take that happens at once.
const PATIENCE: Duration = Duration::from_secs(20);

/// How a program ended.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    Code(i32),
    Signal(i32),
}

/// Waits for a program to end.
///
/// # Panics
///
/// If it does not.
#[track_caller]
pub fn wait(child: &mut Child, patience: Duration) -> End {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code().map_or_else(|| End::Signal(status.signal().unwrap()), End::Code);
        }
        if Instant::now() >= deadline {
            child.kill().unwrap();
            panic!("still running after {patience:?}");
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// A program between pipes that the test holds. Killed if the test fails.
pub struct Live {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
}

impl Live {
    /// Starts the command, its three streams being pipes.
    pub fn spawn(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdin = child.stdin.take();
        let stdout = lines(child.stdout.take().unwrap().into());
        let stderr = lines(child.stderr.take().unwrap().into());
        Self { child, stdin, stdout, stderr }
    }

    /// Writes to its stdin, at once.
    pub fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.stdin.as_mut().unwrap().write_all(bytes.as_ref()).unwrap();
    }

    /// Ends its stdin.
    pub fn close(&mut self) {
        self.stdin = None;
    }

    /// The next line of its stdout.
    #[track_caller]
    pub fn line(&self) -> String {
        self.stdout.recv_timeout(PATIENCE).expect("a line of stdout should have come")
    }

    /// The next line of its stderr.
    #[track_caller]
    pub fn message(&self) -> String {
        self.stderr.recv_timeout(PATIENCE).expect("a line of stderr should have come")
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Closes its stdout at the next line that it writes.
    pub fn leave(&mut self) {
        self.stdout = channel().1;
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
    }

    /// Waits for its end, and returns it with what is left of its stdout and
    /// stderr.
    #[track_caller]
    pub fn end_within(mut self, patience: Duration) -> (End, Vec<String>, Vec<String>) {
        let end = wait(&mut self.child, patience);
        (end, self.stdout.iter().collect(), self.stderr.iter().collect())
    }

    /// [`end_within`](Self::end_within) any time that is not forever.
    #[track_caller]
    pub fn end(self) -> (End, Vec<String>, Vec<String>) {
        self.end_within(PATIENCE)
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines of a pipe, as they come.
fn lines(pipe: OwnedFd) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(std::fs::File::from(pipe)).lines() {
            if sender.send(line.unwrap()).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Waits for the end of a program whose output is no longer read.
#[track_caller]
pub fn end(child: &mut Child) -> End {
    wait(child, PATIENCE)
}

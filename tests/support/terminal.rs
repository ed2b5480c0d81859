//! Programs whose messages go to a terminal.

use std::fs::File;
use std::io::Read as _;
use std::os::fd::{AsFd as _, OwnedFd};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// What clears a line before it is drawn over.
pub const CLEAR: &str = "\r\x1b[K";

/// A terminal that programs can write to.
pub struct Terminal {
    controller: OwnedFd,
    side: File,
    shown: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Terminal {
    /// A terminal of so many columns.
    pub fn new(columns: u16) -> Self {
        let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&controller).unwrap();
        unlockpt(&controller).unwrap();
        let path = ptsname(&controller, Vec::new()).unwrap().into_string().unwrap();
        let side = File::options().read(true).write(true).open(path).unwrap();
        let shown = Arc::new(Mutex::new(Vec::new()));
        let mut from = File::from(controller.try_clone().unwrap());
        let into = Arc::clone(&shown);
        let reader = thread::spawn(move || {
            let mut block = [0; 4096];
            // When all programs have gone, reading their terminal is an error.
            while let Ok(count @ 1..) = from.read(&mut block) {
                into.lock().unwrap().extend_from_slice(&block[..count]);
            }
        });
        let terminal = Self { controller, side, shown, reader };
        terminal.resize(columns);
        terminal
    }

    pub fn resize(&self, columns: u16) {
        let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&self.controller, size).unwrap();
    }

    /// Lets a program write to it where it writes messages, and says what kind of terminal it is.
    pub fn attach(&self, command: &mut Command) {
        command.stderr(self.side()).env("TERM", "xterm").env("LC_ALL", "C.UTF-8");
    }

    /// What a program can be given to write to.
    pub fn side(&self) -> OwnedFd {
        self.side.as_fd().try_clone_to_owned().unwrap()
    }

    /// All that has been written to it.
    pub fn raw(&self) -> String {
        // A terminal goes to the line's beginning by itself.
        String::from_utf8_lossy(&self.shown.lock().unwrap()).replace("\r\n", "\n")
    }

    /// Waits until something can be seen on it.
    #[track_caller]
    pub fn wait_for(&self, what: impl Fn(&str) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !what(&self.raw()) {
            assert!(Instant::now() < deadline, "it is not on the terminal: {:?}", self.raw());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// All that was written to it, once its programs have gone.
    pub fn end(self) -> String {
        let Self { controller, side, shown, reader } = self;
        drop(side);
        reader.join().unwrap();
        drop(controller);
        String::from_utf8_lossy(&shown.lock().unwrap()).replace("\r\n", "\n")
    }
}

/// The lines of progress that were drawn.
pub fn drawn(raw: &str) -> Vec<&str> {
    // One that is drawn ends with the cursor back at its beginning.
    raw.split(CLEAR).filter_map(|piece| piece.split_once('\r')).map(|(line, _)| line).collect()
}

/// What stays on a terminal that is wide enough.
pub fn screen(raw: &str) -> String {
    let mut lines = vec![Vec::new()];
    let mut column = 0;
    let mut rest = raw.chars();
    while let Some(char) = rest.next() {
        let line = lines.last_mut().unwrap();
        match char {
            '\n' => {
                column = 0;
                lines.push(Vec::new());
            }
            '\r' => column = 0,
            '\x1b' => {
                let sequence: String = rest.by_ref().take(2).collect();
                assert_eq!(sequence, "[K", "in {raw:?}");
                line.truncate(column);
            }
            char => {
                line.truncate(line.len().max(column));
                if column < line.len() {
                    line[column] = char;
                } else {
                    line.push(char);
                }
                column += 1;
            }
        }
    }
    let lines: Vec<String> = lines.into_iter().map(|line| line.into_iter().collect()).collect();
    lines.join("\n")
}

//! Stderr where it is a terminal, and the line on it that is drawn over.
//!
//! All stages of a pipe share one terminal, and any of them may have drawn its
//! progress there. The cursor is left at the beginning of that line, so that
//! whoever writes next takes its place; what is written by a stage of this
//! kind clears the rest of it first.

use std::env;
use std::fs::File;
use std::io::{self, IsTerminal as _, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// Goes to the beginning of the line and clears it.
const CLEAR: &str = "\r\x1b[K";

/// Whether a line of this process is on the screen, wherever stderr goes.
static IS_DRAWN: AtomicBool = AtomicBool::new(false);

/// Whether stderr is a terminal on which a line can be drawn over.
pub(super) fn is_drawable() -> bool {
    let is_dumb = env::var_os("TERM").is_none_or(|name| name.is_empty() || name == "dumb");
    io::stderr().is_terminal() && !is_dumb
}

/// Columns of the terminal that stderr is; 80 where it does not say.
pub(super) fn columns() -> usize {
    let size = rustix::termios::tcgetwinsize(rustix::stdio::stderr());
    size.map(|size| usize::from(size.ws_col)).ok().filter(|columns| *columns > 0).unwrap_or(80)
}

/// Whether text may have more than ASCII, by the usual variables.
pub(super) fn is_utf8() -> bool {
    let set = |name: &&str| env::var(name).is_ok_and(|value| !value.is_empty());
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find(|name| set(name));
    let locale = locale.and_then(|name| env::var(name).ok()).unwrap_or_default();
    let locale = locale.to_ascii_uppercase();
    locale.contains("UTF-8") || locale.contains("UTF8")
}

/// Draws a line over the one that is there.
pub(super) fn draw(line: &str) {
    IS_DRAWN.store(true, Ordering::Relaxed);
    // There is nobody to tell that stderr is closed.
    let _ = io::stderr().write_all(format!("{CLEAR}{line}\r").as_bytes());
}

/// Takes the line of this process away.
pub(super) fn erase() {
    if IS_DRAWN.swap(false, Ordering::Relaxed) {
        let _ = io::stderr().write_all(CLEAR.as_bytes());
    }
}

/// What a message begins with, so that no rest of a line stays behind it.
pub(super) fn before_message() -> &'static str {
    if IS_DRAWN.swap(false, Ordering::Relaxed) || is_drawable() { CLEAR } else { "" }
}

/// What writes to stdout, without the rest of a line among its rows.
pub(super) fn beside_messages(stdout: File) -> Box<dyn Write> {
    let is_shared = stdout.is_terminal() && is_drawable();
    if is_shared { Box::new(Shared { stdout, is_at_start: true }) } else { Box::new(stdout) }
}

/// Stdout on the same terminal as stderr: takes a line that is drawn there away
/// before it writes.
#[derive(Debug)]
struct Shared {
    stdout: File,
    /// Whether the last line that was written is whole.
    is_at_start: bool,
}

impl Write for Shared {
    fn write(&mut self, block: &[u8]) -> io::Result<usize> {
        if self.is_at_start {
            let _ = io::stderr().write_all(CLEAR.as_bytes());
        }
        let count = self.stdout.write(block)?;
        self.is_at_start = block[..count].last().map_or(self.is_at_start, |last| *last == b'\n');
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stdout.flush()
    }
}

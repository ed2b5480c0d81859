//! A line on stderr that shows how far reading has come.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};

use super::ProgressWhen;

/// Nothing is drawn for runs shorter than this.
const QUIET: Duration = Duration::from_secs(1);

/// Progress through inputs of known or unknown size.
#[derive(Debug)]
pub(super) struct Progress {
    begun: Instant,
    bar: Option<Bar>,
}

#[derive(Debug)]
struct Bar {
    /// Hidden at first, so that its rate is right when it is shown.
    bar: ProgressBar,
    is_shown: bool,
}

impl Progress {
    /// `total` is the size of all inputs, if known.
    pub(super) fn new(name: &str, when: ProgressWhen, is_source: bool, total: Option<u64>) -> Self {
        let is_wanted = match when {
            ProgressWhen::Auto => is_source && io::stderr().is_terminal(),
            ProgressWhen::Always => is_source,
            ProgressWhen::Never => false,
        };
        let bar = is_wanted.then(|| Bar { bar: hidden(name, total), is_shown: false });
        Self { begun: Instant::now(), bar }
    }

    /// Notes that so many bytes have been read from disk in all.
    pub(super) fn reach(&mut self, bytes: u64) {
        if let Some(Bar { bar, is_shown }) = &mut self.bar {
            bar.set_position(bytes);
            if !*is_shown && self.begun.elapsed() >= QUIET {
                bar.set_draw_target(ProgressDrawTarget::term_like_with_hz(Box::new(Stderr), 5));
                *is_shown = true;
            }
        }
    }

    /// Takes the line away.
    pub(super) fn clear(&mut self) {
        if let Some(Bar { bar, .. }) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

fn hidden(name: &str, total: Option<u64>) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::hidden());
    let template = match total {
        Some(_) => "{prefix}: {percent:>3}% of {total_bytes}, {bytes_per_sec}, {eta} left",
        None => "{prefix}: {bytes} read, {bytes_per_sec}",
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.with_prefix(name.to_owned())
}

/// Stderr, drawn to whether or not it is a terminal, since
/// [`ProgressWhen::Always`] says so.
#[derive(Debug)]
struct Stderr;

impl Stderr {
    fn put(text: &str) -> io::Result<()> {
        io::stderr().write_all(text.as_bytes())
    }
}

impl TermLike for Stderr {
    fn width(&self) -> u16 {
        100
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        if n > 0 { Self::put(&format!("\x1b[{n}A")) } else { Ok(()) }
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        if n > 0 { Self::put(&format!("\x1b[{n}B")) } else { Ok(()) }
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        if n > 0 { Self::put(&format!("\x1b[{n}C")) } else { Ok(()) }
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        if n > 0 { Self::put(&format!("\x1b[{n}D")) } else { Ok(()) }
    }

    fn write_line(&self, line: &str) -> io::Result<()> {
        Self::put(line)?;
        Self::put("\n")
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        Self::put(text)
    }

    fn clear_line(&self) -> io::Result<()> {
        Self::put("\r\x1b[2K")
    }

    fn flush(&self) -> io::Result<()> {
        io::stderr().flush()
    }
}

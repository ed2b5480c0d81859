//! What a person sees of a stage that makes its records.

use std::fs::File;
use std::io::{self, IsTerminal as _, Write};
use std::time::Instant;

use super::progress::Progress;
use super::summary::made;
use super::{ProgressWhen, say, terminal};
use crate::source;
use crate::stream::Stats;

/// Progress and the summary of a stage that reads nothing.
#[derive(Debug)]
pub struct Making {
    stage: &'static str,
    begun: Instant,
    progress: Progress,
}

impl Making {
    /// The making of `stage`, which begins now.
    pub fn new(stage: &'static str, when: ProgressWhen) -> Self {
        Self { stage, begun: Instant::now(), progress: Progress::new(stage, when, true, None) }
    }

    /// Where rows go: to stdout, without the line of progress among them.
    pub fn sink(&self, stdout: File) -> Box<dyn Write> {
        terminal::beside_messages(stdout)
    }

    /// So much has been made, from 0 to 1: shows it, if it is time to.
    pub fn show(&mut self, share: f64, stats: &Stats) {
        if self.progress.is_due() {
            self.progress.draw_made(share, stats, source::now());
        }
    }

    /// The end: a summary for people, if one is looking.
    pub fn close(mut self, stats: &Stats) {
        self.progress.clear();
        if io::stderr().is_terminal() {
            say(self.stage, &made(stats, self.begun.elapsed().as_secs_f64()));
        }
    }
}

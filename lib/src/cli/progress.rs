//! A line on stderr that shows how far reading has come.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::progress_line::View;
use super::{ProgressWhen, terminal};
use crate::stream::{Operator, Stats};
use crate::time::Timestamp;

/// Nothing is drawn for runs shorter than this.
const QUIET: Duration = Duration::from_secs(1);

/// From one drawing to the next.
const FRAME: Duration = Duration::from_millis(200);

/// Rates are those of so many frames: they follow what happens and do not
/// flicker.
const FRAMES: usize = 15;

/// A source that has been silent for so long is said to be.
const SILENCE: Duration = Duration::from_secs(3);

/// An operator whose figures take long to collect is asked so much more seldom.
const SHARE_OF_TIME: u32 = 50;

/// Progress through inputs of known or unknown size; nothing where nobody
/// looks.
#[derive(Debug)]
pub(super) struct Progress(Option<Drawing>);

#[derive(Debug)]
struct Drawing {
    name: String,
    /// The size of all inputs, if known.
    total: Option<u64>,
    is_utf8: bool,
    due: Instant,
    /// The last frames, oldest first; never empty.
    frames: VecDeque<Frame>,
    /// When something last came.
    heard: Instant,
}

/// How far reading had come.
#[derive(Clone, Copy, Debug)]
struct Frame {
    at: Instant,
    taken: u64,
    share: Option<f64>,
    records: u64,
}

impl Frame {
    fn first(at: Instant) -> Self {
        Self { at, taken: 0, share: Some(0.0), records: 0 }
    }
}

impl Progress {
    /// `total` is the size of all inputs, if known.
    pub(super) fn new(name: &str, when: ProgressWhen, is_source: bool, total: Option<u64>) -> Self {
        let is_wanted = match when {
            ProgressWhen::Auto => is_source && terminal::is_drawable(),
            ProgressWhen::Always => is_source,
            ProgressWhen::Never => false,
        };
        let begun = Instant::now();
        Self(is_wanted.then(|| Drawing {
            name: name.to_owned(),
            total,
            is_utf8: terminal::is_utf8(),
            due: begun + QUIET,
            frames: VecDeque::from([Frame::first(begun)]),
            heard: begun,
        }))
    }

    /// When the line is to be drawn next.
    pub(super) fn due(&self) -> Option<Instant> {
        self.0.as_ref().map(|drawing| drawing.due)
    }

    pub(super) fn is_due(&self) -> bool {
        self.due().is_some_and(|due| Instant::now() >= due)
    }

    /// Draws the line. `taken` bytes have been read in all, packed as they are
    /// on disk: so much of all that there is, if it is known otherwise than by
    /// their total. `now` is what the wall clock shows.
    pub(super) fn draw(
        &mut self,
        taken: u64,
        share: Option<f64>,
        stats: &Stats,
        operator: &dyn Operator,
        now: Timestamp,
    ) {
        let Some(drawing) = &mut self.0 else { return };
        let at = Instant::now();
        let mut stats = stats.clone();
        operator.stats(&mut stats);
        let took = at.elapsed();
        let total = drawing.total.filter(|total| *total > 0);
        // A file may grow while it is read.
        let share = share.or(total.map(|total| (taken as f64 / total as f64).min(1.0)));
        drawing.draw(Frame { at, taken, share, records: stats.records_in }, &stats, now);
        drawing.due = at + FRAME.max(took * SHARE_OF_TIME);
    }

    /// Draws the line of a stage that makes records, so much of them.
    pub(super) fn draw_made(&mut self, share: f64, stats: &Stats, now: Timestamp) {
        let Some(drawing) = &mut self.0 else { return };
        let (at, share) = (Instant::now(), Some(share));
        let frame = Frame { at, taken: stats.bytes_out, share, records: stats.records_out };
        drawing.draw(frame, stats, now);
        drawing.due = at + FRAME;
    }

    /// Takes the line away, for good.
    pub(super) fn clear(&mut self) {
        self.0 = None;
        terminal::erase();
    }
}

/// Whichever way a run ends, its line does not stay.
impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

impl Drawing {
    fn draw(&mut self, frame: Frame, stats: &Stats, now: Timestamp) {
        self.add(frame);
        terminal::draw(&self.view(stats, now).line(terminal::columns(), self.is_utf8));
    }

    fn add(&mut self, frame: Frame) {
        if self
            .frames
            .back()
            .is_some_and(|last| (last.taken, last.records) != (frame.taken, frame.records))
        {
            self.heard = frame.at;
        }
        self.frames.push_back(frame);
        if self.frames.len() > FRAMES {
            self.frames.pop_front();
        }
    }

    fn view(&self, stats: &Stats, now: Timestamp) -> View<'_> {
        let mut view = View {
            name: &self.name,
            total: self.total,
            rejected: stats.rejected(),
            ..View::default()
        };
        if let (Some(first), Some(last)) = (self.frames.front(), self.frames.back()) {
            let seconds = last.at.duration_since(first.at).as_secs_f64().max(1e-3);
            view.taken = last.taken;
            view.records = last.records;
            view.share = last.share;
            let shares = last.share.zip(first.share);
            view.share_per_second = shares.map_or(0.0, |(last, first)| (last - first) / seconds);
            view.bytes_per_second = last.taken.saturating_sub(first.taken) as f64 / seconds;
            view.records_per_second = last.records.saturating_sub(first.records) as f64 / seconds;
            let silence = last.at.duration_since(self.heard);
            view.silent_for = (silence >= SILENCE).then_some(silence.as_secs_f64());
        }
        if let Some(window) = &stats.window {
            view.late = window.queries.iter().map(|query| query.late).max().unwrap_or(0);
            let watermark = window.watermark();
            view.watermark = watermark.map(|watermark| (watermark, watermark.seconds_until(now)));
        }
        view
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawing(begun: Instant) -> Drawing {
        Drawing {
            name: "ingest".to_owned(),
            total: None,
            is_utf8: true,
            due: begun,
            frames: VecDeque::from([Frame::first(begun)]),
            heard: begun,
        }
    }

    #[test]
    fn rates_are_those_of_the_last_frames() {
        let begun = Instant::now();
        let mut drawing = drawing(begun);
        let view = |drawing: &Drawing| {
            let view = drawing.view(&Stats::default(), Timestamp::EPOCH);
            (
                view.bytes_per_second.round() as u64,
                view.records_per_second.round() as u64,
                view.silent_for,
            )
        };
        for second in 1..=5_u32 {
            let (taken, records) = (u64::from(second) * 1_000, u64::from(second) * 10);
            let at = begun + Duration::from_secs(1) * second;
            drawing.add(Frame { taken, records, ..Frame::first(at) });
        }
        assert_eq!(view(&drawing), (1_000, 10, None));
        for second in 6..=20_u32 {
            let at = begun + Duration::from_secs(1) * second;
            drawing.add(Frame { taken: 5_000, records: 50, ..Frame::first(at) });
        }
        assert_eq!(view(&drawing), (0, 0, Some(15.0)));
        assert_eq!(drawing.frames.len(), FRAMES);
    }
}

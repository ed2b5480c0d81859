//! The stream as lines.

use std::sync::Arc;

use super::arrival::{Arrival, Arrivals, Fate};
use super::catalogue::Catalogue;
use super::config::{Config, Schedule, Stream};
use super::duplicate::{Repeat, Repeats};
use super::encode;
use super::error::ConfigError;
use super::format::LineFormat;
use super::inject;
use super::malformed::Malformed;
use super::partition::Layout;
use super::progress::Progress;
use super::record::{Action, EventRecord, Record};
use super::replay::{Placed, Replay};
use super::source::Topic;
use super::traffic::Traffic;
use super::truth::TruthLine;
use crate::line::json;
use crate::time::Timestamp;

/// A stream of records, made line by line.
///
/// ```
/// use highwater_core::synth::{Config, Generator, Stream};
/// use highwater_core::time::Timestamp;
///
/// let start = Timestamp::from_micros(1_757_635_200_000_000);
/// let mut generator = Generator::new(&Config::new(Stream::Logs, start))?;
/// let (mut lines, mut truth) = (Vec::new(), Vec::new());
/// while generator.next_line(&mut lines, &mut truth) {
///     lines.push(b'\n');
/// }
/// assert_eq!(generator.lines(), 1_000);
/// assert!(truth.is_empty(), "nothing was injected");
/// # Ok::<(), highwater_core::synth::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Generator {
    format: LineFormat,
    catalogue: Arc<Catalogue>,
    replay: Replay,
    /// The record that comes next for the first time.
    upcoming: Option<Placed>,
    /// Whether a broken line comes before it.
    strikes: bool,
    malformed: Option<Malformed>,
    repeats: Option<Repeats>,
    topic: Option<Topic>,
    progress: Progress,
    /// How far a record may be behind without being late, in milliseconds.
    bound: i64,
    /// What is known before the first line: anomalies and lags.
    known: Vec<u8>,
    /// Whether the truth has told when a partition fell silent, if one does.
    silence_told: bool,
    lines: u64,
    /// Event time of the first ordinary record, and of the one that would follow
    /// the last, in milliseconds since the epoch.
    span: (i64, i64),
    /// When the last line arrives, in milliseconds since the epoch.
    at: i64,
    /// A line of text, before it is wrapped.
    text: Vec<u8>,
}

/// What stands on a line.
enum Item {
    Record(Placed),
    Repeat(Repeat),
    Broken(Placed),
}

impl Generator {
    /// A generator at the start of its stream.
    ///
    /// # Errors
    ///
    /// Fails if the configuration contradicts itself, for example if an
    /// anomaly does not lie within the stream.
    pub fn new(config: &Config) -> Result<Self, ConfigError> {
        config.check_format()?;
        if config.stream == Stream::LateData {
            return Ok(Self::late_data(config));
        }
        let schedule = Schedule::of(config)?;
        let catalogue = Arc::new(Catalogue::new(config.services));
        let mut injections = inject::resolve(config, &schedule, &catalogue)?;
        let mut known = std::mem::take(&mut injections.truth);
        let layout = Layout::of(config, &schedule);
        if let Some(layout) = &layout {
            write_lags(layout, &mut known);
        }
        let traffic = Traffic::new(config, &schedule, Arc::clone(&catalogue), injections);
        let replay = Replay::new(Arrivals::new(config, &schedule, traffic), layout);
        let topic = replay.layout().map(|layout| Topic::new(topic_of(config.stream), layout));
        Ok(Self {
            malformed: Malformed::new(config),
            repeats: Repeats::new(config),
            topic,
            bound: config.out_of_order.micros / 1_000,
            span: (schedule.start, schedule.end),
            known,
            ..Self::plain(config, catalogue, replay)
        })
    }

    fn plain(config: &Config, catalogue: Arc<Catalogue>, replay: Replay) -> Self {
        Self {
            format: config.format,
            catalogue,
            progress: Progress::new(replay.layout()),
            replay,
            upcoming: None,
            strikes: false,
            malformed: None,
            repeats: None,
            topic: None,
            bound: 0,
            known: Vec::new(),
            span: (0, 0),
            silence_told: false,
            lines: 0,
            at: 0,
            text: Vec::new(),
        }
    }

    /// The reference's test of late data.
    fn late_data(config: &Config) -> Self {
        const MINUTE: i64 = 60_000;
        let now = config.start.micros.div_euclid(1_000);
        let arrivals = [(0, 1_000), (5 * MINUTE, 2_000), (15 * MINUTE, 3_000)]
            .into_iter()
            .zip(0_u32..)
            .map(|((age, cents), user)| Arrival {
                record: Record::Event(EventRecord {
                    millis: now - age,
                    user,
                    session: user,
                    action: Action::Click,
                    cents,
                    host: user as u8 + 1,
                }),
                fate: if age > 0 { Fate::Late } else { Fate::OnTime },
                clock: now,
            })
            .collect();
        Self::plain(config, Arc::new(Catalogue::new(1)), Replay::of_few(arrivals))
    }

    /// Appends the next line to `line`, without a newline, and to `truth` the
    /// whole lines, if any, that the truth file should then have; see
    /// [`synth`](crate::synth) for their shapes. Returns false, having appended
    /// nothing, at the end of the stream.
    ///
    /// A line is UTF-8 unless it is malformed.
    #[inline]
    pub fn next_line(&mut self, line: &mut Vec<u8>, truth: &mut Vec<u8>) -> bool {
        if self.lines == 0 {
            truth.append(&mut self.known);
        }
        let Some(item) = self.next_item() else { return false };
        self.lines += 1;
        match item {
            Item::Record(placed) => {
                self.at = placed.at;
                self.first_time(placed, line, truth);
            }
            Item::Repeat(repeat) => {
                self.at = repeat.at;
                self.again(&repeat, line, truth);
            }
            Item::Broken(placed) => {
                self.at = placed.at;
                self.broken(&placed.arrival.record, line, truth);
            }
        }
        true
    }

    /// How many lines there have been so far.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// How much of the stream has been made, from 0 to 1, by its clock.
    pub fn share(&self) -> f64 {
        let (start, end) = self.span;
        let length = end.saturating_sub(start).max(1);
        (self.at.saturating_sub(start) as f64 / length as f64).clamp(0.0, 1.0)
    }

    /// When the last line arrives, by the stream's clock: the event time that
    /// has then been reached. Never goes back.
    pub fn arrival(&self) -> Timestamp {
        Timestamp::from_micros(self.at * 1_000)
    }

    #[inline]
    fn next_item(&mut self) -> Option<Item> {
        if self.upcoming.is_none() {
            self.upcoming = self.replay.next();
            let strikes = |malformed: &mut Malformed| malformed.strikes();
            self.strikes = self.upcoming.is_some() && self.malformed.as_mut().is_some_and(strikes);
        }
        if let Some(repeats) = &mut self.repeats
            && let Some(repeat) = repeats.due(self.upcoming.as_ref().map(|placed| placed.at))
        {
            return Some(Item::Repeat(repeat));
        }
        if std::mem::take(&mut self.strikes) {
            return self.upcoming.map(Item::Broken);
        }
        self.upcoming.take().map(Item::Record)
    }

    #[inline]
    fn first_time(&mut self, mut placed: Placed, line: &mut Vec<u8>, truth: &mut Vec<u8>) {
        self.tell_silence(&placed, truth);
        if self.progress.greatest().is_none() {
            // The first record has nothing before it to be late against or
            // ahead of.
            placed.arrival.fate = Fate::OnTime;
        }
        self.write(&placed, line);
        let Placed { arrival: Arrival { record, fate, .. }, partition, .. } = placed;
        match fate {
            Fate::OnTime => {
                self.progress.observe(partition, record.millis());
                if let Some(repeats) = &mut self.repeats {
                    let layout = self.replay.layout();
                    let silent_at = layout.and_then(|layout| layout.silent_at(partition));
                    repeats.consider(&placed, self.lines, silent_at);
                }
            }
            Fate::Late => self.tell_late(&record, truth),
            Fate::Ahead(by) => self.tell_future(&record.later_by(by), truth),
        }
    }

    fn again(&mut self, repeat: &Repeat, line: &mut Vec<u8>, truth: &mut Vec<u8>) {
        self.write(&repeat.placed, line);
        let told = TruthLine::about(truth, "duplicate", self.lines);
        told.count("of", repeat.of).timestamp(&repeat.placed.arrival.record).end();
    }

    fn broken(&mut self, record: &Record, line: &mut Vec<u8>, truth: &mut Vec<u8>) {
        let Some(malformed) = &mut self.malformed else { return };
        let flaw = malformed.write(record, &self.catalogue, self.format, line);
        let told = TruthLine::about(truth, "malformed", self.lines);
        told.text("type", flaw.name()).text("reason", flaw.reason(self.format)).end();
    }

    /// Writes a record, with what its clock said.
    #[inline]
    fn write(&mut self, placed: &Placed, line: &mut Vec<u8>) {
        let Arrival { record, fate, .. } = placed.arrival;
        let record = match fate {
            Fate::Ahead(by) => record.later_by(by),
            Fate::OnTime | Fate::Late => record,
        };
        match &mut self.topic {
            None => self.format.write(&record, &self.catalogue, line),
            Some(topic) => {
                topic.write(placed, line);
                if self.format == LineFormat::Json {
                    return encode::write_members(&record, &self.catalogue, line);
                }
                self.text.clear();
                self.format.write(&record, &self.catalogue, &mut self.text);
                line.extend_from_slice(b"\"@raw\":");
                json::write_string(&self.text, line);
                line.push(b'}');
            }
        }
    }

    /// A record that was held back is late, unless a partition has lagged so
    /// much that it is within the bound after all.
    fn tell_late(&self, record: &Record, truth: &mut Vec<u8>) {
        let behind = self.progress.reached().map_or(0, |reached| reached - record.millis());
        if behind > self.bound {
            let told = TruthLine::about(truth, "late", self.lines);
            told.timestamp(record).seconds("late_by", behind).end();
        }
    }

    fn tell_future(&self, record: &Record, truth: &mut Vec<u8>) {
        let ahead = self.progress.greatest().map_or(0, |greatest| record.millis() - greatest);
        let told = TruthLine::about(truth, "future", self.lines);
        told.timestamp(record).seconds("ahead_by", ahead).end();
    }

    /// Tells, once, that a partition has fallen silent before this record.
    #[inline]
    fn tell_silence(&mut self, placed: &Placed, truth: &mut Vec<u8>) {
        if self.silence_told {
            return;
        }
        let Some(idle) = self.replay.layout().and_then(Layout::idle) else { return };
        if placed.at >= idle.at {
            self.silence_told = true;
            let told = TruthLine::about(truth, "idle", self.lines);
            told.count("partition", idle.partition.into()).time("start", idle.since).end();
        }
    }
}

/// Appends how far each partition falls behind.
fn write_lags(layout: &Layout, truth: &mut Vec<u8>) {
    if layout.is_skewed() {
        for partition in 0..layout.partitions() {
            let told = TruthLine::of_kind(truth, "skew").count("partition", partition.into());
            told.seconds("lag", layout.lag_of(partition)).end();
        }
    }
}

fn topic_of(stream: Stream) -> &'static str {
    match stream {
        Stream::Logs => "logs",
        Stream::Events | Stream::LateData => "events",
    }
}

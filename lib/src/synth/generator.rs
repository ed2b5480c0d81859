//! The stream as lines.

use std::sync::Arc;
use std::vec;

use super::arrival::{Arrival, Arrivals};
use super::catalogue::Catalogue;
use super::config::{Config, ConfigError, Schedule, Stream};
use super::encode;
use super::inject;
use super::record::{Action, EventRecord, Record};
use super::traffic::Traffic;
use super::truth;

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
    catalogue: Arc<Catalogue>,
    source: Source,
    /// What is known of the anomalies before the first line.
    anomalies: Vec<u8>,
    lines: u64,
}

#[derive(Clone, Debug)]
enum Source {
    Arrivals(Box<Arrivals>),
    Few(vec::IntoIter<Arrival>),
}

impl Generator {
    /// A generator at the start of its stream.
    ///
    /// # Errors
    ///
    /// Fails if the configuration contradicts itself, for example if an
    /// anomaly does not lie within the stream.
    pub fn new(config: &Config) -> Result<Self, ConfigError> {
        if config.stream == Stream::LateData {
            return Ok(Self::late_data(config));
        }
        let schedule = Schedule::of(config)?;
        let catalogue = Arc::new(Catalogue::new(config.services));
        let mut injections = inject::resolve(config, &schedule, &catalogue)?;
        let anomalies = std::mem::take(&mut injections.truth);
        let traffic = Traffic::new(config, &schedule, Arc::clone(&catalogue), injections);
        let source = Source::Arrivals(Box::new(Arrivals::new(config, &schedule, traffic)));
        Ok(Self { catalogue, source, anomalies, lines: 0 })
    }

    /// The reference's test of late data.
    fn late_data(config: &Config) -> Self {
        const MINUTE: i64 = 60_000;
        let now = config.start.micros.div_euclid(1_000);
        let arrivals: Vec<Arrival> = [(0, 1_000), (5 * MINUTE, 2_000), (15 * MINUTE, 3_000)]
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
                late_by: (age > 0).then_some(age),
            })
            .collect();
        Self {
            catalogue: Arc::new(Catalogue::new(1)),
            source: Source::Few(arrivals.into_iter()),
            anomalies: Vec::new(),
            lines: 0,
        }
    }

    /// Appends the next line to `line`, without a newline, and to `truth` the
    /// whole lines, if any, that the truth file should then have; see
    /// [`synth`](crate::synth) for their shapes. Returns false, having appended
    /// nothing, at the end of the stream.
    #[inline]
    pub fn next_line(&mut self, line: &mut Vec<u8>, truth: &mut Vec<u8>) -> bool {
        if self.lines == 0 {
            truth.append(&mut self.anomalies);
        }
        let arrival = match &mut self.source {
            Source::Arrivals(arrivals) => arrivals.next(),
            Source::Few(arrivals) => arrivals.next(),
        };
        let Some(Arrival { record, late_by }) = arrival else { return false };
        self.lines += 1;
        encode::write_line(&record, &self.catalogue, line);
        if let Some(late_by) = late_by {
            truth::write_late(self.lines, &record, late_by, truth);
        }
        true
    }

    /// How many lines there have been so far.
    pub fn lines(&self) -> u64 {
        self.lines
    }
}

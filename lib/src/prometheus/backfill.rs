//! All windows of all series, in the OpenMetrics format, for a database that
//! has not seen them.

mod state;

use std::collections::BTreeMap;
use std::iter::once;

use super::labels::LabelSet;
use super::names::Names;
use super::registry::Options;
use super::text;
use crate::row::Place;

/// Keeps every window of every series, and prints them with their times: the
/// end of a window is its time, in milliseconds. Of several in one millisecond
/// the last counts.
///
/// A row of a window that was there before replaces it, a null takes it away.
/// An alert is counted at the end of its window, whenever it came.
///
/// Memory grows with the data: OpenMetrics wants the samples of a series
/// together and in order of time. [`Options::stale_after`] has no meaning here.
#[derive(Clone, Debug)]
pub struct Backfill {
    options: Options,
    names: Names,
    families: BTreeMap<Box<[u8]>, Family>,
    /// Windows of alerts in order of arrival, by rendered labels.
    alerts: BTreeMap<Box<[u8]>, Vec<Place>>,
    /// Series kept.
    count: usize,
    refused: u64,
}

#[derive(Clone, Debug)]
struct Family {
    /// The field that it was first made of.
    field: Box<[u8]>,
    /// By rendered labels.
    series: BTreeMap<Box<[u8]>, Vec<Sample>>,
}

/// In order of arrival: of those of one window the last counts.
#[derive(Clone, Copy, Debug)]
struct Sample {
    place: Place,
    value: Option<f64>,
}

/// Takes the numbers of one row.
#[derive(Debug)]
pub struct BackfillUpdate<'a> {
    backfill: &'a mut Backfill,
    labels: &'a [u8],
    place: Place,
}

impl Backfill {
    /// An empty history.
    pub fn new(options: Options) -> Self {
        Self {
            names: Names::new(&options.prefix),
            options,
            families: BTreeMap::new(),
            alerts: BTreeMap::new(),
            count: 0,
            refused: 0,
        }
    }

    /// Values refused for want of room, or of a name.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Takes in a row: its labels (without those of the options) and where it
    /// stands. The numbers go to what is returned.
    pub fn row<'a>(&'a mut self, labels: &'a mut LabelSet, place: Place) -> BackfillUpdate<'a> {
        labels.push_all(&self.options.labels);
        BackfillUpdate { labels: labels.render(), backfill: self, place }
    }

    /// Counts an alert with these labels, without those of the options.
    pub fn alert(&mut self, labels: &mut LabelSet, place: Place) {
        labels.push_all(&self.options.labels);
        let labels = labels.render();
        if let Some(places) = self.alerts.get_mut(labels) {
            places.push(place);
        } else if self.admit() {
            self.alerts.insert(labels.into(), vec![place]);
        }
    }

    /// Makes room for one more series, if there is.
    fn admit(&mut self) -> bool {
        let has_room = self.count < self.options.max_series;
        if has_room {
            self.count += 1;
        } else {
            self.refused += 1;
        }
        has_room
    }

    /// Appends everything in the OpenMetrics format: families by name, series
    /// by labels, samples by time.
    ///
    /// Alerts are of type `unknown`: OpenMetrics has a counter's samples end in
    /// `_total`, and the name is to be that of the live metric.
    pub fn write(&self, out: &mut Vec<u8>) {
        let is_before = |name: &[u8]| name < self.names.anomaly_count.as_slice();
        for (name, family) in self.families.iter().filter(|(name, _)| is_before(name)) {
            family.write(name, out);
        }
        self.write_alerts(out);
        for (name, family) in self.families.iter().filter(|(name, _)| !is_before(name)) {
            family.write(name, out);
        }
        out.extend_from_slice(b"# EOF\n");
    }

    fn write_alerts(&self, out: &mut Vec<u8>) {
        let name = &self.names.anomaly_count;
        if !self.alerts.is_empty() {
            text::write_open_header(name, b"Alerts of detect since the start.", "unknown", out);
        }
        for (labels, places) in &self.alerts {
            let mut ends: Vec<i64> = places.iter().map(milliseconds).collect();
            ends.sort_unstable();
            for (index, end) in ends.iter().enumerate() {
                // Of alerts at one time the last has the count of all.
                if ends.get(index + 1) != Some(end) {
                    let at = Some(*end as f64 / 1e3);
                    text::write_sample(name, labels, (index + 1) as f64, at, out);
                }
            }
        }
    }
}

impl Family {
    fn write(&self, name: &[u8], out: &mut Vec<u8>) {
        let help = [b"Field ", &*self.field, b", at the ends of its windows."].concat();
        let start = out.len();
        text::write_open_header(name, &help, "gauge", out);
        let body = out.len();
        let mut samples = Vec::new();
        for (labels, unsorted) in &self.series {
            samples.clone_from(unsorted);
            // Those of one window stay in order of arrival.
            samples.sort_by_key(|sample| sample.place);
            let next = samples.iter().skip(1).map(Some).chain(once(None));
            for (Sample { place, value }, next) in samples.iter().zip(next) {
                let at = milliseconds(place);
                let is_last = next.is_none_or(|next| milliseconds(&next.place) != at);
                if let (true, Some(value)) = (is_last, value) {
                    text::write_sample(name, labels, *value, Some(at as f64 / 1e3), out);
                }
            }
        }
        if out.len() == body {
            out.truncate(start);
        }
    }
}

/// The time of what stands there, since 1970, as Prometheus keeps it: it takes
/// no two samples of a series in one millisecond.
fn milliseconds(place: &Place) -> i64 {
    place.end.micros.div_euclid(1_000)
}

impl BackfillUpdate<'_> {
    /// Gives the gauge of `field` its value in the row's window; `None` takes it
    /// away.
    pub fn set(&mut self, field: &[u8], value: Option<f64>) {
        let backfill = &mut *self.backfill;
        if !backfill.names.take_field(field) {
            backfill.refused += 1;
            return;
        }
        let sample = Sample { place: self.place, value };
        let name = backfill.names.name();
        let family = backfill.families.get_mut(name);
        if let Some(samples) = family.and_then(|family| family.series.get_mut(self.labels)) {
            // A window that is corrected again and again takes no room.
            match samples.last_mut().filter(|last| last.place == sample.place) {
                Some(last) => *last = sample,
                None => samples.push(sample),
            }
        } else if value.is_some() && backfill.admit() {
            let new = || Family { field: field.into(), series: BTreeMap::new() };
            let family = backfill.families.entry(backfill.names.name().into()).or_insert_with(new);
            family.series.insert(self.labels.into(), vec![sample]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::{SnapshotReader, SnapshotWriter};
    use crate::time::Timestamp;

    fn place(minute: i64) -> Place {
        let at = |minute: i64| Timestamp::from_micros(minute * 60_000_000);
        Place { end: at(minute), start: at(minute - 1) }
    }

    fn labels(service: &str) -> LabelSet {
        let mut labels = LabelSet::default();
        labels.push(b"service", service.as_bytes());
        labels
    }

    fn written(backfill: &Backfill) -> String {
        let mut text = Vec::new();
        backfill.write(&mut text);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn families_together_and_series_in_order_of_time() {
        let mut backfill = Backfill::new(Options::default());
        for (minute, service, value) in [
            (2, "b", Some(2.5)),
            (1, "b", Some(1.0)),
            (2, "a", Some(7.0)),
            (3, "b", Some(3.0)),
            (3, "b", None),
            (1, "b", Some(1.5)),
        ] {
            let (mut labels, place) = (labels(service), place(minute));
            let mut row = backfill.row(&mut labels, place);
            row.set(b"rate", value);
            row.set(b"anomaly_count", Some(1.0));
        }
        for minute in [5, 4, 5] {
            backfill.alert(&mut labels("a"), place(minute));
        }
        assert_eq!(
            written(&backfill),
            concat!(
                "# HELP anomaly_count Alerts of detect since the start.\n",
                "# TYPE anomaly_count unknown\n",
                "anomaly_count{service=\"a\"} 1 240\n",
                "anomaly_count{service=\"a\"} 3 300\n",
                "# HELP rate Field rate, at the ends of its windows.\n",
                "# TYPE rate gauge\n",
                "rate{service=\"a\"} 7 120\n",
                "rate{service=\"b\"} 1.5 60\n",
                "rate{service=\"b\"} 2.5 120\n",
                "# EOF\n",
            )
        );
        assert_eq!(backfill.refused(), 6, "a name of our own");
    }

    #[test]
    fn samples_of_one_millisecond_are_one() {
        let mut backfill = Backfill::new(Options::default());
        for micros in [1_000_100, 1_000_900, 1_001_000] {
            let at = Timestamp::from_micros(micros);
            let place = Place { end: at, start: at };
            backfill.row(&mut labels("a"), place).set(b"n", Some(micros as f64));
            backfill.alert(&mut labels("a"), place);
        }
        let text = written(&backfill);
        let samples: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        let expected = [
            "anomaly_count{service=\"a\"} 2 1",
            "anomaly_count{service=\"a\"} 3 1.001",
            "n{service=\"a\"} 1000900 1",
            "n{service=\"a\"} 1001000 1.001",
        ];
        assert_eq!(samples, expected);
    }

    #[test]
    fn series_beyond_the_limit_are_refused() {
        let mut backfill = Backfill::new(Options { max_series: 2, ..Options::default() });
        for service in ["a", "b", "c", "a"] {
            backfill.row(&mut labels(service), place(1)).set(b"n", Some(1.0));
        }
        backfill.alert(&mut labels("a"), place(1));
        assert_eq!(backfill.refused(), 2);
        assert_eq!(written(&backfill).matches("\nn{").count(), 2);
    }

    #[test]
    fn state_goes_through_a_snapshot() {
        let mut backfill = Backfill::new(Options::default());
        for minute in [2, 1, 2] {
            backfill.row(&mut labels("a"), place(minute)).set(b"n", Some(minute as f64));
            backfill.row(&mut labels("a"), place(minute)).set(b"m", None);
            backfill.alert(&mut labels("b"), place(minute));
        }
        let mut state = SnapshotWriter::new();
        backfill.snapshot(&mut state);
        let bytes = state.into_bytes();
        let mut restored = Backfill::new(Options::default());
        restored.restore(&mut SnapshotReader::new(&bytes)).unwrap();
        assert_eq!(written(&restored), written(&backfill));
        assert_eq!(restored.count, backfill.count);
        let mut other = Backfill::new(Options { max_series: 1, ..Options::default() });
        assert!(other.restore(&mut SnapshotReader::new(&bytes)).is_err());
    }
}

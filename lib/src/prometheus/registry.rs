//! What is exported: series by family and labels.

mod state;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::labels::LabelSet;
use super::names::Names;
use super::text;
use crate::row::Place;
use crate::time::{TimeDelta, Timestamp};

/// How metrics are named and bounded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// In front of every metric's name; an underscore is put between unless it
    /// ends in one. Empty for none.
    pub prefix: String,
    /// Labels that every series gets, in place of those of the same name.
    pub labels: Vec<(String, String)>,
    /// Names of labels that a sink gives to all series: a label of the rows that
    /// is called so becomes `exported_…`.
    pub taken_labels: Vec<String>,
    /// New gauges and counters beyond this many are refused. The ends of
    /// windows do not count among them.
    pub max_series: usize,
    /// A series is dropped when its window ends this long before the newest
    /// one of all.
    pub stale_after: Option<TimeDelta>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            prefix: String::new(),
            labels: Vec::new(),
            taken_labels: Vec::new(),
            max_series: 10_000,
            stale_after: None,
        }
    }
}

/// Keeps the newest value of every series, and prints them all.
///
/// Memory is bounded by [`Options::max_series`].
#[derive(Clone, Debug)]
pub struct Registry {
    options: Options,
    names: Names,
    families: Vec<Family>,
    /// Places in `families`, by name.
    family_index: HashTable<usize>,
    groups: HashTable<Group>,
    hasher: RandomState,
    /// Alerts, by rendered labels.
    alerts: BTreeMap<Box<[u8]>, u64>,
    /// Ends of the newest windows, by rendered labels.
    ends: BTreeMap<Box<[u8]>, Timestamp>,
    newest_end: Option<Timestamp>,
    /// The newest end for which stale series have been removed to make room.
    swept: Option<Timestamp>,
    /// Gauges and counters kept.
    count: usize,
    /// Values that found no room, or whose field has no name to be had.
    refused: u64,
    /// Values older than what is kept.
    passed_over: u64,
    /// Number of changes.
    revision: u64,
    scratch: LabelSet,
}

/// A gauge's name, and the field that it was first made of.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Family {
    name: Box<[u8]>,
    field: Box<[u8]>,
}

/// The series that share their labels.
#[derive(Clone, Debug)]
struct Group {
    labels: Box<[u8]>,
    samples: Vec<Sample>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Sample {
    family: usize,
    place: Option<Place>,
    value: f64,
}

/// What a family is made of.
#[derive(Clone, Copy, Debug)]
enum Source<'a> {
    Field(&'a [u8]),
    Alerts,
    Ends,
}

impl Source<'_> {
    /// The family's help text and type.
    fn describe(self) -> (Cow<'static, [u8]>, &'static str) {
        match self {
            Self::Field(field) => {
                (Cow::Owned([b"Field ", field, b" of the newest window."].concat()), "gauge")
            }
            Self::Alerts => (Cow::Borrowed(b"Alerts of detect since the start."), "counter"),
            Self::Ends => {
                (Cow::Borrowed(b"End of the newest window seen, in seconds since 1970."), "gauge")
            }
        }
    }
}

/// Takes the numbers of one row.
#[derive(Debug)]
pub struct SeriesUpdate<'a> {
    registry: &'a mut Registry,
    labels: &'a [u8],
    hash: u64,
    place: Option<Place>,
}

impl Registry {
    /// An empty registry.
    pub fn new(options: Options) -> Self {
        Self {
            names: Names::new(&options.prefix),
            options,
            families: Vec::new(),
            family_index: HashTable::new(),
            groups: HashTable::new(),
            hasher: RandomState::default(),
            alerts: BTreeMap::new(),
            ends: BTreeMap::new(),
            newest_end: None,
            swept: None,
            count: 0,
            refused: 0,
            passed_over: 0,
            revision: 0,
            scratch: LabelSet::default(),
        }
    }

    /// Values refused for want of room, or of a name.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Values passed over, since a newer window's was there.
    pub fn passed_over(&self) -> u64 {
        self.passed_over
    }

    /// A number that changes whenever the text may.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Takes in a row of `query`, if it names one: its labels (without those of
    /// the options), and where it stands. The numbers go to what is returned.
    pub fn row<'a>(
        &'a mut self,
        labels: &'a mut LabelSet,
        query: Option<&[u8]>,
        place: Option<Place>,
    ) -> SeriesUpdate<'a> {
        if let Some(place) = place {
            self.newest_end = self.newest_end.max(Some(place.end));
            self.note_end(query, place.end);
        }
        labels.push_all(&self.options.labels);
        let labels = labels.render();
        SeriesUpdate { hash: self.hasher.hash_one(labels), registry: self, labels, place }
    }

    /// Counts an alert with these labels, without those of the options.
    pub fn alert(&mut self, labels: &mut LabelSet) {
        labels.push_all(&self.options.labels);
        let labels = labels.render();
        if let Some(count) = self.alerts.get_mut(labels) {
            *count += 1;
        } else if self.admit() {
            self.alerts.insert(labels.into(), 1);
        }
        self.revision += 1;
    }

    fn note_end(&mut self, query: Option<&[u8]>, end: Timestamp) {
        let mut labels = std::mem::take(&mut self.scratch);
        labels.clear();
        if let Some(query) = query {
            labels.push(b"query", query);
        }
        labels.push_all(&self.options.labels);
        let rendered = labels.render();
        if let Some(newest) = self.ends.get_mut(rendered) {
            *newest = end.max(*newest);
        } else if self.ends.len() < self.options.max_series {
            self.ends.insert(rendered.into(), end);
        } else {
            self.refused += 1;
        }
        self.revision += 1;
        self.scratch = labels;
    }

    /// Whether a window that ends there is too old to be shown.
    fn is_stale(&self, place: Option<Place>) -> bool {
        match (self.options.stale_after, self.newest_end, place) {
            (Some(after), Some(newest), Some(place)) => {
                newest.micros.saturating_sub(place.end.micros) > after.micros
            }
            _ => false,
        }
    }

    /// Makes room for one more series, if need be by removing stale ones.
    fn admit(&mut self) -> bool {
        if self.count >= self.options.max_series && self.swept < self.newest_end {
            self.sweep();
        }
        let has_room = self.count < self.options.max_series;
        if has_room {
            self.count += 1;
        } else {
            self.refused += 1;
        }
        has_room
    }

    fn sweep(&mut self) {
        self.swept = self.newest_end;
        let mut groups = std::mem::take(&mut self.groups);
        let mut removed = 0;
        groups.retain(|group| {
            let before = group.samples.len();
            group.samples.retain(|sample| !self.is_stale(sample.place));
            removed += before - group.samples.len();
            !group.samples.is_empty()
        });
        self.groups = groups;
        self.count -= removed;
    }

    /// The family of the name that was taken up, if there is one.
    fn find_family(&self) -> Option<usize> {
        let hash = self.hasher.hash_one(self.names.name());
        let is_it = |known: &usize| *self.families[*known].name == *self.names.name();
        self.family_index.find(hash, is_it).copied()
    }

    /// Makes a family of the name that was taken up, for `field`; must be new.
    fn add_family(&mut self, field: &[u8]) -> usize {
        let Self { families, family_index, hasher, names, .. } = self;
        families.push(Family { name: names.name().into(), field: field.into() });
        let rehash = |known: &usize| hasher.hash_one(&*families[*known].name);
        let index = families.len() - 1;
        family_index.insert_unique(rehash(&index), index, rehash);
        index
    }

    fn sample_mut(&mut self, hash: u64, labels: &[u8], family: usize) -> Option<&mut Sample> {
        let group = self.groups.find_mut(hash, |group| *group.labels == *labels)?;
        group.samples.iter_mut().find(|sample| sample.family == family)
    }

    fn remove(&mut self, hash: u64, labels: &[u8], family: usize) {
        let Ok(mut group) = self.groups.find_entry(hash, |group| *group.labels == *labels) else {
            return;
        };
        let samples = &mut group.get_mut().samples;
        let before = samples.len();
        samples.retain(|sample| sample.family != family);
        self.count -= before - samples.len();
        if samples.is_empty() {
            group.remove();
        }
    }

    /// Appends everything in the text exposition format: families by name,
    /// samples by labels.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut samples: Vec<(&[u8], &[u8], Source<'_>, f64)> = Vec::with_capacity(self.count);
        for (labels, count) in &self.alerts {
            samples.push((&self.names.anomaly_count, labels, Source::Alerts, *count as f64));
        }
        for (labels, end) in &self.ends {
            samples.push((
                &self.names.last_window_end,
                labels,
                Source::Ends,
                end.micros as f64 / 1e6,
            ));
        }
        for group in &self.groups {
            for sample in group.samples.iter().filter(|sample| !self.is_stale(sample.place)) {
                let Family { name, field } = &self.families[sample.family];
                samples.push((name, &group.labels, Source::Field(field), sample.value));
            }
        }
        samples.sort_unstable_by_key(|(name, labels, ..)| (*name, *labels));
        let mut previous: &[u8] = b"";
        for (name, labels, source, value) in samples {
            if name != previous {
                let (help, kind) = source.describe();
                text::write_header(name, &help, kind, out);
                previous = name;
            }
            text::write_sample(name, labels, value, None, out);
        }
    }
}

impl SeriesUpdate<'_> {
    /// Gives the gauge of `field` its value; `None` takes it away.
    pub fn set(&mut self, field: &[u8], value: Option<f64>) {
        let registry = &mut *self.registry;
        if !registry.names.take_field(field) {
            registry.refused += 1;
            return;
        }
        registry.revision += 1;
        let (place, is_stale) = (self.place, registry.is_stale(self.place));
        let Some(family) = registry.find_family() else {
            return self.insert(field, None, value.filter(|_| !is_stale));
        };
        match (registry.sample_mut(self.hash, self.labels, family), value) {
            (Some(sample), _) if is_older(place, sample.place) => registry.passed_over += 1,
            (Some(sample), Some(value)) => *sample = Sample { family, place, value },
            (Some(_), None) => registry.remove(self.hash, self.labels, family),
            (None, Some(_)) if is_stale => registry.passed_over += 1,
            (None, value) => self.insert(field, Some(family), value),
        }
    }

    /// Adds a series, if there is a value and room; a new family too takes
    /// room, so that names cannot pile up.
    fn insert(&mut self, field: &[u8], family: Option<usize>, value: Option<f64>) {
        let (Some(value), registry) = (value, &mut *self.registry) else { return };
        if family.is_none() && registry.families.len() >= registry.options.max_series {
            registry.refused += 1;
            return;
        }
        if !registry.admit() {
            return;
        }
        let family = family.unwrap_or_else(|| registry.add_family(field));
        let hasher = &registry.hasher;
        let entry = registry.groups.entry(
            self.hash,
            |group| *group.labels == *self.labels,
            |group| hasher.hash_one(&*group.labels),
        );
        let new = || Group { labels: self.labels.into(), samples: Vec::new() };
        let group = entry.or_insert_with(new).into_mut();
        group.samples.push(Sample { family, place: self.place, value });
    }
}

/// Whether a row is of an older window than the one kept.
fn is_older(row: Option<Place>, kept: Option<Place>) -> bool {
    matches!((row, kept), (Some(row), Some(kept)) if row < kept)
}

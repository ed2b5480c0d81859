//! What the page shows, in bounded memory.

mod feed;
mod series;
mod state;

use std::collections::{BTreeMap, VecDeque};
use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use self::series::{Kept, Point, Series};
use crate::row::{MAX_LABEL, Place};
use crate::time::{TimeDelta, Timestamp};

pub use feed::Cursor;

/// The fields that have a panel of their own.
const PANELS: [&[u8]; 5] =
    [b"health_score", b"avg_response_time", b"error_rate", b"request_count", b"p95_response_time"];
/// Length of a window that there is none of.
const NO_LENGTH: i64 = 0;

/// How much is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Points and alerts that are older than the newest by more than this are
    /// forgotten.
    pub history: TimeDelta,
    /// Fields beside those with a panel of their own.
    pub more_fields: usize,
    /// Series of one field.
    pub series: usize,
    /// Points of one series.
    pub points: usize,
    /// Points of all series; the more series, the fewer points each.
    pub all_points: usize,
    /// Alerts.
    pub alerts: usize,
    /// Names that alerts are counted by.
    pub alert_names: usize,
}

impl Bounds {
    /// The usual bounds, around a history of this length: some 30 MB at most.
    pub const fn new(history: TimeDelta) -> Self {
        Self {
            history,
            more_fields: 24,
            series: 100,
            points: 5_000,
            all_points: 500_000,
            alerts: 1_000,
            alert_names: 100,
        }
    }
}

/// What has been counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Rows taken in.
    pub rows: u64,
    /// Alerts taken in.
    pub alerts: u64,
    /// Rows that were not asked for.
    pub filtered: u64,
    /// Lines that are no rows.
    pub rejected: u64,
    /// Values that would have made a field or series too many.
    pub refused: u64,
    /// Points dropped for want of room.
    pub crowded: u64,
    /// Values older than the history.
    pub too_old: u64,
}

/// How the input ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The data have ended.
    Done,
    /// This run has, not the data.
    Suspended,
}

/// Series and alerts, as far back as the bounds allow.
#[derive(Clone, Debug)]
pub struct History {
    bounds: Bounds,
    fields: Vec<Field>,
    series: BTreeMap<u64, Series>,
    /// By labels, and in them by field: numbers of series.
    groups: HashTable<Group>,
    hasher: RandomState,
    next_series: u64,
    points: usize,
    alerts: VecDeque<Alert>,
    next_alert: u64,
    /// Alerts by name, as JSON.
    alert_counts: BTreeMap<Box<[u8]>, u64>,
    /// The newest event time seen.
    newest: Option<Timestamp>,
    /// The newest time at which old series were removed to make room.
    swept: Option<Timestamp>,
    figures: Figures,
    ended: Option<Ended>,
    revision: u64,
}

#[derive(Clone, Debug)]
struct Field {
    name: Box<[u8]>,
    series: usize,
}

#[derive(Clone, Debug)]
struct Group {
    labels: Arc<[u8]>,
    /// Pairs of field and number.
    series: Vec<(usize, u64)>,
}

#[derive(Clone, Debug)]
struct Alert {
    id: u64,
    /// Microseconds since 1970.
    at: i64,
    /// JSON members.
    text: Box<[u8]>,
}

/// Takes the numbers of one row.
#[derive(Debug)]
pub struct RowUpdate<'a> {
    history: &'a mut History,
    labels: &'a [u8],
    at: i64,
    length: i64,
}

impl History {
    /// An empty history.
    pub fn new(bounds: Bounds) -> Self {
        let field = |name: &[u8]| Field { name: name.into(), series: 0 };
        Self {
            bounds,
            fields: PANELS.into_iter().map(field).collect(),
            series: BTreeMap::new(),
            groups: HashTable::new(),
            hasher: RandomState::default(),
            next_series: 0,
            points: 0,
            alerts: VecDeque::new(),
            next_alert: 0,
            alert_counts: BTreeMap::new(),
            newest: None,
            swept: None,
            figures: Figures::default(),
            ended: None,
            revision: 1,
        }
    }

    /// What has been counted.
    pub fn figures(&self) -> Figures {
        self.figures
    }

    /// How the input ended, if it has.
    pub fn ended(&self) -> Option<Ended> {
        self.ended
    }

    /// Notes that the input has ended.
    pub fn end(&mut self, ended: Ended) {
        self.ended = Some(ended);
        self.revision += 1;
    }

    /// Counts a row that was not asked for.
    pub fn filtered(&mut self) {
        self.figures.filtered += 1;
        self.revision += 1;
    }

    /// Counts a line that is no row.
    pub fn rejected(&mut self) {
        self.figures.rejected += 1;
        self.revision += 1;
    }

    /// Takes in a row with these [`Labels`](super::Labels). One without a place
    /// stands at the newest time seen, else at `now`. The numbers go to what is
    /// returned.
    pub fn row<'a>(
        &'a mut self,
        labels: &'a [u8],
        place: Option<Place>,
        now: Timestamp,
    ) -> RowUpdate<'a> {
        self.figures.rows += 1;
        self.revision += 1;
        let at = self.arrive(place, now);
        let length = place.map_or(NO_LENGTH, |place| {
            place.end.micros.saturating_sub(place.start.micros).max(NO_LENGTH)
        });
        RowUpdate { history: self, labels, at, length }
    }

    /// Takes in an alert: its name, a JSON string, and all of it, as JSON
    /// members.
    pub fn alert(&mut self, name: &[u8], text: &[u8], place: Option<Place>, now: Timestamp) {
        self.figures.alerts += 1;
        self.revision += 1;
        let at = self.arrive(place, now);
        if let Some(count) = self.alert_counts.get_mut(name) {
            *count += 1;
        } else if self.alert_counts.len() < self.bounds.alert_names {
            self.alert_counts.insert(name.into(), 1);
        }
        if at < self.horizon() {
            self.figures.too_old += 1;
            return;
        }
        if self.alerts.len() == self.bounds.alerts {
            self.alerts.pop_front();
        }
        self.alerts.push_back(Alert { id: self.next_alert, at, text: text.into() });
        self.next_alert += 1;
    }

    /// When something happened, in microseconds since 1970; moves the newest
    /// time on.
    fn arrive(&mut self, place: Option<Place>, now: Timestamp) -> i64 {
        match place {
            Some(place) => {
                self.newest = self.newest.max(Some(place.end));
                place.end.micros
            }
            None => self.newest.unwrap_or(now).micros,
        }
    }

    /// What is older is forgotten.
    fn horizon(&self) -> i64 {
        let history = self.bounds.history.micros;
        self.newest.map_or(i64::MIN, |newest| newest.micros.saturating_sub(history))
    }

    /// How many points a series may have.
    fn points_each(&self) -> usize {
        let share = self.bounds.all_points / self.series.len().max(1);
        share.clamp(1, self.bounds.points)
    }

    /// The place of a field, if there is room for it.
    fn field(&mut self, name: &[u8]) -> Option<usize> {
        if let Some(known) = self.fields.iter().position(|field| *field.name == *name) {
            return Some(known);
        }
        let has_room = self.fields.len() < PANELS.len() + self.bounds.more_fields;
        if !has_room || name.len() > MAX_LABEL {
            return None;
        }
        self.fields.push(Field { name: name.into(), series: 0 });
        Some(self.fields.len() - 1)
    }

    fn find_series(&self, labels: &[u8], field: usize) -> Option<u64> {
        let hash = self.hasher.hash_one(labels);
        let group = self.groups.find(hash, |group| *group.labels == *labels)?;
        group.series.iter().find(|(of, _)| *of == field).map(|(_, id)| *id)
    }

    /// Makes a series, if there is room.
    fn add_series(&mut self, labels: &[u8], field: usize) -> Option<u64> {
        if self.fields[field].series >= self.bounds.series && self.swept < self.newest {
            self.sweep();
        }
        if self.fields[field].series >= self.bounds.series {
            return None;
        }
        let id = self.next_series;
        let labels = self.enter(labels, field, id);
        let changed = self.revision;
        let series = Series { field, labels, length: NO_LENGTH, changed, points: VecDeque::new() };
        self.next_series += 1;
        self.series.insert(id, series);
        self.make_room();
        Some(id)
    }

    /// Enters a series under its labels and field.
    fn enter(&mut self, labels: &[u8], field: usize, id: u64) -> Arc<[u8]> {
        let Self { groups, hasher, fields, .. } = self;
        let entry = groups.entry(
            hasher.hash_one(labels),
            |group| *group.labels == *labels,
            |group| hasher.hash_one(&*group.labels),
        );
        let new = || Group { labels: labels.into(), series: Vec::new() };
        let group = entry.or_insert_with(new).into_mut();
        group.series.push((field, id));
        fields[field].series += 1;
        Arc::clone(&group.labels)
    }

    /// With a series more, each may have fewer points.
    fn make_room(&mut self) {
        let limit = self.points_each();
        if limit == self.bounds.points {
            return;
        }
        for series in self.series.values_mut() {
            let dropped = series.shorten(limit);
            self.points -= dropped;
            self.figures.crowded += dropped as u64;
        }
    }

    /// Removes series that have no point left within the history.
    fn sweep(&mut self) {
        self.swept = self.newest;
        let horizon = self.horizon();
        let Self { series, groups, hasher, fields, points, .. } = self;
        series.retain(|id, series| {
            *points -= series.forget_before(horizon);
            if !series.points.is_empty() {
                return true;
            }
            fields[series.field].series -= 1;
            let hash = hasher.hash_one(&*series.labels);
            if let Ok(mut group) = groups.find_entry(hash, |group| group.labels == series.labels) {
                group.get_mut().series.retain(|(_, known)| known != id);
                if group.get().series.is_empty() {
                    group.remove();
                }
            }
            false
        });
    }
}

impl RowUpdate<'_> {
    /// Takes in the value of `field`. A null of a series that has had no number
    /// is none.
    pub fn set(&mut self, field: &[u8], value: Option<f64>) {
        let history = &mut *self.history;
        let horizon = history.horizon();
        if self.at < horizon {
            history.figures.too_old += u64::from(value.is_some());
            return;
        }
        let known = history.fields.iter().position(|known| *known.name == *field);
        let found = known.and_then(|field| history.find_series(self.labels, field));
        let id = match (found, value) {
            (Some(id), _) => id,
            (None, None) => return,
            (None, Some(_)) => {
                let added =
                    history.field(field).and_then(|field| history.add_series(self.labels, field));
                let Some(id) = added else {
                    history.figures.refused += 1;
                    return;
                };
                id
            }
        };
        history.put(id, self.at, self.length, value.unwrap_or(f64::NAN));
    }
}

impl History {
    fn put(&mut self, id: u64, at: i64, length: i64, value: f64) {
        let (horizon, limit) = (self.horizon(), self.points_each());
        let point = Point { at, value, changed: self.revision };
        let Some(series) = self.series.get_mut(&id) else { return };
        self.points -= series.forget_before(horizon);
        if series.newest().is_none_or(|newest| at >= newest) {
            series.length = length;
        }
        match series.put(point, limit) {
            Kept::New => self.points += 1,
            Kept::Replaced => {}
            Kept::Crowded => self.figures.crowded += 1,
        }
        let dropped = series.shorten(limit);
        self.points -= dropped;
        self.figures.crowded += dropped as u64;
    }
}

#[cfg(test)]
mod tests;

//! One series: its points in time order.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::line::json;

/// A value at an instant.
#[derive(Clone, Copy, Debug)]
pub(super) struct Point {
    /// Microseconds since 1970.
    pub(super) at: i64,
    /// NaN stands for null.
    pub(super) value: f64,
    /// The revision in which it last changed.
    pub(super) changed: u64,
}

/// What became of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// It is a point more.
    New,
    /// It took the place of another.
    Replaced,
    /// It is older than the oldest point that there is room for.
    Crowded,
}

/// The values of one field under one set of labels.
#[derive(Clone, Debug)]
pub(super) struct Series {
    /// Place of its field.
    pub(super) field: usize,
    /// Query and labels, as JSON members.
    pub(super) labels: Arc<[u8]>,
    /// Length of the newest window, in microseconds.
    pub(super) length: i64,
    /// The last revision in which anything changed.
    pub(super) changed: u64,
    pub(super) points: VecDeque<Point>,
}

impl Series {
    /// Puts a value in its place.
    pub(super) fn put(&mut self, point: Point, limit: usize) -> Kept {
        let after = self.points.partition_point(|known| known.at <= point.at);
        self.changed = point.changed;
        let before = after.checked_sub(1);
        if let Some(known) = before.and_then(|before| self.points.get_mut(before))
            && known.at == point.at
        {
            *known = point;
            return Kept::Replaced;
        }
        if before.is_none() && self.points.len() >= limit {
            return Kept::Crowded;
        }
        self.points.insert(after, point);
        Kept::New
    }

    /// Removes points before `horizon`; tells how many.
    pub(super) fn forget_before(&mut self, horizon: i64) -> usize {
        let before = self.points.len();
        while self.points.front().is_some_and(|point| point.at < horizon) {
            self.points.pop_front();
        }
        before - self.points.len()
    }

    /// Removes the oldest points beyond `limit`; tells how many.
    pub(super) fn shorten(&mut self, limit: usize) -> usize {
        let excess = self.points.len().saturating_sub(limit);
        self.points.drain(..excess);
        excess
    }

    /// The instant of the newest point.
    pub(super) fn newest(&self) -> Option<i64> {
        self.points.back().map(|point| point.at)
    }

    /// Appends, as JSON members, the points from `horizon` on that changed after
    /// the revision `since`: times in milliseconds, then values.
    pub(super) fn write_points(&self, since: u64, horizon: i64, out: &mut Vec<u8>) {
        let wanted =
            || self.points.iter().filter(|point| point.changed > since && point.at >= horizon);
        out.extend_from_slice(b"\"t\":[");
        for (index, point) in wanted().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            json::write_int(point.at.div_euclid(1_000).into(), out);
        }
        out.extend_from_slice(b"],\"v\":[");
        for (index, point) in wanted().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            json::write_double(point.value, out);
        }
        out.push(b']');
    }
}

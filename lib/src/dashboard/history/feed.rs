//! What clients are told: everything at first, then what has changed.

use super::{Ended, History};
use crate::line::json;

/// How far a client has read. A fresh one has read nothing.
#[derive(Clone, Debug, Default)]
pub struct Cursor {
    /// All changes up to this revision have been read.
    since: u64,
    /// The pass over the series that is under way.
    pass: Option<Pass>,
    /// The first alert that has not been read.
    next_alert: u64,
}

#[derive(Clone, Copy, Debug)]
struct Pass {
    /// The revision at its beginning.
    target: u64,
    /// The first series that has not been read.
    next_series: u64,
}

impl Cursor {
    /// Whether there is something to read.
    pub fn is_behind(&self, history: &History) -> bool {
        self.is_passing() || self.since < history.revision
    }

    /// Whether it has read a part of what there was when it last began.
    pub(in crate::dashboard) fn is_passing(&self) -> bool {
        self.pass.is_some()
    }
}

impl History {
    /// Appends, as one JSON object, figures and what has changed since `cursor`
    /// read last; moves the cursor on. Stops behind the series or alert that
    /// takes it past `budget` bytes: then the cursor is still behind.
    pub fn read(&self, cursor: &mut Cursor, budget: usize, out: &mut Vec<u8>) {
        let end = out.len().saturating_add(budget);
        out.extend_from_slice(b"{\"status\":");
        self.write_status(out);
        let before = cursor.next_alert;
        let is_whole = self.write_alerts(cursor, end, out);
        if before != cursor.next_alert {
            self.write_counts(out);
        }
        // Each time at least one thing is told, or it would never end.
        if is_whole && (before == cursor.next_alert || out.len() < end) {
            self.write_series(cursor, end, out);
        } else {
            // So that the cursor shows that it is behind.
            cursor.pass.get_or_insert(Pass { target: self.revision, next_series: 0 });
        }
        out.push(b'}');
    }

    fn write_status(&self, out: &mut Vec<u8>) {
        let figures = self.figures;
        let shown = self.horizon();
        let newest = self.newest.map(|newest| newest.micros.div_euclid(1_000).into());
        let oldest = (shown != i64::MIN).then(|| shown.div_euclid(1_000).into());
        let limits = [
            ("newest", newest),
            ("oldest", oldest),
            ("history", Some((self.bounds.history.micros / 1_000).into())),
            ("points_each", Some(self.points_each() as i128)),
            ("series_each", Some(self.bounds.series as i128)),
            ("alerts_kept", Some(self.bounds.alerts as i128)),
        ];
        let figures = [
            ("rows", figures.rows),
            ("alerts", figures.alerts),
            ("filtered", figures.filtered),
            ("rejected", figures.rejected),
            ("refused", figures.refused),
            ("crowded", figures.crowded),
            ("too_old", figures.too_old),
        ];
        let figures = figures.map(|(name, count)| (name, Some(count.into())));
        out.extend_from_slice(b"{\"ended\":");
        out.extend_from_slice(match self.ended {
            None => b"null",
            Some(Ended::Done) => b"\"done\"",
            Some(Ended::Suspended) => b"\"suspended\"",
        });
        for (name, number) in limits.into_iter().chain(figures) {
            out.extend_from_slice(b",\"");
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b"\":");
            match number {
                Some(number) => json::write_int(number, out),
                None => out.extend_from_slice(b"null"),
            }
        }
        out.push(b'}');
    }

    /// Whether all of them found room.
    fn write_alerts(&self, cursor: &mut Cursor, end: usize, out: &mut Vec<u8>) -> bool {
        let horizon = self.horizon();
        let first = self.alerts.partition_point(|alert| alert.id < cursor.next_alert);
        let mut is_whole = true;
        let mut separator: &[u8] = b"";
        out.extend_from_slice(b",\"alerts\":[");
        for alert in self.alerts.range(first..) {
            if out.len() >= end && !separator.is_empty() {
                is_whole = false;
                break;
            }
            cursor.next_alert = alert.id + 1;
            if alert.at < horizon {
                continue;
            }
            out.extend_from_slice(separator);
            separator = b",";
            out.extend_from_slice(b"{\"id\":");
            json::write_int(alert.id.into(), out);
            out.extend_from_slice(b",\"t\":");
            json::write_int(alert.at.div_euclid(1_000).into(), out);
            out.push(b',');
            out.extend_from_slice(&alert.text);
            out.push(b'}');
        }
        out.push(b']');
        is_whole
    }

    fn write_counts(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b",\"counts\":[");
        for (index, (name, count)) in self.alert_counts.iter().enumerate() {
            out.extend_from_slice(if index > 0 { b",[" } else { b"[" });
            out.extend_from_slice(name);
            out.push(b',');
            json::write_int((*count).into(), out);
            out.push(b']');
        }
        out.push(b']');
    }

    fn write_series(&self, cursor: &mut Cursor, end: usize, out: &mut Vec<u8>) {
        let horizon = self.horizon();
        // What changes during the pass has a revision behind the target, and is
        // read again by the next one.
        let start = Pass { target: self.revision, next_series: 0 };
        let mut pass = *cursor.pass.get_or_insert(start);
        let mut separator: &[u8] = b"";
        let mut is_whole = true;
        out.extend_from_slice(b",\"series\":[");
        for (id, series) in self.series.range(pass.next_series..) {
            let is_old = series.newest().is_none_or(|newest| newest < horizon);
            if series.changed <= cursor.since || is_old {
                continue;
            }
            if out.len() >= end && !separator.is_empty() {
                is_whole = false;
                pass.next_series = *id;
                break;
            }
            out.extend_from_slice(separator);
            separator = b",";
            out.extend_from_slice(b"{\"id\":");
            json::write_int((*id).into(), out);
            out.extend_from_slice(b",\"field\":");
            json::write_string(&self.fields[series.field].name, out);
            out.push(b',');
            out.extend_from_slice(&series.labels);
            out.extend_from_slice(b",\"length\":");
            json::write_int((series.length / 1_000).into(), out);
            out.push(b',');
            series.write_points(cursor.since, horizon, out);
            out.push(b'}');
        }
        out.push(b']');
        if is_whole {
            cursor.since = pass.target;
        }
        cursor.pass = (!is_whole).then_some(pass);
    }
}

//! Figures as JSON.

use serde_json::{Map, Value};

use super::{Moment, Owner, Stats, WindowStats};
use crate::line::Reason;
use crate::time::Timestamp;

impl Stats {
    /// The figures as one JSON object, with a newline.
    pub fn to_json(&self, owner: Owner<'_>, moment: Moment) -> String {
        let rejected: Map<String, Value> = Reason::ALL
            .iter()
            .filter(|reason| self.rejected[reason.index()] > 0)
            .map(|reason| (reason.name().to_owned(), self.rejected[reason.index()].into()))
            .collect();
        let mut members = vec![("stage", Value::from(owner.stage))];
        members.extend(owner.pipeline.map(|pipeline| ("pipeline", pipeline.into())));
        members.extend(self.numbers().map(|(name, number)| (name, number.into())));
        members.push(("rejected", rejected.into()));
        members.push(("replaced_utf8", self.replaced_utf8.into()));
        members.push(("casts_failed", self.casts_failed.into()));
        members.extend(self.own.iter().map(|figure| (figure.name, figure.count.into())));
        if let Some(window) = &self.window {
            members.extend(of_window(window, moment.now));
        }
        members.push(("seconds", thousandths(moment.seconds)));
        members.push(("time", moment.now.to_string().into()));
        members.push(("done", moment.is_done.into()));
        let members: Vec<String> =
            members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        format!("{{{}}}\n", members.join(","))
    }
}

fn of_window(window: &WindowStats, now: Timestamp) -> Vec<(&'static str, Value)> {
    let mut members: Vec<(&str, Value)> =
        window.totals().map(|(name, number)| (name, number.into())).into();
    members.extend(of_watermark(window.watermark(), now));
    members.push(("max_event_time", text(window.max_event_time)));
    members.push(("groups", window.groups.into()));
    members.push(("state_bytes", window.state_bytes.into()));
    if window.queries.len() > 1 {
        let queries = window.queries.iter().zip(&window.watermarks).map(|(query, watermark)| {
            let fates = query.fates().map(|(name, number)| (name, number.into()));
            let members = fates.into_iter().chain(of_watermark(*watermark, now));
            let members = members.map(|(name, value): (&str, Value)| (name.to_owned(), value));
            (query.name.clone(), Value::Object(members.collect()))
        });
        members.push(("queries", Value::Object(queries.collect())));
    }
    members
}

/// A watermark, and how many seconds it is behind the clock.
fn of_watermark(watermark: Option<Timestamp>, now: Timestamp) -> [(&'static str, Value); 2] {
    let lag = watermark.map(|watermark| thousandths(watermark.seconds_until(now)));
    [("watermark", text(watermark)), ("watermark_lag", lag.into())]
}

fn text(time: Option<Timestamp>) -> Value {
    time.map(|time| time.to_string()).into()
}

fn thousandths(seconds: f64) -> Value {
    ((seconds * 1e3).round() / 1e3).into()
}

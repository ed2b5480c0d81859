//! Which field of a record is its time, and what becomes of records without.

use serde_json::Value;

use crate::time::{CivilTime, Timestamp};

/// Where a record's time is looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TimeOptions {
    /// The field that holds it, a literal key first, then a path; `None` for
    /// the usual names.
    pub field: Option<String>,
    /// What becomes of a record that has none. One that has something else in
    /// its place is rejected always.
    pub untimed: Untimed,
}

/// What becomes of a record without a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Untimed {
    /// It is rejected.
    #[default]
    Reject,
    /// It passes, without `timestamp`.
    Keep,
    /// It gets the time at which it arrived.
    Stamp,
}

/// The path of the first field, in the order of its names, that is called
/// like a time and holds one: what `--time-field` was probably wanted for.
#[cold]
pub(crate) fn time_like(record: &[u8]) -> Option<String> {
    search(&serde_json::from_slice(record).ok()?)
}

fn search(value: &Value) -> Option<String> {
    let members = value.as_object()?;
    let is_time = |(name, value): &(&String, &Value)| sounds_like_time(name) && holds_time(value);
    if let Some((name, _)) = members.iter().find(is_time) {
        return Some(name.clone());
    }
    let nested = |(name, value): (&String, &Value)| Some(format!("{name}.{}", search(value)?));
    // A path goes through keys without dots only.
    members.iter().filter(|(name, _)| !name.contains('.')).find_map(nested)
}

fn sounds_like_time(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let is = |known: &str| name == known;
    ["time", "date", "stamp", "epoch"].iter().any(|part| name.contains(part))
        || ["ts", "t", "when"].into_iter().any(is)
        || name.ends_with("_at")
}

/// Whether the value is a time and no duration or count, which would be of
/// the first years after 1970.
fn holds_time(value: &Value) -> bool {
    const YEAR_1990: Timestamp = Timestamp::from_micros(631_152_000_000_000);
    let text = match value {
        Value::String(text) => text.trim().as_bytes().to_owned(),
        Value::Number(number) => number.to_string().into_bytes(),
        _ => return false,
    };
    Timestamp::parse(&text).is_some()
        || CivilTime::read(&text).is_some()
        || Timestamp::from_epoch_text(&text).is_some_and(|time| time >= YEAR_1990)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sounds_like_a_time_and_is_one() {
        for (record, found) in [
            (r#"{"created_at":"2025-09-12T00:00:00Z"}"#, Some("created_at")),
            (r#"{"Timestamp":"12/Sep/2025:00:00:00 +0000"}"#, Some("Timestamp")),
            (r#"{"event":{"startTime":"1757635200123"}}"#, Some("event.startTime")),
            (r#"{"a.b":{"time":1757635200}}"#, None),
            (r#"{"a.time":1757635200}"#, Some("a.time")),
            (r#"{"uptime":12,"name":"2025-09-12T00:00:00Z"}"#, None),
            (r#"{"update":"soon","time":[]}"#, None),
            ("[", None),
        ] {
            assert_eq!(time_like(record.as_bytes()).as_deref(), found, "{record}");
        }
    }
}

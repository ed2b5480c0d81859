//! Times against chrono, and durations.

use chrono::{DateTime, Datelike as _, NaiveDateTime, Timelike as _, Utc};
use highwater_core::time::{Calendar, TimeDelta, TimeFormat, TimeReader, Timestamp, Zone};

/// The first line is a time; if there is a second one, the first is the format
/// that it is in.
pub(super) fn time(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        let _ = Calendar::default().read(bytes);
        return;
    };
    match text.split_once('\n') {
        Some((format, text)) => in_format(format, text),
        None => plain(text),
    }
    if let Ok(zone) = text.parse::<Zone>() {
        let _ = Calendar::default().with_zone(zone).read(b"2024-03-31 02:30:00");
    }
}

fn plain(text: &str) {
    let ours = Timestamp::parse(text.as_bytes());
    let mut reader = TimeReader::default();
    for _ in 0..2 {
        assert_eq!(reader.parse(text.as_bytes()), ours, "{text}");
    }
    if let Some(time) = ours {
        let printed = time.to_string();
        assert_eq!(Timestamp::parse(printed.as_bytes()), Some(time), "{text}");
        assert!(highwater_core::time::is_normal_form(printed.as_bytes()), "{printed}");
    }
    if let Ok(theirs) = DateTime::parse_from_rfc3339(text)
        && let Some(theirs) = instant(theirs.to_utc())
    {
        assert_eq!(ours, Some(theirs), "{text}");
    }
    for zone in ["UTC", "America/New_York", "+05:30"] {
        let mut calendar = Calendar::default().with_zone(zone.parse().unwrap());
        let time = calendar.read(text.as_bytes());
        if let Some(time) = time {
            assert_eq!(calendar.read(time.to_string().as_bytes()), Some(time), "{text}");
        }
    }
}

/// A text that chrono reads in a format is the same time here. Its fractions
/// and names of zones are not ours.
fn in_format(format: &str, text: &str) {
    let Ok(ours) = format.parse::<TimeFormat>() else { return };
    let read = Calendar::default().with_format(Some(ours)).read(text.as_bytes());
    let differs =
        ["%f", "%N", "%Z", "z", "%s", "%+", "%c"].iter().any(|part| format.contains(part));
    let theirs = NaiveDateTime::parse_from_str(text, format);
    if let (false, Ok(theirs)) = (differs, theirs)
        && let Some(theirs) = instant(theirs.and_utc())
    {
        assert_eq!(read, Some(theirs), "{format:?}: {text:?}");
    }
}

/// `None` outside of the years that a record can spell.
fn instant(time: DateTime<Utc>) -> Option<Timestamp> {
    let nanos = i64::from(time.nanosecond());
    let micros = time.timestamp() * 1_000_000 + nanos / 1_000;
    // The last leap second that can be written is in the year 10000.
    let is_spelt = (0..=9999).contains(&time.year()) && micros < 253_402_300_800_000_000;
    is_spelt.then_some(Timestamp { micros, nanos: (nanos % 1_000) as u16 })
}

/// A duration that was read is the same as it is printed.
pub(super) fn duration(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match text.parse::<TimeDelta>() {
        Ok(delta) => assert_eq!(delta.to_string().parse(), Ok(delta), "{text}"),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

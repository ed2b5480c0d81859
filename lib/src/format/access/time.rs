//! The time of an access log, `10/Oct/2000:13:55:36 -0700`.

use crate::time::{Calendar, Timestamp};

/// Length of `10/Oct/2000:13:55:36 -0700`.
pub(super) const CLF_LENGTH: usize = 26;

/// Length of the printed form, `2000-10-10T20:55:36.000Z`.
const PRINTED: usize = 24;

/// Reads the times of one stream, remembering the last minute seen.
///
/// Neighbouring lines share their minute and zone, and zones are whole minutes
/// off UTC, so most times are printed by putting their seconds into the last
/// one.
#[derive(Clone, Debug)]
pub(in crate::format) struct ClockReader {
    /// The minute as read: `10/Oct/2000:13:55` and ` -0700`.
    date: [u8; 17],
    zone: [u8; 6],
    /// The same minute as printed, if it is one.
    minute: Option<Minute>,
}

#[derive(Clone, Copy, Debug)]
struct Minute {
    start: Timestamp,
    printed: [u8; PRINTED],
}

/// A time that has been read.
#[derive(Clone, Debug)]
pub(in crate::format) enum Time {
    /// As text, `2000-10-10T20:55:36.000Z`.
    Printed([u8; PRINTED]),
    /// One that is not in the common log format.
    Other(Timestamp),
}

impl Time {
    /// Appends it as RFC 3339 in UTC, without quotes.
    #[inline]
    pub(in crate::format) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Printed(text) => out.extend_from_slice(text),
            Self::Other(time) => time.write(out),
        }
    }
}

impl ClockReader {
    pub(in crate::format) const fn new() -> Self {
        Self { date: [0; 17], zone: [0; 6], minute: None }
    }

    /// Reads a time in the common log format, unless the calendar has a format
    /// of its own, or in any other spelling that the calendar knows; `None` if
    /// it is none, such as 30 February.
    #[inline]
    pub(in crate::format) fn read(&mut self, text: &[u8], calendar: &mut Calendar) -> Option<Time> {
        if !calendar.has_format()
            && let Ok(text) = text.try_into()
            && let Some(time) = self.read_clf(text)
        {
            return Some(time);
        }
        calendar.read(text).map(Time::Other)
    }

    #[inline]
    fn read_clf(&mut self, text: &[u8; CLF_LENGTH]) -> Option<Time> {
        if text[..17] != self.date || text[20..] != self.zone || self.minute.is_none() {
            self.date.copy_from_slice(&text[..17]);
            self.zone.copy_from_slice(&text[20..]);
            self.minute = minute(text);
        }
        let Minute { start, mut printed } = self.minute?;
        match text[17..20] {
            [b':', tens @ b'0'..=b'5', ones @ b'0'..=b'9'] => {
                printed[17] = tens;
                printed[18] = ones;
                Some(Time::Printed(printed))
            }
            // A leap second is the first moment of the next minute.
            [b':', b'6', b'0'] => {
                Some(Time::Other(Timestamp::from_micros(start.micros + 60_000_000)))
            }
            _ => None,
        }
    }
}

/// The minute of a time in the common log format; its seconds are not read.
///
/// Respells it as RFC 3339, so that there is one place that knows the calendar.
fn minute(text: &[u8; CLF_LENGTH]) -> Option<Minute> {
    let [d1, d2, b'/', m1, m2, m3, b'/', y1, y2, y3, y4, b':', h1, h2, b':', n1, n2, ..] = *text
    else {
        return None;
    };
    let [.., b' ', sign, z1, z2, z3, z4] = *text else { return None };
    let [o1, o2] = month([m1, m2, m3])?;
    let start = Timestamp::parse(&[
        y1, y2, y3, y4, b'-', o1, o2, b'-', d1, d2, b'T', h1, h2, b':', n1, n2, b':', b'0', b'0',
        sign, z1, z2, z3, z4,
    ])?;
    let mut printed = Vec::with_capacity(PRINTED);
    start.write(&mut printed);
    Some(Minute { start, printed: printed.try_into().ok()? })
}

/// The two digits of an English month.
fn month(name: [u8; 3]) -> Option<[u8; 2]> {
    const NAMES: [&[u8; 3]; 12] = [
        b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov",
        b"dec",
    ];
    let name = name.map(|letter| letter.to_ascii_lowercase());
    let number = NAMES.iter().position(|known| **known == name)? as u8 + 1;
    Some([b'0' + number / 10, b'0' + number % 10])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(reader: &mut ClockReader, text: &str) -> Option<String> {
        let mut printed = Vec::new();
        reader.read(text.as_bytes(), &mut Calendar::default())?.write(&mut printed);
        Some(String::from_utf8(printed).unwrap())
    }

    #[test]
    fn times_in_one_stream() {
        let mut reader = ClockReader::new();
        for (text, printed) in [
            ("10/Oct/2000:13:55:36 -0700", Some("2000-10-10T20:55:36.000Z")),
            ("10/Oct/2000:13:55:37 -0700", Some("2000-10-10T20:55:37.000Z")),
            // The same minute in another zone is another minute.
            ("10/Oct/2000:13:55:37 +0000", Some("2000-10-10T13:55:37.000Z")),
            ("31/dec/2016:23:59:60 +0000", Some("2017-01-01T00:00:00.000Z")),
            ("31/Dec/2016:23:59:61 +0000", None),
            ("31/Dec/2016:23:59:59 +0000", Some("2016-12-31T23:59:59.000Z")),
            ("01/Jan/2023:03:29:00 +0330", Some("2022-12-31T23:59:00.000Z")),
            ("29/Feb/2024:00:00:00 +0000", Some("2024-02-29T00:00:00.000Z")),
            ("29/Feb/2023:00:00:00 +0000", None),
            ("29/Feb/2023:00:00:01 +0000", None),
            ("00/Feb/2023:00:00:00 +0000", None),
            ("10/Okt/2000:13:55:36 -0700", None),
            ("10/Oct/2000:24:00:00 -0700", None),
            ("10/Oct/2000:13:60:00 -0700", None),
            ("10/Oct/2000:13:55:36 -07:0", None),
            ("10/Oct/2000:13:55:36 00000", None),
            ("10/Oct/2000:13:55:36 +2400", None),
            ("10/Oct/2000 13:55:36 -0700", Some("2000-10-10T20:55:36.000Z")),
            ("01/Jan/0000:00:00:00 +0100", None),
        ] {
            assert_eq!(read(&mut reader, text).as_deref(), printed, "{text}");
        }
    }

    #[test]
    fn other_spellings_are_the_calendars() {
        let format = |format: &str| Some(format.parse().unwrap());
        let clf = "10/Oct/2000:13:55:36 -0700";
        let custom = "March 05, 2024T07:08:09 +0000";
        for (text, format, accepted) in [
            ("2024-03-05T07:08:09+00:00", None, true),
            ("2024-03-05T07:08:09.5Z", None, true),
            ("2024-03-05 07:08:09 -0700", None, true),
            ("2024-03-05T07:08:09", None, true),
            ("2024-04-31T07:08:09Z", None, false),
            (custom, None, false),
            (custom, format("%B %d, %YT%H:%M:%S %z"), true),
            (clf, format("%B %d, %YT%H:%M:%S %z"), false),
            (clf, format("%d/%b/%Y:%H:%M:%S %z"), true),
        ] {
            let mut calendar = Calendar::default().with_format(format);
            let time = ClockReader::new().read(text.as_bytes(), &mut calendar);
            assert_eq!(time.is_some(), accepted, "{text}");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_chrono(seconds in -62_000_000_000_i64..253_000_000_000,
                              ahead_minutes in -1_439_i32..1_440) {
            let zone = chrono::FixedOffset::east_opt(ahead_minutes * 60).unwrap();
            let time = chrono::DateTime::from_timestamp(seconds, 0).unwrap();
            let text = time.with_timezone(&zone).format("%d/%b/%Y:%H:%M:%S %z").to_string();
            let printed = time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
            prop_assert_eq!(read(&mut ClockReader::new(), &text), Some(printed));
        }
    }
}

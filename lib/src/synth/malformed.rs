//! Lines that are no records, in the ways in which lines go wrong.

use std::ops::Range;

use memchr::memmem;

use super::catalogue::Catalogue;
use super::config::Config;
use super::encode;
use super::format::LineFormat;
use super::quantity::Share;
use super::random::{Purpose, Random};
use super::record::Record;

/// What is wrong with a line. Each is a broken copy of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// The record's line, cut short anywhere.
    Cut,
    /// A text that no program meant as a record.
    Text,
    /// The record without its time.
    NoTime,
    /// The record with a time that no calendar has.
    BadTime,
    /// The record with something as its time that is none: an object in JSON,
    /// a word in text.
    WrongType,
    /// The record with bytes in a name that are no UTF-8. Only in JSON: of text
    /// `parse` makes a record all the same.
    BadUtf8,
}

impl Flaw {
    pub(super) const ALL: [Self; 6] =
        [Self::Cut, Self::Text, Self::NoTime, Self::BadTime, Self::WrongType, Self::BadUtf8];

    /// The flaws that lines of a format can have.
    fn of(format: LineFormat) -> &'static [Self] {
        if format == LineFormat::Json { &Self::ALL } else { &Self::ALL[..5] }
    }

    /// The name in the truth file.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Cut => "cut",
            Self::Text => "text",
            Self::NoTime => "no-time",
            Self::BadTime => "bad-time",
            Self::WrongType => "wrong-type",
            Self::BadUtf8 => "bad-utf8",
        }
    }

    /// Why `parse` rejects the line if it knows the format, or decides it by
    /// the line if that is JSON. (To `window`, and to `parse --format json`, text
    /// is `invalid_json`.)
    pub(super) fn reason(self, format: LineFormat) -> &'static str {
        match self {
            Self::Cut if format == LineFormat::Json => "invalid_json",
            Self::Cut | Self::Text => "no_match",
            // Without its time such a line is none.
            Self::NoTime if matches!(format, LineFormat::Apache | LineFormat::Nginx) => "no_match",
            Self::NoTime => "no_timestamp",
            Self::BadTime | Self::WrongType => "bad_timestamp",
            Self::BadUtf8 => "invalid_utf8",
        }
    }
}

/// Says which records have a broken line before them, and breaks lines.
#[derive(Clone, Debug)]
pub(super) struct Malformed {
    share: Share,
    random: Random,
    /// How many lines have been broken.
    broken: u64,
}

impl Malformed {
    pub(super) fn new(config: &Config) -> Option<Self> {
        let random = Random::new(config.seed, Purpose::Malformed);
        config.malformed.map(|share| Self { share, random, broken: 0 })
    }

    /// Whether a broken line comes before the next record.
    pub(super) fn strikes(&mut self) -> bool {
        self.random.chance(self.share)
    }

    /// Appends a broken copy of a record. The flaws take turns, so that each
    /// comes as often as the others.
    pub(super) fn write(
        &mut self,
        record: &Record,
        catalogue: &Catalogue,
        format: LineFormat,
        out: &mut Vec<u8>,
    ) -> Flaw {
        let flaws = Flaw::of(format);
        let flaw = flaws[(self.broken % flaws.len() as u64) as usize];
        self.broken += 1;
        let start = out.len();
        if format == LineFormat::Json {
            self.write_json(record, catalogue, flaw, out);
        } else {
            format.write(record, catalogue, out);
            let mut line = out.split_off(start);
            self.break_text(&mut line, format, flaw);
            out.append(&mut line);
        }
        flaw
    }

    fn write_json(
        &mut self,
        record: &Record,
        catalogue: &Catalogue,
        flaw: Flaw,
        out: &mut Vec<u8>,
    ) {
        let start = out.len();
        encode::write_line(record, catalogue, out);
        match flaw {
            Flaw::Cut => {
                let most = (out.len() - start - 1) as u64;
                out.truncate(start + 1 + self.random.below(most) as usize);
            }
            Flaw::Text => {
                out.truncate(start);
                out.extend_from_slice(TEXT);
            }
            Flaw::NoTime => replace_time(out, start, b""),
            Flaw::BadTime => replace_time(out, start, br#""timestamp":"2025-02-30T25:61:00Z","#),
            Flaw::WrongType => replace_time(out, start, br#""timestamp":{"unix":1757635200},"#),
            Flaw::BadUtf8 => {
                // The name of the user, which every record has.
                if let Some(at) = memmem::rfind(&out[start..], b"user_") {
                    out.splice(start + at..start + at, *b"\xff\xfe");
                }
            }
        }
    }

    /// Breaks a line of text. It is cut within a first text in quotes, or else
    /// within the first key, so that what is left is no record.
    fn break_text(&mut self, line: &mut Vec<u8>, format: LineFormat, flaw: Flaw) {
        let time = time_in(line, format);
        match flaw {
            Flaw::Cut => {
                let mut quotes = memchr::memchr_iter(b'"', line);
                let (open, close) = quotes.next().zip(quotes.next()).unwrap_or((0, 4));
                line.truncate(open + 1 + self.random.below((close - open) as u64) as usize);
            }
            Flaw::Text => *line = TEXT.to_vec(),
            Flaw::NoTime if format == LineFormat::Syslog => replace(line, time, b"-"),
            Flaw::NoTime if format == LineFormat::Logfmt => replace(line, 0..time.end + 1, b""),
            Flaw::NoTime => replace(line, time.start - 1..time.end + 2, b""),
            Flaw::BadTime if matches!(format, LineFormat::Apache | LineFormat::Nginx) => {
                replace(line, time, b"30/Feb/2025:25:61:00 +0000");
            }
            Flaw::BadTime => replace(line, time, b"2025-02-30T25:61:00Z"),
            Flaw::WrongType | Flaw::BadUtf8 => replace(line, time, b"yesterday"),
        }
    }
}

/// What a program says that has lost its log.
const TEXT: &[u8] = b"panic: connection reset by peer";

/// Where the time stands in a line of text.
fn time_in(line: &[u8], format: LineFormat) -> Range<usize> {
    let (before, after) = match format {
        LineFormat::Logfmt => (b'=', b' '),
        LineFormat::Syslog | LineFormat::Json => (b' ', b' '),
        LineFormat::Apache | LineFormat::Nginx => (b'[', b']'),
    };
    let start = memchr::memchr(before, line).map_or(0, |at| at + 1);
    start..memchr::memchr(after, &line[start..]).map_or(line.len(), |length| start + length)
}

fn replace(line: &mut Vec<u8>, range: Range<usize>, with: &[u8]) {
    line.splice(range, with.iter().copied());
}

/// Puts other text in place of the first member of the object at `start`,
/// which is the time, and of the comma behind it.
fn replace_time(out: &mut Vec<u8>, start: usize, with: &[u8]) {
    let end = out[start..].iter().position(|&byte| byte == b',').map_or(start, |at| start + at);
    out.splice(start + 1..=end, with.iter().copied());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synth::record::{Action, EventRecord};

    const EVENT: Record = Record::Event(EventRecord {
        millis: 1_757_635_200_123,
        user: 2,
        session: 17,
        action: Action::Click,
        cents: 150,
        host: 7,
    });

    #[test]
    fn flaws_take_turns() {
        let catalogue = Catalogue::new(1);
        let random = Random::new(1, Purpose::Malformed);
        let mut malformed = Malformed { share: Share::ALL, random, broken: 0 };
        let mut whole = Vec::new();
        encode::write_line(&EVENT, &catalogue, &mut whole);
        let mut break_one = || {
            let mut out = b"kept\n".to_vec();
            let flaw = malformed.write(&EVENT, &catalogue, LineFormat::Json, &mut out);
            (flaw, out.split_off(5))
        };
        let (flaw, cut) = break_one();
        assert_eq!(flaw, Flaw::Cut);
        assert!(!cut.is_empty() && cut.len() < whole.len() && whole.starts_with(&cut));
        let rest = br#""user_id":"user_003","action":"click","value":1.5,"session_id":"session_17","ip_address":"192.168.1.7"}"#;
        for (flaw, line) in [
            (Flaw::Text, b"panic: connection reset by peer".to_vec()),
            (Flaw::NoTime, [b"{", &rest[..]].concat()),
            (Flaw::BadTime, [br#"{"timestamp":"2025-02-30T25:61:00Z","#, &rest[..]].concat()),
            (Flaw::WrongType, [br#"{"timestamp":{"unix":1757635200},"#, &rest[..]].concat()),
        ] {
            assert_eq!(break_one(), (flaw, line));
        }
        let (flaw, line) = break_one();
        assert_eq!(flaw, Flaw::BadUtf8);
        assert!(std::str::from_utf8(&line).is_err());
        assert_eq!(line.len(), whole.len() + 2);
        assert_eq!(break_one().0, Flaw::Cut);
    }
}

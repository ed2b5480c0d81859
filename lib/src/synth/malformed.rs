//! Lines that are no records, in the ways in which lines go wrong.

use memchr::memmem;

use super::catalogue::Catalogue;
use super::config::Config;
use super::encode;
use super::quantity::Share;
use super::random::{Purpose, Random};
use super::record::Record;

/// What is wrong with a line. Each is a broken copy of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// The record's line, cut short anywhere.
    Cut,
    /// No JSON at all.
    Text,
    /// The record without its time.
    NoTime,
    /// The record with a time that no calendar has.
    BadTime,
    /// The record with an object as its time.
    WrongType,
    /// The record with bytes in a name that are no UTF-8.
    BadUtf8,
}

impl Flaw {
    pub(super) const ALL: [Self; 6] =
        [Self::Cut, Self::Text, Self::NoTime, Self::BadTime, Self::WrongType, Self::BadUtf8];

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

    /// Why `parse` rejects the line. (To `window`, and to `parse --format
    /// json`, text is `invalid_json`.)
    pub(super) const fn reason(self) -> &'static str {
        match self {
            Self::Cut => "invalid_json",
            Self::Text => "no_match",
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
        out: &mut Vec<u8>,
    ) -> Flaw {
        let flaw = Flaw::ALL[(self.broken % Flaw::ALL.len() as u64) as usize];
        self.broken += 1;
        let start = out.len();
        encode::write_line(record, catalogue, out);
        match flaw {
            Flaw::Cut => {
                let most = (out.len() - start - 1) as u64;
                out.truncate(start + 1 + self.random.below(most) as usize);
            }
            Flaw::Text => {
                out.truncate(start);
                out.extend_from_slice(b"panic: connection reset by peer");
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
        flaw
    }
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
            let flaw = malformed.write(&EVENT, &catalogue, &mut out);
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

//! Where to begin and to end in the partitions of topics, as people write it.

use std::collections::BTreeMap;
use std::str::FromStr;

use crate::time::{Calendar, Timestamp};

/// Offsets by topic and partition.
type Offsets = BTreeMap<String, BTreeMap<i32, i64>>;

/// Where to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartingOffsets {
    /// At the oldest record that is kept.
    Earliest,
    /// Behind the newest.
    Latest,
    /// So many records before the end of each partition.
    Tail(i64),
    /// At this offset of each partition.
    At(i64),
    /// At the first record with this time or a later one.
    Time(Timestamp),
    /// Each partition for itself; -2 is earliest and -1 latest, as in Spark. Those
    /// not named begin at the default.
    Each(Offsets),
}

/// Where to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndingOffsets {
    /// Behind the record that is the newest at the start.
    Latest,
    /// Before this offset of each partition; -1 is latest, as are those not
    /// named.
    Each(Offsets),
}

/// Why offsets cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ParseOffsetsError(String);

impl FromStr for StartingOffsets {
    type Err = ParseOffsetsError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let written = "earliest, latest, -100 (the last 100 of each partition), 100, \
                       timestamp:2025-09-12T00:00:00Z or {\"logs\":{\"0\":23,\"1\":-2}}";
        let wrong = || ParseOffsetsError(format!("write {written}"));
        if let Some(time) = text.strip_prefix("timestamp:").or_else(|| text.strip_prefix("s@")) {
            return time_of(time).map(Self::Time).ok_or_else(wrong);
        }
        match text {
            "earliest" | "beginning" => Ok(Self::Earliest),
            "latest" | "end" => Ok(Self::Latest),
            _ if text.starts_with('{') => offsets(text, -2).map(Self::Each),
            _ => match text.parse::<i64>().map_err(|_| wrong())? {
                tail @ ..=-1 => Ok(Self::Tail(tail.saturating_neg())),
                at => Ok(Self::At(at)),
            },
        }
    }
}

impl FromStr for EndingOffsets {
    type Err = ParseOffsetsError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "latest" | "end" => Ok(Self::Latest),
            _ if text.starts_with('{') => offsets(text, -1).map(Self::Each),
            _ => Err(ParseOffsetsError("write latest, or {\"logs\":{\"0\":23}}".to_owned())),
        }
    }
}

/// A time of any usual spelling, or milliseconds since 1970 as Kafka has them.
fn time_of(text: &str) -> Option<Timestamp> {
    match text.parse::<i64>() {
        Ok(millis) => Some(Timestamp::from_micros(millis.checked_mul(1_000)?)),
        Err(_) => Calendar::default().read(text.as_bytes()),
    }
}

/// Reads `{"logs":{"0":23}}`; offsets below `least` mean nothing.
fn offsets(text: &str, least: i64) -> Result<Offsets, ParseOffsetsError> {
    let wrong =
        |what: String| ParseOffsetsError(format!("{what}; write {{\"logs\":{{\"0\":23}}}}"));
    let topics: BTreeMap<String, BTreeMap<String, i64>> =
        serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
    let mut offsets = Offsets::new();
    for (topic, partitions) in topics {
        for (number, offset) in partitions {
            let number = number
                .parse()
                .ok()
                .filter(|number| *number >= 0)
                .ok_or_else(|| wrong(format!("{number} is the number of no partition")))?;
            if offset < least {
                return Err(wrong(format!("{offset} is no offset")));
            }
            offsets.entry(topic.clone()).or_default().insert(number, offset);
        }
    }
    Ok(offsets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beginnings() {
        let each =
            |offset| StartingOffsets::Each([("logs".to_owned(), [(3, offset)].into())].into());
        for (text, start) in [
            ("earliest", StartingOffsets::Earliest),
            ("beginning", StartingOffsets::Earliest),
            ("latest", StartingOffsets::Latest),
            ("-100", StartingOffsets::Tail(100)),
            ("100", StartingOffsets::At(100)),
            (
                "s@1757635200123",
                StartingOffsets::Time(Timestamp::from_micros(1_757_635_200_123_000)),
            ),
            (
                "timestamp:2025-09-12T00:00:00Z",
                StartingOffsets::Time(Timestamp::from_micros(1_757_635_200_000_000)),
            ),
            (r#"{"logs":{"3":23}}"#, each(23)),
            (r#"{"logs":{"3":-2}}"#, each(-2)),
        ] {
            assert_eq!(text.parse(), Ok(start), "{text}");
        }
        for text in [
            "",
            "newest",
            "timestamp:soon",
            r#"{"logs":23}"#,
            r#"{"logs":{"x":1}}"#,
            r#"{"logs":{"0":-3}}"#,
            r#"{"logs":{"-1":0}}"#,
        ] {
            assert!(text.parse::<StartingOffsets>().is_err(), "{text}");
        }
    }

    #[test]
    fn ends() {
        assert_eq!("latest".parse(), Ok(EndingOffsets::Latest));
        let each = EndingOffsets::Each([("logs".to_owned(), [(0, 23)].into())].into());
        assert_eq!(r#"{"logs":{"0":23}}"#.parse(), Ok(each));
        for text in ["earliest", "5", r#"{"logs":{"0":-2}}"#] {
            assert!(text.parse::<EndingOffsets>().is_err(), "{text}");
        }
    }
}

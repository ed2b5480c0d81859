//! Control lines: what rides in the stream besides records.

use serde_json::Value as Json;

use crate::time::Timestamp;

/// A control line. A stream has them only if it begins with
/// [`Start`](Self::Start).
///
/// | line | meaning |
/// | --- | --- |
/// | `{"@":"start","format":1,"line":"3f2a…","run":"9c41…","epoch":7,"stage":0}` | first line; all of `line`, `run` and `epoch` null without a checkpoint |
/// | `{"@":"barrier","epoch":8}` | everything before it belongs to epoch 8 |
/// | `{"@":"heartbeat","at":"…Z"}` | wall-clock time at the source |
/// | `{"@":"suspend"}` | end of this run, not of the data |
/// | `{"@":"end"}` | true end of bounded input |
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Control {
    /// The first line.
    Start(Start),
    /// Everything before it belongs to the epoch.
    Barrier {
        /// Number of the epoch that ends here.
        epoch: u64,
    },
    /// The clock at the source, sent whether or not there are records.
    Heartbeat {
        /// The time there.
        at: Timestamp,
    },
    /// The run ends here, the data do not: state is kept, nothing flushed.
    Suspend,
    /// The data end here.
    End,
}

/// What the first line of a stream with control lines says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// Identity of the checkpoint folder; `None` without a checkpoint.
    pub line: Option<String>,
    /// Identity of this run of the line.
    pub run: Option<String>,
    /// The committed epoch to go on from.
    pub epoch: Option<u64>,
    /// An epoch that a sink may or may not have committed.
    pub pending: Option<u64>,
    /// Number of the stage that reads this line.
    pub stage: u32,
}

/// Why a line that begins like a control line is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseControlError {
    /// Not JSON, or a field is missing or of the wrong type.
    #[error("malformed control line: {0}")]
    Malformed(String),
    /// A kind this version does not know.
    #[error("unknown control line {0:?}: was it written by a newer version?")]
    Unknown(String),
    /// A format this version does not know.
    #[error("stream format {0} is not supported (1 is): was it written by a newer version?")]
    Format(u64),
}

/// What every control line begins with, as the stages write it.
const PREFIX: &[u8] = br#"{"@":"#;

impl Control {
    /// Whether the line has the form of a control line.
    #[inline]
    pub fn is_control(line: &[u8]) -> bool {
        line.starts_with(PREFIX)
    }

    /// Reads a control line.
    ///
    /// # Errors
    ///
    /// Returns what is wrong with it.
    pub fn parse(line: &[u8]) -> Result<Self, ParseControlError> {
        let malformed = |what: &str| ParseControlError::Malformed(what.to_owned());
        let json: Json =
            serde_json::from_slice(line).map_err(|error| malformed(&error.to_string()))?;
        let kind = json["@"].as_str().ok_or_else(|| malformed("\"@\" must be a string"))?;
        let number = |key: &str| match &json[key] {
            Json::Null => Ok(None),
            value => value.as_u64().map(Some).ok_or_else(|| malformed(&format!("bad {key:?}"))),
        };
        let text = |key: &str| match &json[key] {
            Json::Null => Ok(None),
            Json::String(text) => Ok(Some(text.clone())),
            _ => Err(malformed(&format!("bad {key:?}"))),
        };
        match kind {
            "start" => {
                match number("format")? {
                    Some(1) => {}
                    Some(other) => return Err(ParseControlError::Format(other)),
                    None => return Err(malformed("\"start\" has no \"format\"")),
                }
                let stage = number("stage")?.and_then(|stage| u32::try_from(stage).ok());
                Ok(Self::Start(Start {
                    line: text("line")?,
                    run: text("run")?,
                    epoch: number("epoch")?,
                    pending: number("pending")?,
                    stage: stage.ok_or_else(|| malformed("\"start\" has no \"stage\""))?,
                }))
            }
            "barrier" => match number("epoch")? {
                Some(epoch) => Ok(Self::Barrier { epoch }),
                None => Err(malformed("\"barrier\" has no \"epoch\"")),
            },
            "heartbeat" => match json["at"].as_str().and_then(|at| Timestamp::parse(at.as_bytes()))
            {
                Some(at) => Ok(Self::Heartbeat { at }),
                None => Err(malformed("\"heartbeat\" has no time in \"at\"")),
            },
            "suspend" => Ok(Self::Suspend),
            "end" => Ok(Self::End),
            other => Err(ParseControlError::Unknown(other.to_owned())),
        }
    }

    /// Appends the line, without its newline.
    pub fn write(&self, out: &mut Vec<u8>) {
        let text = match self {
            Self::Start(start) => start.to_text(),
            Self::Barrier { epoch } => format!(r#"{{"@":"barrier","epoch":{epoch}}}"#),
            Self::Heartbeat { at } => format!(r#"{{"@":"heartbeat","at":"{at}"}}"#),
            Self::Suspend => r#"{"@":"suspend"}"#.to_owned(),
            Self::End => r#"{"@":"end"}"#.to_owned(),
        };
        out.extend_from_slice(text.as_bytes());
    }
}

impl Start {
    fn to_text(&self) -> String {
        let (line, run, epoch) =
            (Json::from(self.line.clone()), Json::from(self.run.clone()), Json::from(self.epoch));
        let pending = self.pending.map_or(String::new(), |epoch| format!(r#","pending":{epoch}"#));
        let stage = self.stage;
        format!(
            r#"{{"@":"start","format":1,"line":{line},"run":{run},"epoch":{epoch}{pending},"stage":{stage}}}"#
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_five_kinds() {
        let start = Start {
            line: Some("3f2a".into()),
            run: Some("9c41".into()),
            epoch: Some(7),
            pending: None,
            stage: 2,
        };
        let bare = Start { line: None, run: None, epoch: None, pending: None, stage: 0 };
        let at = Timestamp::parse(b"2025-09-12T00:00:00.000Z").unwrap();
        for (line, control) in [
            (
                r#"{"@":"start","format":1,"line":"3f2a","run":"9c41","epoch":7,"stage":2}"#,
                Control::Start(start),
            ),
            (
                r#"{"@":"start","format":1,"line":null,"run":null,"epoch":null,"stage":0}"#,
                Control::Start(bare),
            ),
            (r#"{"@":"barrier","epoch":8}"#, Control::Barrier { epoch: 8 }),
            (r#"{"@":"heartbeat","at":"2025-09-12T00:00:00.000Z"}"#, Control::Heartbeat { at }),
            (r#"{"@":"suspend"}"#, Control::Suspend),
            (r#"{"@":"end"}"#, Control::End),
        ] {
            assert!(Control::is_control(line.as_bytes()));
            let mut written = Vec::new();
            control.write(&mut written);
            assert_eq!(String::from_utf8(written).unwrap(), line);
            assert_eq!(Control::parse(line.as_bytes()), Ok(control));
        }
    }

    #[test]
    fn others_are_refused() {
        for line in [
            r#"{"@":"barrier"}"#,
            r#"{"@":1}"#,
            r#"{"@":"start","format":2,"stage":0}"#,
            r#"{"@":"start"}"#,
            r#"{"@":"heartbeat","at":"noon"}"#,
            r#"{"@":"jump"}"#,
            r#"{"@":"#,
        ] {
            assert!(Control::parse(line.as_bytes()).is_err(), "{line}");
        }
    }
}

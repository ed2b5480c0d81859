//! Values that have outlived their records.

use crate::line::Value;
use crate::stream::{RestoreError, SnapshotReader, SnapshotWriter};
use crate::time::Timestamp;

/// A value with its own memory.
#[derive(Clone, Debug)]
pub(super) enum Held {
    Null,
    Bool(bool),
    Int(i128),
    Double(f64),
    Time(Timestamp),
    Str(Box<[u8]>),
    Json(Box<[u8]>),
}

impl Held {
    pub(super) fn new(value: &Value<'_>) -> Self {
        match *value {
            Value::Null => Self::Null,
            Value::Bool(truth) => Self::Bool(truth),
            Value::Int(number) => Self::Int(number),
            Value::Double(number) => Self::Double(number),
            Value::Time(time) => Self::Time(time),
            Value::Str(text) => Self::Str(text.into()),
            Value::Json(text) | Value::List(_, text) => Self::Json(text.into()),
        }
    }

    #[inline]
    pub(super) fn value(&self) -> Value<'_> {
        match self {
            Self::Null => Value::Null,
            Self::Bool(truth) => Value::Bool(*truth),
            Self::Int(number) => Value::Int(*number),
            Self::Double(number) => Value::Double(*number),
            Self::Time(time) => Value::Time(*time),
            Self::Str(text) => Value::Str(text),
            Self::Json(text) => Value::Json(text),
        }
    }

    /// Bytes of memory taken beside the value's own place.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Str(text) | Self::Json(text) => text.len(),
            _ => 0,
        }
    }

    pub(super) fn snapshot(&self, state: &mut SnapshotWriter) {
        match self {
            Self::Bool(truth) => {
                state.u8(0);
                state.bool(*truth);
            }
            Self::Int(number) => {
                state.u8(1);
                state.i128(*number);
            }
            Self::Double(number) => {
                state.u8(2);
                state.f64(*number);
            }
            Self::Time(time) => {
                state.u8(3);
                state.i64(time.micros);
                state.u64(time.nanos.into());
            }
            Self::Str(text) => {
                state.u8(4);
                state.bytes(text);
            }
            Self::Json(text) => {
                state.u8(5);
                state.bytes(text);
            }
            Self::Null => state.u8(6),
        }
    }

    pub(super) fn restore(state: &mut SnapshotReader<'_>) -> Result<Self, RestoreError> {
        Ok(match state.u8()? {
            0 => Self::Bool(state.bool()?),
            1 => Self::Int(state.i128()?),
            2 => Self::Double(state.f64()?),
            3 => {
                Self::Time(Timestamp { micros: state.i64()?, nanos: (state.u64()? % 1_000) as u16 })
            }
            4 => Self::Str(state.bytes()?.into()),
            5 => Self::Json(state.bytes()?.into()),
            6 => Self::Null,
            _ => return Err(RestoreError::Damaged("a value is of no known type")),
        })
    }
}

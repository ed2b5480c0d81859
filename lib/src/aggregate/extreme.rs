//! `min` and `max`, in the total order of values.

use std::cmp::Ordering;

use crate::line::Value;
use crate::stream::{RestoreError, SnapshotReader, SnapshotWriter};
use crate::time::Timestamp;

#[derive(Clone, Debug)]
pub(crate) struct Extreme {
    values: Vec<Option<Held>>,
    /// How a value compares with the one held if it takes its place.
    wanted: Ordering,
}

/// A value that has outlived its record.
#[derive(Clone, Debug)]
enum Held {
    Bool(bool),
    Int(i128),
    Double(f64),
    Time(Timestamp),
    Str(Box<[u8]>),
    Json(Box<[u8]>),
}

impl Held {
    fn new(value: &Value<'_>) -> Option<Self> {
        Some(match *value {
            Value::Null => return None,
            Value::Bool(truth) => Self::Bool(truth),
            Value::Int(number) => Self::Int(number),
            Value::Double(number) => Self::Double(number),
            Value::Time(time) => Self::Time(time),
            Value::Str(text) => Self::Str(text.into()),
            Value::Json(text) | Value::List(_, text) => Self::Json(text.into()),
        })
    }

    #[inline]
    fn value(&self) -> Value<'_> {
        match self {
            Self::Bool(truth) => Value::Bool(*truth),
            Self::Int(number) => Value::Int(*number),
            Self::Double(number) => Value::Double(*number),
            Self::Time(time) => Value::Time(*time),
            Self::Str(text) => Value::Str(text),
            Self::Json(text) => Value::Json(text),
        }
    }
}

impl Extreme {
    pub(super) fn least() -> Self {
        Self { values: Vec::new(), wanted: Ordering::Less }
    }

    pub(super) fn greatest() -> Self {
        Self { values: Vec::new(), wanted: Ordering::Greater }
    }

    pub(super) fn add_group(&mut self) {
        self.values.push(None);
    }

    pub(super) fn groups(&self) -> usize {
        self.values.len()
    }

    pub(super) fn clear(&mut self, group: usize) {
        self.values[group] = None;
    }

    #[inline]
    pub(super) fn update(&mut self, group: usize, value: &Value<'_>) {
        let held = &mut self.values[group];
        let wins = held.as_ref().is_none_or(|held| value.total_cmp(&held.value()) == self.wanted);
        if wins {
            *held = Held::new(value);
        }
    }

    pub(super) fn merge(&mut self, group: usize, other: &Self, theirs: usize) {
        if let Some(held) = &other.values[theirs] {
            self.update(group, &held.value());
        }
    }

    pub(super) fn evaluate(&self, group: usize) -> Value<'_> {
        self.values[group].as_ref().map_or(Value::Null, Held::value)
    }

    pub(super) fn size(&self) -> usize {
        let text = |held: &Held| match held {
            Held::Str(text) | Held::Json(text) => text.len(),
            _ => 0,
        };
        self.values.capacity() * size_of::<Option<Held>>()
            + self.values.iter().flatten().map(text).sum::<usize>()
    }

    pub(super) fn snapshot(&self, state: &mut SnapshotWriter) {
        state.list(self.values.iter(), |state, held| {
            state.option(held.as_ref(), |state, held| match held {
                Held::Bool(truth) => {
                    state.u8(0);
                    state.bool(*truth);
                }
                Held::Int(number) => {
                    state.u8(1);
                    state.i128(*number);
                }
                Held::Double(number) => {
                    state.u8(2);
                    state.f64(*number);
                }
                Held::Time(time) => {
                    state.u8(3);
                    state.i64(time.micros);
                    state.u64(time.nanos.into());
                }
                Held::Str(text) => {
                    state.u8(4);
                    state.bytes(text);
                }
                Held::Json(text) => {
                    state.u8(5);
                    state.bytes(text);
                }
            });
        });
    }

    pub(super) fn restore(&mut self, state: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        self.values = state.list(|state| {
            state.option(|state| {
                Ok(match state.u8()? {
                    0 => Held::Bool(state.bool()?),
                    1 => Held::Int(state.i128()?),
                    2 => Held::Double(state.f64()?),
                    3 => Held::Time(Timestamp {
                        micros: state.i64()?,
                        nanos: (state.u64()? % 1_000) as u16,
                    }),
                    4 => Held::Str(state.bytes()?.into()),
                    5 => Held::Json(state.bytes()?.into()),
                    _ => return Err(RestoreError::Damaged("a value is of no known type")),
                })
            })
        })?;
        Ok(())
    }
}

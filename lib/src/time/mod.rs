//! Event time: instants, durations, and their spellings.
//!
//! Nothing here reads a clock. Instants are UTC; a time without a zone is read
//! as UTC unless a [`Calendar`] says otherwise.

mod calendar;
mod civil;
mod duration;
mod spelling;
mod time_format;
mod timestamp;
mod years;
mod zone;

pub use calendar::{Calendar, CivilTime};
pub use civil::{CivilDate, days_from_civil};
pub use duration::{ParseTimeDeltaError, TimeDelta};
pub use time_format::{ParseTimeFormatError, TimeFormat};
pub use timestamp::{TimeReader, Timestamp, is_normal_form};
pub(crate) use years::Dated;
pub use zone::{ParseZoneError, Zone};

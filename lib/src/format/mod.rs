//! Log formats: text or JSON in, normalised records out.

mod json;

pub use json::{JsonError, JsonRecords, Normalized};

//! x
pub mod format;
pub mod line;
pub mod query;
pub mod stream;
pub mod time;

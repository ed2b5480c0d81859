//! x
pub mod detect;
pub mod line;
pub mod query;
pub mod row;
pub mod stream;
pub mod time;

//! x
pub mod line;
pub mod query;
pub mod stream;
pub mod synth;
pub mod time;

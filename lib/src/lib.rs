//! x
mod aggregate;
pub mod cli;
pub mod detect;
pub mod format;
pub mod line;
pub mod prometheus;
pub mod query;
pub mod row;
pub mod stage;
pub mod stream;
pub mod synth;
pub mod time;
pub mod window;

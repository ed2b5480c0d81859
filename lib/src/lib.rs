//! x
mod aggregate;
pub mod cli;
pub mod format;
pub mod line;
pub mod query;
pub mod stage;
pub mod stream;
pub mod synth;
pub mod time;
pub mod window;

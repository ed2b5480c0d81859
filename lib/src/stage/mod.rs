//! The stages: operators that the programs run.

#[cfg(feature = "kafka")]
mod emit;
mod ingest;
mod parse;

#[cfg(feature = "kafka")]
pub use emit::Emit;
pub use ingest::Ingest;
pub use parse::{Explain, Format, Parse};

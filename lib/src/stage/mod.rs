//! The stages: operators that the programs run.

mod ingest;
mod parse;

pub use ingest::Ingest;
pub use parse::{Explain, Format, Parse};

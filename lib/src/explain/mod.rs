//! What a run of `window` would do: for people, or as a program for Spark.
//!
//! Both are functions of the plans and options alone; no input is read.

mod spark;
mod text;

pub use spark::{SparkJob, spark};
pub use text::explain;

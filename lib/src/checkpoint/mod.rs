//! Checkpoints: what a run leaves behind so that the next one goes on where it
//! stopped.
//!
//! ```text
//! DIR/line                  identity of the pipeline
//! DIR/lock                  locked by `ingest` for its whole life
//! DIR/positions.8.json      where its sources stood at the end of epoch 8
//! ```

mod directory;
mod positions;

pub use directory::{CheckpointError, Directory, random_id};
pub use positions::{PartitionPosition, Positions};

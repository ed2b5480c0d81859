//! Checkpoints: what a run of a line of stages leaves behind so that the next
//! one goes on where it stopped, exactly once.
//!
//! ```text
//! DIR/line                  identity of the line, the same in all its runs
//! DIR/lock                  locked by `ingest` for its whole life
//! DIR/stages                locked by each other stage for its life, so that none outlives its run
//! DIR/run                   identity of the present run
//! DIR/positions.8.json      where the sources stood at the end of epoch 8
//! DIR/stage.2/run           the program that is stage 2 of the present run
//! DIR/stage.2/plan          what its command line computes
//! DIR/stage.2/state.8       what it was at the end of epoch 8
//! DIR/stage.2/lock          locked by it for its life
//! DIR/pending.json          the epoch that a sink of Kafka is just committing
//! DIR/begun                 there has been a commit
//! DIR/commit.8.json         epoch 8 is whole: all of the above is there, and the output is durable
//! ```
//!
//! An epoch is a snapshot in the manner of Chandy and Lamport (*Distributed
//! Snapshots*, 1985), as Flink takes it: a barrier rides in the stream, each
//! stage keeps what it is when the barrier comes and hands it on at once. What
//! is kept becomes durable meanwhile, in a thread beside; the last stage commits
//! the epoch once all of it is.

mod commit;
mod directory;
mod error;
mod file;
mod lock;
mod output;
mod pending;
mod plan;
mod positions;
mod registry;
mod stage;
mod state;
mod watch;
mod writer;

pub use commit::{Commit, Commits};
pub use directory::Directory;
pub use error::CheckpointError;
pub use output::Role;
pub use plan::Plan;
pub use positions::{PartitionPosition, Positions};
pub use stage::{StageCheckpoint, start};

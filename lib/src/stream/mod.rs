//! The stream: one operator trait and one driver loop for all stages, so that
//! control lines, flushing, statistics and rejects are written once.

mod checkpoint;
mod clock;
mod control;
mod driver;
mod input;
mod max_rejects;
mod operator;
mod origin;
mod output;
mod snapshot;
mod stats;
mod transaction;

pub use checkpoint::{Checkpoint, Kept, Read};
pub use driver::{Options, Outcome, drive};
pub use input::{Event, Input, Next, Place, PlaceKind};
pub use max_rejects::{MaxRejects, ParseMaxRejectsError};
pub use operator::{Operator, StageError};
pub use origin::Origin;
pub use output::{Output, SideFile};
pub use snapshot::{RestoreError, SnapshotReader, SnapshotWriter};
pub use stats::{Figure, FigureKind, Moment, Owner, QueryStats, Stats, WindowStats};
pub use transaction::{Committed, Transaction};

//! Event-time windows.
//!
//! Three parts that know nothing of one another: a clock ([`EventClock`]), an
//! assigner of times to windows ([`Windows`]), and accumulators
//! (`aggregate`). [`WindowOperator`] puts them together.
//!
//! Windows are half-open, `[start, end)`, and are closed exactly when the
//! watermark has reached `end`. A record never enters a closed window.

mod admission;
mod ahead;
mod assigner;
mod clock;
mod dedupe;
mod event_time;
mod flags;
mod lookup;
mod operator;
mod options;
mod pane;
mod record;
mod row;
mod running;
mod session;
mod table;

pub use ahead::{AheadGuard, TooFarAhead};
pub use assigner::Windows;
pub use clock::EventClock;
pub use flags::{ParseAdaptiveDelayError, ParseTriggerError, ParseWatermarkPerError};
pub use operator::{WindowError, WindowOperator};
pub use options::{AdaptiveDelay, AheadLimits, Dedupe, Mode, Trigger, WatermarkPer, WindowOptions};

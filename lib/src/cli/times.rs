//! Arguments that say where the times of lines are and what they mean.

use clap::Args;

use crate::format::{TimeOptions, Untimed};
use crate::time::{Calendar, TimeFormat, Zone};

/// Options of what reads the times of lines.
///
/// A time that is there but is none is rejected whatever they say.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Times")]
pub struct TimeArgs {
    /// The field that holds the time, such as `created_at` or request.time, of JSON, logfmt, CSV,
    /// --pattern and --log-format
    #[arg(long, value_name = "FIELD")]
    time_field: Option<String>,

    /// How times are spelled, in strftime's letters: '%d.%m.%Y %H:%M:%S.%f %z'
    #[arg(long, value_name = "FORMAT")]
    time_format: Option<TimeFormat>,

    /// The zone of times without one: Asia/Seoul, UTC, +09:00. Where clocks are put back the
    /// earlier instant is meant; where they are put forward, a time that was skipped counts by
    /// the offset before
    #[arg(long, value_name = "ZONE", default_value = "UTC", hide_default_value = true)]
    tz: Zone,

    /// The year of times without one. Else the latest that puts the first time at most a day
    /// ahead of the file's last change (of stdin: of the clock); the next times follow across
    /// New Year
    #[arg(long, value_name = "YEAR", value_parser = clap::value_parser!(i32).range(0..=9_999))]
    year: Option<i32>,

    /// Let records without a time pass, without timestamp
    #[arg(long, conflicts_with = "stamp")]
    keep_untimed: bool,

    /// Give records without a time the time of their arrival
    #[arg(long)]
    stamp: bool,
}

impl TimeArgs {
    /// What says what the times mean.
    pub fn calendar(&self) -> Calendar {
        Calendar::default()
            .with_zone(self.tz.clone())
            .with_year(self.year)
            .with_format(self.time_format.clone())
    }

    /// Where the times are.
    pub fn options(&self) -> TimeOptions {
        let untimed = match (self.keep_untimed, self.stamp) {
            (true, _) => Untimed::Keep,
            (_, true) => Untimed::Stamp,
            _ => Untimed::Reject,
        };
        TimeOptions { field: self.time_field.clone(), untimed }
    }
}

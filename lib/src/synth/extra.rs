//! Records that anomalies add.

use std::net::IpAddr;
use std::ops::Range;

use super::config::Interval;
use super::random::Random;
use super::ticks::Ticks;

/// Records that an anomaly adds, evenly spaced over its interval.
#[derive(Clone, Debug)]
pub(super) struct Extra {
    /// Place of the anomaly on the command line.
    pub(super) place: usize,
    /// How many have been sent.
    pub(super) sent: u64,
    pub(super) random: Random,
    total: u64,
    ticks: Ticks,
    address: IpAddr,
    /// Numbers of the users, who take turns; not empty.
    users: Range<u32>,
    /// The only service asked, if not all are.
    pub(super) service: Option<u16>,
}

/// Who sends a record, and from where.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    pub(super) user: u32,
    pub(super) address: IpAddr,
}

impl Extra {
    /// Lets `users` send `per_minute` records a minute, in turn.
    pub(super) fn new(
        place: usize,
        during: Interval,
        per_minute: u64,
        users: Range<u32>,
        address: IpAddr,
        random: Random,
    ) -> Self {
        Self {
            place,
            sent: 0,
            random,
            total: (u128::from(during.millis()) * u128::from(per_minute)).div_ceil(60_000) as u64,
            ticks: Ticks::every(during.start, 60_000, per_minute),
            address,
            users,
            service: None,
        }
    }

    /// Sends all records to one service, not to those that chance picks.
    pub(super) fn aimed_at(self, service: u16) -> Self {
        Self { service: Some(service), ..self }
    }

    /// How many records the anomaly adds.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    #[inline]
    pub(super) fn upcoming(&self) -> Option<i64> {
        (self.sent < self.total).then(|| self.ticks.now())
    }

    pub(super) fn advance(&mut self) -> Origin {
        let turn = (self.sent % self.users.len() as u64) as u32;
        self.sent += 1;
        self.ticks.advance();
        Origin { user: self.users.start + turn, address: self.address }
    }
}

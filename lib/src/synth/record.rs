//! The records of the streams, before any spelling.
//!
//! A record is small and owns nothing, so that those in flight cost little. It
//! names services, users and texts by number; a [catalogue](super::catalogue)
//! knows what they are called, an [encoder](super::encode) how to write them.

use std::net::IpAddr;

/// One record of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Record {
    Log(LogRecord),
    Event(EventRecord),
}

impl Record {
    /// Event time in milliseconds since the epoch.
    #[inline]
    pub(super) fn millis(&self) -> i64 {
        match self {
            Self::Log(log) => log.millis,
            Self::Event(event) => event.millis,
        }
    }

    /// Number of the user, from 0.
    #[inline]
    pub(super) fn user(&self) -> u32 {
        match self {
            Self::Log(log) => log.user,
            Self::Event(event) => event.user,
        }
    }

    /// The record with an event time that is later by so many milliseconds.
    pub(super) fn later_by(mut self, by: i64) -> Self {
        match &mut self {
            Self::Log(log) => log.millis += by,
            Self::Event(event) => event.millis += by,
        }
        self
    }
}

/// One request that a service has answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LogRecord {
    pub(super) millis: i64,
    pub(super) address: IpAddr,
    /// Number of the user, from 0.
    pub(super) user: u32,
    /// Number of the service, from 0.
    pub(super) service: u16,
    /// Which of the service's operations was asked for.
    pub(super) operation: u8,
    /// Which of [`FAILURES`](super::catalogue::FAILURES) happened, if any.
    pub(super) failure: Option<u8>,
    pub(super) response_millis: u32,
    /// Unlike that of any other request of the stream.
    pub(super) request: u64,
}

/// One action of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EventRecord {
    pub(super) millis: i64,
    /// Number of the user, from 0.
    pub(super) user: u32,
    pub(super) session: u32,
    pub(super) action: Action,
    /// The value in hundredths.
    pub(super) cents: u16,
    /// Last byte of the address, 1 to 254.
    pub(super) host: u8,
}

/// What a user did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Login,
    Logout,
    Purchase,
    View,
    Click,
}

impl Action {
    pub(super) const ALL: [Self; 5] =
        [Self::Login, Self::Logout, Self::Purchase, Self::View, Self::Click];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Logout => "logout",
            Self::Purchase => "purchase",
            Self::View => "view",
            Self::Click => "click",
        }
    }
}

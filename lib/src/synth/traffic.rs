//! Records in order of event time: the ordinary ones, and what anomalies add.

use std::sync::Arc;

use super::catalogue::{Catalogue, address_of_user, draw_failure};
use super::config::{Config, Schedule, Stream};
use super::effect::Effects;
use super::extra::{Extra, Origin};
use super::inject::Injections;
use super::random::{Purpose, Random, mix};
use super::record::{Action, EventRecord, LogRecord, Record};
use super::ticks::Ticks;

/// Spread of the logarithm of response times. Three in a thousand requests
/// take more than three times the median.
const RESPONSE_SIGMA: f64 = 0.4;

/// The records of a stream, in order of event time.
#[derive(Clone, Debug)]
pub(super) struct Traffic {
    catalogue: Arc<Catalogue>,
    ticks: Ticks,
    remaining: u64,
    random: Random,
    users: Rounds,
    requests: Requests,
    /// Sessions of the users; only for events.
    sessions: Option<Sessions>,
    effects: Effects,
    extras: Vec<Extra>,
}

impl Traffic {
    pub(super) fn new(
        config: &Config,
        schedule: &Schedule,
        catalogue: Arc<Catalogue>,
        injections: Injections,
    ) -> Self {
        let events = config.stream == Stream::Events;
        Self {
            catalogue,
            ticks: Ticks::at_rate(schedule.start, schedule.rate),
            remaining: schedule.records,
            random: Random::new(config.seed, Purpose::Records),
            users: Rounds::new(schedule.users, Random::new(config.seed, Purpose::Users)),
            requests: Requests::new(config.seed),
            sessions: events.then(|| Sessions::new(schedule.users)),
            effects: injections.effects,
            extras: injections.extras,
        }
    }

    /// Event time of the record that comes next.
    #[inline]
    pub(super) fn upcoming(&self) -> Option<i64> {
        let ordinary = (self.remaining > 0).then(|| self.ticks.now());
        if self.extras.is_empty() {
            return ordinary;
        }
        self.extras.iter().filter_map(Extra::upcoming).chain(ordinary).min()
    }

    /// The next record. Of several at one instant the ordinary one is first,
    /// then those of the anomalies in their order.
    #[inline]
    pub(super) fn next(&mut self) -> Option<Record> {
        let millis = self.upcoming()?;
        if self.remaining > 0 && self.ticks.now() == millis {
            self.remaining -= 1;
            self.ticks.advance();
            return Some(self.ordinary(millis));
        }
        let extra = self.extras.iter_mut().find(|extra| extra.upcoming() == Some(millis))?;
        let origin = extra.advance();
        let request = self.requests.of_extra(extra.place, extra.sent);
        if let Some(sessions) = &self.sessions {
            return Some(sessions.busy_event(&mut extra.random, millis, origin.user));
        }
        let mut log = draft(&mut extra.random, &self.catalogue, millis, origin, request);
        if let Some(service) = extra.service {
            answer(&mut extra.random, &self.catalogue, service, &mut log);
        }
        self.effects.apply(&mut log, &self.catalogue);
        Some(Record::Log(log))
    }

    #[inline]
    fn ordinary(&mut self, millis: i64) -> Record {
        let user = self.users.next();
        if let Some(sessions) = &mut self.sessions {
            return sessions.event(&mut self.random, millis, user);
        }
        let origin = Origin { user, address: address_of_user(user) };
        let request = self.requests.next();
        let mut log = draft(&mut self.random, &self.catalogue, millis, origin, request);
        self.effects.apply(&mut log, &self.catalogue);
        Record::Log(log)
    }
}

/// A request as it is without anomalies.
#[inline]
fn draft(
    random: &mut Random,
    catalogue: &Catalogue,
    millis: i64,
    Origin { user, address }: Origin,
    request: u64,
) -> LogRecord {
    let mut log = LogRecord {
        millis,
        address,
        user,
        service: 0,
        operation: 0,
        failure: None,
        response_millis: 0,
        request,
    };
    let service = catalogue.draw_service(random.below(catalogue.weights()));
    answer(random, catalogue, service, &mut log);
    log
}

/// Fills in which service answered, and how.
#[inline]
pub(super) fn answer(random: &mut Random, catalogue: &Catalogue, number: u16, log: &mut LogRecord) {
    let service = catalogue.service(number);
    log.service = number;
    log.operation = random.below(service.operations.len() as u64) as u8;
    log.failure = random.chance(service.failing).then(|| draw_failure(random.below(100)));
    // Halves round up; adding and cutting is the same everywhere.
    log.response_millis =
        ((random.log_normal(service.median_millis, RESPONSE_SIGMA) + 0.5) as u32).max(1);
}

/// Users in rounds: each has one turn a round, in an order that changes.
///
/// So a user has at most n / users + 2 of any n records in a row. Were users
/// drawn independently, some would burst by chance, and a stream without
/// anomalies would not be free of alerts.
#[derive(Clone, Debug)]
struct Rounds {
    order: Vec<u32>,
    at: usize,
    random: Random,
}

impl Rounds {
    fn new(users: u32, random: Random) -> Self {
        Self { order: (0..users).collect(), at: 0, random }
    }

    #[inline]
    fn next(&mut self) -> u32 {
        let left = (self.order.len() - self.at) as u64;
        self.order.swap(self.at, self.at + self.random.below(left) as usize);
        let user = self.order[self.at];
        self.at = (self.at + 1) % self.order.len();
        user
    }
}

/// Request ids, all different.
#[derive(Clone, Debug)]
struct Requests {
    key: u64,
    ordinary: u64,
}

impl Requests {
    fn new(seed: u64) -> Self {
        Self { key: mix(seed), ordinary: 0 }
    }

    #[inline]
    fn next(&mut self) -> u64 {
        self.ordinary += 1;
        mix(self.key ^ self.ordinary)
    }

    /// Ids of an anomaly are numbered apart, so that the ordinary ones do not
    /// change when an anomaly is added.
    fn of_extra(&self, place: usize, sent: u64) -> u64 {
        mix(self.key ^ ((place as u64 + 1) << 40 | sent))
    }
}

/// The session that each user is in; a login begins a new one.
#[derive(Clone, Debug)]
struct Sessions {
    of_user: Vec<u32>,
    next: u32,
}

impl Sessions {
    fn new(users: u32) -> Self {
        Self { of_user: (0..users).collect(), next: users }
    }

    #[inline]
    fn event(&mut self, random: &mut Random, millis: i64, user: u32) -> Record {
        let action = Action::ALL[random.below(5) as usize];
        let session = &mut self.of_user[user as usize];
        if action == Action::Login {
            *session = self.next;
            self.next = self.next.wrapping_add(1);
        }
        event(random, millis, user, *session, action)
    }

    /// What a user does in a burst: look and click, within the session.
    fn busy_event(&self, random: &mut Random, millis: i64, user: u32) -> Record {
        let action = if random.below(2) == 0 { Action::View } else { Action::Click };
        event(random, millis, user, self.of_user[user as usize], action)
    }
}

/// An event with a value from 1 to 100 and one of the reference's addresses.
#[inline]
fn event(random: &mut Random, millis: i64, user: u32, session: u32, action: Action) -> Record {
    let cents = 100 + random.below(9_901) as u16;
    let host = 1 + random.below(254) as u8;
    Record::Event(EventRecord { millis, user, session, action, cents, host })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_take_turns() {
        let mut rounds = Rounds::new(7, Random::new(1, Purpose::Users));
        let first: Vec<u32> = (0..7).map(|_| rounds.next()).collect();
        let second: Vec<u32> = (0..7).map(|_| rounds.next()).collect();
        assert_ne!(first, second);
        for mut round in [first, second] {
            round.sort_unstable();
            assert_eq!(round, [0, 1, 2, 3, 4, 5, 6]);
        }
    }

    #[test]
    fn a_login_begins_a_session() {
        let mut sessions = Sessions::new(1);
        let mut random = Random::new(1, Purpose::Records);
        let mut session = 0;
        for _ in 0..1_000 {
            let Record::Event(event) = sessions.event(&mut random, 0, 0) else { unreachable!() };
            session += u32::from(event.action == Action::Login);
            assert_eq!(event.session, session);
            assert!((100..=10_000).contains(&event.cents) && (1..=254).contains(&event.host));
        }
        assert!((150..250).contains(&session), "{session}");
    }

    #[test]
    fn request_ids_differ() {
        let mut requests = Requests::new(9);
        let mut ids: Vec<u64> = (0..1_000).map(|_| requests.next()).collect();
        ids.extend(
            (0..2)
                .flat_map(|place| (1..=500).map(move |sent| (place, sent)))
                .map(|(place, sent)| requests.of_extra(place, sent)),
        );
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 2_000);
    }
}

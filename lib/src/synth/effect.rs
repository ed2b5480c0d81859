//! What anomalies change in the requests that come anyway.

use super::catalogue::{Catalogue, draw_failure};
use super::config::Interval;
use super::quantity::Share;
use super::random::Random;
use super::record::LogRecord;
use super::traffic::answer;

/// Changes to the requests that would come anyway.
#[derive(Clone, Debug, Default)]
pub(super) struct Effects {
    silences: Vec<Silence>,
    changes: Vec<Change>,
}

#[derive(Clone, Debug)]
struct Silence {
    during: Interval,
    service: u16,
    random: Random,
}

#[derive(Clone, Debug)]
struct Change {
    during: Interval,
    service: u16,
    what: What,
    random: Random,
}

/// What happens to the requests of a service.
#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    Fail(Share),
    Slow(f64),
}

impl Effects {
    pub(super) fn silence(&mut self, during: Interval, service: u16, random: Random) {
        self.silences.push(Silence { during, service, random });
    }

    pub(super) fn change(&mut self, during: Interval, service: u16, what: What, random: Random) {
        self.changes.push(Change { during, service, what, random });
    }

    /// How many different services are silent at some time.
    pub(super) fn silent_services(&self) -> usize {
        let mut services: Vec<u16> = self.silences.iter().map(|s| s.service).collect();
        services.sort_unstable();
        services.dedup();
        services.len()
    }

    /// Makes of a request what it is under the anomalies of its time.
    #[inline]
    pub(super) fn apply(&mut self, log: &mut LogRecord, catalogue: &Catalogue) {
        if !self.silences.is_empty() {
            self.pass_on(log, catalogue);
        }
        for change in &mut self.changes {
            if change.service != log.service || !change.during.contains(log.millis) {
                continue;
            }
            match change.what {
                What::Fail(share) => {
                    if change.random.chance(share) {
                        log.failure = Some(draw_failure(change.random.below(100)));
                    }
                }
                What::Slow(factor) => {
                    log.response_millis =
                        (f64::from(log.response_millis) * factor + 0.5).max(1.0) as u32;
                }
            }
        }
    }

    /// Passes a request to a silent service on to another one.
    fn pass_on(&mut self, log: &mut LogRecord, catalogue: &Catalogue) {
        let silent = |silences: &[Silence], service: u16| {
            silences.iter().position(|s| s.service == service && s.during.contains(log.millis))
        };
        let Some(at) = silent(&self.silences, log.service) else { return };
        // At least one service is never silent, so this ends.
        loop {
            let number = self.silences[at].random.below(catalogue.weights());
            let service = catalogue.draw_service(number);
            if silent(&self.silences, service).is_none() {
                return answer(&mut self.silences[at].random, catalogue, service, log);
            }
        }
    }
}

//! Who takes part in a stream: services, users and their addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::quantity::Share;

/// A service, as it is when all is well.
#[derive(Clone, Debug)]
pub(super) struct Service {
    pub(super) name: String,
    /// How many of its requests fail.
    pub(super) failing: Share,
    /// Half of its requests take less, in milliseconds.
    pub(super) median_millis: f64,
    /// What it can be asked to do.
    pub(super) operations: &'static [&'static str],
}

/// A way for a request to fail.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) status: u16,
    pub(super) code: &'static str,
    pub(super) message: &'static str,
}

/// What goes wrong, with its share of all that goes wrong, in percent.
pub(super) const FAILURES: [(u64, Failure); 6] = [
    (35, Failure { status: 500, code: "INTERNAL", message: "unexpected state" }),
    (20, Failure { status: 503, code: "UNAVAILABLE", message: "no healthy backend" }),
    (15, Failure { status: 504, code: "TIMEOUT", message: "deadline exceeded" }),
    (10, Failure { status: 502, code: "BAD_UPSTREAM", message: "upstream closed early" }),
    (10, Failure { status: 429, code: "RATE_LIMITED", message: "too many requests" }),
    (10, Failure { status: 409, code: "CONFLICT", message: "version conflict" }),
];

struct Template {
    name: &'static str,
    /// Share of the traffic; those of all templates make 100.
    weight: usize,
    failing: u32,
    median_millis: f64,
    operations: &'static [&'static str],
}

/// The smallest weight is still two thirds of the mean: rates are judged by
/// the minute, and few requests make a noisy rate.
const TEMPLATES: [Template; 8] = [
    Template {
        name: "auth",
        weight: 15,
        failing: 12_000,
        median_millis: 45.0,
        operations: &["POST /v1/login", "POST /v1/logout", "POST /v1/tokens", "GET /v1/sessions"],
    },
    Template {
        name: "gateway",
        weight: 17,
        failing: 10_000,
        median_millis: 20.0,
        operations: &["GET /healthz", "GET /v1/routes", "GET /v1/status", "OPTIONS /v1/routes"],
    },
    Template {
        name: "catalog",
        weight: 16,
        failing: 10_000,
        median_millis: 60.0,
        operations: &["GET /v1/products", "GET /v1/categories", "GET /v1/prices"],
    },
    Template {
        name: "search",
        weight: 12,
        failing: 15_000,
        median_millis: 120.0,
        operations: &["GET /v1/search", "GET /v1/suggest"],
    },
    Template {
        name: "cart",
        weight: 12,
        failing: 12_000,
        median_millis: 55.0,
        operations: &["GET /v1/cart", "POST /v1/cart/items", "DELETE /v1/cart/items"],
    },
    Template {
        name: "orders",
        weight: 10,
        failing: 15_000,
        median_millis: 150.0,
        operations: &["GET /v1/orders", "POST /v1/orders", "PUT /v1/orders"],
    },
    Template {
        name: "payment",
        weight: 9,
        failing: 20_000,
        median_millis: 240.0,
        operations: &["POST /v1/charges", "POST /v1/refunds", "GET /v1/invoices"],
    },
    Template {
        name: "inventory",
        weight: 9,
        failing: 15_000,
        median_millis: 80.0,
        operations: &["GET /v1/stock", "POST /v1/reservations"],
    },
];

/// Users behind one address: a household, an office.
const USERS_PER_ADDRESS: u32 = 3;
/// Usable addresses of a network of 256.
const HOSTS: u32 = 254;

/// The services of a stream.
#[derive(Clone, Debug)]
pub(super) struct Catalogue {
    pub(super) services: Vec<Service>,
    /// Each service's number, as often as its weight.
    draw: Vec<u16>,
}

impl Catalogue {
    pub(super) fn new(services: u16) -> Self {
        let template = |number: u16| &TEMPLATES[usize::from(number) % TEMPLATES.len()];
        let draw = (0..services)
            .flat_map(|number| std::iter::repeat_n(number, template(number).weight))
            .collect();
        let services = (0..services)
            .map(|number| {
                let template = template(number);
                Service {
                    name: service_name(template.name, usize::from(number) / TEMPLATES.len()),
                    failing: Share::from_millionths(template.failing),
                    median_millis: template.median_millis,
                    operations: template.operations,
                }
            })
            .collect();
        Self { services, draw }
    }

    /// The service that a number below [`weights`](Self::weights) draws.
    #[inline]
    pub(super) fn draw_service(&self, number: u64) -> u16 {
        self.draw[number as usize]
    }

    pub(super) fn weights(&self) -> u64 {
        self.draw.len() as u64
    }

    pub(super) fn service_named(&self, name: &str) -> Option<u16> {
        self.services.iter().position(|service| service.name == name).map(|at| at as u16)
    }

    #[inline]
    pub(super) fn service(&self, number: u16) -> &Service {
        &self.services[usize::from(number)]
    }
}

/// The first round of services has plain names, the next `auth-2` and so on.
fn service_name(name: &str, round: usize) -> String {
    if round == 0 { name.to_owned() } else { format!("{name}-{}", round + 1) }
}

/// The failure that a number below 100 draws.
#[inline]
pub(super) fn draw_failure(mut number: u64) -> u8 {
    for (at, (percent, _)) in FAILURES.iter().enumerate() {
        if number < *percent {
            return at as u8;
        }
        number -= percent;
    }
    0
}

/// Where a user's requests come from: 192.0.2.0/24 and 198.51.100.0/24 while
/// they last, then `2001:db8::/32`.
#[inline]
pub(super) fn address_of_user(user: u32) -> IpAddr {
    let number = user / USERS_PER_ADDRESS;
    let host = (number % HOSTS + 1) as u8;
    match number / HOSTS {
        0 => Ipv4Addr::new(192, 0, 2, host).into(),
        1 => Ipv4Addr::new(198, 51, 100, host).into(),
        _ => {
            let number = number - 2 * HOSTS + 1;
            let (high, low) = ((number >> 16) as u16, number as u16);
            Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, high, low).into()
        }
    }
}

/// Where an attack comes from, if nothing else is asked for: 203.0.113.0/24,
/// where no user lives.
pub(super) fn address_of_attacker(number: usize) -> IpAddr {
    Ipv4Addr::new(203, 0, 113, (number % HOSTS as usize + 1) as u8).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_make_a_whole() {
        assert_eq!(TEMPLATES.iter().map(|t| t.weight).sum::<usize>(), 100);
        assert_eq!(FAILURES.iter().map(|(percent, _)| percent).sum::<u64>(), 100);
        assert_eq!((draw_failure(0), draw_failure(34), draw_failure(35)), (0, 0, 1));
        assert_eq!(draw_failure(99), 5);
        assert!(FAILURES.iter().all(|(_, failure)| failure.status >= 400));
    }

    #[test]
    fn any_number_of_services_has_different_names() {
        let catalogue = Catalogue::new(20);
        let mut names: Vec<_> = catalogue.services.iter().map(|s| s.name.clone()).collect();
        assert_eq!((names[0].as_str(), names[8].as_str()), ("auth", "auth-2"));
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 20);
        assert_eq!(catalogue.service_named("auth-3"), Some(16));
        assert_eq!(catalogue.service_named("mail"), None);
        let drawn = (0..catalogue.weights()).filter(|n| catalogue.draw_service(*n) == 16).count();
        assert_eq!(drawn, 15);
    }

    #[test]
    fn addresses() {
        for (user, address) in [
            (0, "192.0.2.1"),
            (2, "192.0.2.1"),
            (3, "192.0.2.2"),
            (761, "192.0.2.254"),
            (762, "198.51.100.1"),
            (1_523, "198.51.100.254"),
            (1_524, "2001:db8::1"),
            (1_524 + 3 * 0xffff, "2001:db8::1:0"),
        ] {
            assert_eq!(address_of_user(user).to_string(), address, "user {user}");
        }
        assert_eq!(address_of_attacker(0).to_string(), "203.0.113.1");
        assert_eq!(address_of_attacker(254).to_string(), "203.0.113.1");
    }
}

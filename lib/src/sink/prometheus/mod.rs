//! Where metrics go, while the stage runs.

mod pushgateway;
mod scrape;

pub use pushgateway::{Grouping, Pushgateway, PushgatewayError, TargetError};
pub use scrape::Scrape;

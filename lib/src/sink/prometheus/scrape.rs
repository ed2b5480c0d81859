//! Metrics to be scraped: `/metrics`, and `/healthz`.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::http::header::{CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::response::IntoResponse;
use axum::routing::get;

use crate::http::{ListenError, Server};
use crate::prometheus::Sink;
use crate::source::Address;
use crate::stream::StageError;

/// What a scrape gets is at most so old, if anything has changed.
const FRESHNESS: Duration = Duration::from_secs(1);
/// As Prometheus' documentation of the text format has it.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Serves the newest exposition at `/metrics`, and at `/healthz` that the stage
/// runs. Promises nothing of delivery: what nobody scrapes nobody has.
#[derive(Debug)]
pub struct Scrape {
    newest: Arc<Mutex<Bytes>>,
    due: Instant,
    server: Server,
}

impl Scrape {
    /// Listens at `address`; there is an empty exposition at first.
    ///
    /// # Errors
    ///
    /// Fails if the address cannot be had.
    pub fn listen(address: &Address) -> Result<Self, ListenError> {
        let newest = Arc::new(Mutex::new(Bytes::new()));
        let shown = Arc::clone(&newest);
        let metrics = move || async move {
            let text = shown.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let head = [(CONTENT_TYPE, TEXT_FORMAT), (X_CONTENT_TYPE_OPTIONS, "nosniff")];
            (head, text).into_response()
        };
        let router = Router::new()
            .route("/metrics", get(metrics))
            .route("/healthz", get(async || "ok\n"))
            .route("/", get(async || "This is export-prom. Its metrics are at /metrics.\n"));
        let server = Server::start(address, router)?;
        Ok(Self { newest, due: Instant::now(), server })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }
}

impl Sink for Scrape {
    fn due_in(&self) -> Duration {
        self.due.saturating_duration_since(Instant::now())
    }

    fn publish(&mut self, text: &[u8]) -> Result<(), StageError> {
        self.due = Instant::now() + FRESHNESS;
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = Bytes::copy_from_slice(text);
        Ok(())
    }
}

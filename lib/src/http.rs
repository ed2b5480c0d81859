//! A small HTTP server beside a stage: metrics to be scraped, a page to be
//! looked at.
//!
//! It runs on a thread of its own, so it answers while the input stalls, and
//! the stage goes on while a client does. What it costs is bounded: so many
//! connections at once, one request each, with so long to send it, and to take
//! something of the answer.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::pin;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::sync::{Semaphore, oneshot};

use crate::source::Address;

/// Connections at one time; further ones wait to be accepted.
const MAX_CONNECTIONS: usize = 256;
/// How long a client may take for the head of a request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a client may take nothing of an answer.
#[cfg(target_os = "linux")]
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long to wait where no connection can be accepted.
const PAUSE: Duration = Duration::from_millis(100);
/// How long answers that have begun may take when the server ends.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {on}")]
pub struct ListenError {
    on: Address,
    source: io::Error,
}

/// A server, ended when dropped: answers that have begun have a second more.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Serves `router` at `address`, of which port 0 is any free one.
    ///
    /// # Errors
    ///
    /// Fails if the address cannot be had.
    pub fn start(address: &Address, router: Router) -> Result<Self, ListenError> {
        Self::start_with(address, |_| router)
    }

    /// As [`start`](Self::start), for a router that depends on where it listens.
    ///
    /// # Errors
    ///
    /// Fails if the address cannot be had.
    pub fn start_with(
        address: &Address,
        router: impl FnOnce(SocketAddr) -> Router,
    ) -> Result<Self, ListenError> {
        let failed = |source| ListenError { on: address.clone(), source };
        let listener = TcpListener::bind(address.as_str()).map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        let router = router(bound);
        listener.set_nonblocking(true).map_err(failed)?;
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let listener = {
            let _inside = runtime.enter();
            tokio::net::TcpListener::from_std(listener).map_err(failed)?
        };
        let (stop, stopped) = oneshot::channel();
        let serve = move || runtime.block_on(serve(listener, router, stopped));
        let thread = thread::Builder::new().name("http".to_owned()).spawn(serve).map_err(failed)?;
        Ok(Self { address: bound, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // If it panicked, that has been said.
            let _ = thread.join();
        }
    }
}

/// Closes the connection of a client that leaves its answer untaken. A system
/// that cannot is no reason to refuse it.
fn limit_answers(stream: &tokio::net::TcpStream) {
    #[cfg(target_os = "linux")]
    let _ = rustix::net::sockopt::set_tcp_user_timeout(stream, ANSWER_TIMEOUT.as_millis() as u32);
    #[cfg(not(target_os = "linux"))]
    let _ = stream;
}

async fn serve(listener: tokio::net::TcpListener, router: Router, stopped: oneshot::Receiver<()>) {
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let graceful = GracefulShutdown::new();
    let mut stopped = pin!(stopped);
    loop {
        let accepted = async {
            let slot = Arc::clone(&slots).acquire_owned().await;
            (slot, listener.accept().await)
        };
        let (slot, stream) = tokio::select! {
            accepted = accepted => match accepted {
                (slot, Ok((stream, _))) => (slot, stream),
                // Out of file descriptors, most likely: others have to be closed first.
                (_, Err(_)) => {
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            },
            _ = &mut stopped => break,
        };
        let _ = stream.set_nodelay(true);
        limit_answers(&stream);
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            // A connection that waits for another request would hold its place.
            .keep_alive(false)
            .header_read_timeout(REQUEST_TIMEOUT)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router.clone()));
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            // A client that goes away, or talks no HTTP, is its own affair.
            let _ = connection.await;
            drop(slot);
        });
    }
    let _ = tokio::time::timeout(LAST_WORDS, graceful.shutdown()).await;
}

//! A small HTTP server beside a stage: metrics to be scraped, a page to be
//! looked at.
//!
//! It runs on a thread of its own, so it answers while the input stalls, and
//! the stage goes on while a client does. What it costs is bounded: so many
//! connections at once, each with so long to send a request and to take an
//! answer.

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
/// How long a client may take for the head of a request, and a connection stay
/// idle. Longer than most intervals between scrapes.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(90);
/// How long a client may leave an answer untaken.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
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
        let failed = |source| ListenError { on: address.clone(), source };
        let listener = TcpListener::bind(address.as_str()).map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let (stop, stopped) = oneshot::channel();
        let serve = move || {
            runtime.block_on(async {
                // The runtime that it has to be made in is this one.
                if let Ok(listener) = tokio::net::TcpListener::from_std(listener) {
                    serve(listener, router, stopped).await;
                }
            });
        };
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
            (slot, Ok((stream, _))) = accepted => (slot, stream),
            _ = &mut stopped => break,
            // Out of file descriptors, most likely: others have to be closed first.
            else => {
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let _ = stream.set_nodelay(true);
        // A system that cannot is no reason to refuse the connection.
        let limit = ANSWER_TIMEOUT.as_millis() as u32;
        let _ = rustix::net::sockopt::set_tcp_user_timeout(&stream, limit);
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
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

//! What the server answers: the page, and a stream of events per client.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, REFERRER_POLICY,
    RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::response::Response;
use hyper::body::Frame;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::history::Cursor;
use super::operator::Shared;
use super::page;

/// How often a client is told what is new.
const TELL_EVERY: Duration = Duration::from_millis(250);
/// A client hears something at least every so many times, so that either side
/// notices when the other has gone.
const SILENT_TICKS: u32 = 60;
/// So many bytes, and one series or alert, are told at a time.
const BUDGET: usize = 64 * 1024;
/// Clients that are told news at one time.
const MAX_CLIENTS: usize = 64;

/// Serves the page of `history` and the events behind it. On a loopback address
/// it answers only requests that name one: another name is that of a foreign
/// site, made to point here so that its script can read the page.
pub fn router(history: &Shared, address: SocketAddr) -> Router {
    let state = State {
        history: history.clone(),
        clients: Arc::new(AtomicUsize::new(0)),
        is_local: address.ip().is_loopback(),
    };
    Router::new().fallback(move |method: Method, uri: Uri, headers: HeaderMap| {
        let answer = state.answer(&method, uri.path(), &headers);
        async move { answer }
    })
}

#[derive(Clone, Debug)]
struct State {
    history: Shared,
    clients: Arc<AtomicUsize>,
    /// Whether it listens on a loopback address alone.
    is_local: bool,
}

impl State {
    fn answer(&self, method: &Method, path: &str, headers: &HeaderMap) -> Response {
        if self.is_local && !names_loopback(headers) {
            let text = "this page is served under 127.0.0.1, [::1] and localhost alone\n";
            return plain(StatusCode::MISDIRECTED_REQUEST, text);
        }
        if !matches!(*method, Method::GET | Method::HEAD) {
            let mut answer = plain(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
            answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return answer;
        }
        match path {
            "/healthz" => plain(StatusCode::OK, "ok\n"),
            "/events" => self.events(),
            _ => match page::file(path) {
                Some((kind, text)) => answer(StatusCode::OK, kind, Body::from(text)),
                None => plain(StatusCode::NOT_FOUND, "not found; the page is at /\n"),
            },
        }
    }

    fn events(&self) -> Response {
        let client = Client(Arc::clone(&self.clients));
        if client.0.fetch_add(1, Ordering::Relaxed) >= MAX_CLIENTS {
            let text = "too many pages are open; close one\n";
            let mut answer = plain(StatusCode::SERVICE_UNAVAILABLE, text);
            answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("10"));
            return answer;
        }
        let body = Events::new(self.history.clone(), client);
        answer(StatusCode::OK, "text/event-stream", Body::new(body))
    }
}

/// Whether a request is for a loopback address, at any port: what it is for may
/// have been forwarded.
fn names_loopback(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(HOST).and_then(|host| host.to_str().ok()) else { return false };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    bare.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn plain(status: StatusCode, text: &'static str) -> Response {
    answer(status, "text/plain; charset=utf-8", Body::from(text))
}

fn answer(status: StatusCode, kind: &'static str, body: Body) -> Response {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    for (name, value) in [
        (CONTENT_TYPE, kind),
        (CACHE_CONTROL, "no-store"),
        (CONTENT_SECURITY_POLICY, page::POLICY),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    answer
}

/// One of the clients that are counted.
#[derive(Debug)]
struct Client(Arc<AtomicUsize>);

impl Drop for Client {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Server-sent events: everything first, then what has changed, then the end.
///
/// Made only when the client has room for more, from what then holds: one that
/// stalls has nothing kept for it but its cursor.
#[derive(Debug)]
struct Events {
    history: Shared,
    cursor: Cursor,
    ticks: Interval,
    silent: u32,
    has_begun: bool,
    has_ended: bool,
    _client: Client,
}

impl Events {
    fn new(history: Shared, client: Client) -> Self {
        let mut ticks = interval(TELL_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            history,
            cursor: Cursor::default(),
            ticks,
            silent: 0,
            has_begun: false,
            has_ended: false,
            _client: client,
        }
    }

    /// What there is to tell, if anything.
    fn next(&mut self) -> Option<Vec<u8>> {
        let mut text = Vec::new();
        if !self.has_begun {
            self.has_begun = true;
            // What the client has is of another run, or of before it was lost.
            text.extend_from_slice(b"retry: 1000\nevent: begin\ndata: {}\n\n");
        }
        let history = self.history.lock();
        if self.cursor.is_behind(&history) {
            text.extend_from_slice(b"data: ");
            history.read(&mut self.cursor, BUDGET, &mut text);
            text.extend_from_slice(b"\n\n");
        } else if history.ended().is_some() {
            self.has_ended = true;
            text.extend_from_slice(b"event: end\ndata: {}\n\n");
        }
        self.silent = if text.is_empty() { self.silent + 1 } else { 0 };
        if self.silent == SILENT_TICKS {
            self.silent = 0;
            text.extend_from_slice(b": still here\n\n");
        }
        (!text.is_empty()).then_some(text)
    }

    /// Whether there is more to tell at once.
    fn is_behind(&self) -> bool {
        !self.has_begun || self.cursor.is_passing()
    }
}

impl HttpBody for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        loop {
            if !self.is_behind() && self.ticks.poll_tick(context).is_pending() {
                return Poll::Pending;
            }
            if let Some(text) = self.next() {
                return Poll::Ready(Some(Ok(Frame::data(text.into()))));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_names() {
        for (host, is_local) in [
            ("127.0.0.1:8080", true),
            ("127.0.0.1", true),
            ("127.9.9.9:1", true),
            ("[::1]:8080", true),
            ("LocalHost:9", true),
            ("localhost", true),
            ("example.com", false),
            ("example.com:8080", false),
            ("localhost.example.com", false),
            ("127.0.0.1.example.com:8080", false),
            ("192.0.2.1:8080", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, HeaderValue::from_static(host));
            assert_eq!(names_loopback(&headers), is_local, "{host}");
        }
        assert!(!names_loopback(&HeaderMap::new()));
    }
}

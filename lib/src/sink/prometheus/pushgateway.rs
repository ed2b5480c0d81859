//! Metrics pushed to a Pushgateway.

use std::io::Read as _;
use std::str::FromStr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use ureq::http::header::{AUTHORIZATION, LOCATION};
use ureq::http::{Response, Uri};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body, RequestBuilder};

use crate::prometheus::Sink;
use crate::stream::StageError;

/// How long a request may take, from its connection to its answer. At its end a
/// run may wait for two.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How often to look for what the thread has to say.
const ATTENTION: Duration = Duration::from_secs(1);
/// As much of an answer as a person would read.
const MAX_ANSWER: u64 = 1_024;
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";
/// All but what a URL's path takes as it is.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The labels that metrics are kept under in a Pushgateway: the job, and any
/// others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grouping {
    /// The job's name; not empty.
    pub job: String,
    /// Further labels, each with its value.
    pub labels: Vec<(String, String)>,
}

/// A URL that no Pushgateway can be at, or a grouping that it does not take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TargetError(String);

/// Why metrics were not pushed. Says nothing of what a URL has in front of its
/// host, which may be a password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PushgatewayError {
    /// There was no answer.
    #[error("cannot reach the Pushgateway at {at}: {reason}")]
    Unreachable {
        /// Host and port.
        at: String,
        /// What happened.
        reason: String,
    },
    /// The answer was no.
    #[error("the Pushgateway at {at} answered {status}{answer}")]
    Refused {
        /// Host and port.
        at: String,
        /// The status of HTTP.
        status: u16,
        /// What it said, in one line behind a colon.
        answer: String,
    },
}

/// Puts the whole group anew every so often, by a thread of its own, so that
/// the input goes on while a gateway is slow or away. An outage is told once
/// and mended by the next push; only the last one has to succeed.
///
/// What the gateway holds stays after the run, unless it is to be deleted.
#[derive(Debug)]
pub struct Pushgateway {
    every: Duration,
    due: Instant,
    mailbox: Arc<Mailbox>,
    thread: Option<JoinHandle<Result<(), PushgatewayError>>>,
}

/// What the stage and the thread have to say to each other.
#[derive(Debug, Default)]
struct Mailbox {
    content: Mutex<Content>,
    arrival: Condvar,
}

#[derive(Debug, Default)]
struct Content {
    /// The newest exposition that has not been taken.
    text: Option<Vec<u8>>,
    is_over: bool,
    messages: Vec<String>,
}

impl Mailbox {
    fn open(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A group in a gateway.
struct Target {
    agent: Agent,
    url: String,
    /// The header that says who asks.
    authorization: Option<String>,
    /// Host and port.
    at: String,
}

impl Pushgateway {
    /// Pushes to the gateway at `url` every `every`, at first after that long.
    /// At the end of the run it pushes once more, or deletes the group.
    ///
    /// # Errors
    ///
    /// Fails if no gateway can be at `url`, or it takes no such grouping.
    pub fn start(
        url: &str,
        grouping: &Grouping,
        every: Duration,
        delete_on_exit: bool,
    ) -> Result<Self, TargetError> {
        let target = Target::new(url, grouping)?;
        let mailbox = Arc::new(Mailbox::default());
        let theirs = Arc::clone(&mailbox);
        let push = move || target.serve(&theirs, every, delete_on_exit);
        let thread = thread::Builder::new()
            .name("pushgateway".to_owned())
            .spawn(push)
            .map_err(|error| TargetError(format!("cannot start a thread: {error}")))?;
        Ok(Self { every, due: Instant::now() + every, mailbox, thread: Some(thread) })
    }
}

impl Sink for Pushgateway {
    fn due_in(&self) -> Duration {
        self.due.saturating_duration_since(Instant::now())
    }

    fn publish(&mut self, text: &[u8]) -> Result<(), StageError> {
        self.due = Instant::now() + self.every;
        self.mailbox.open().text = Some(text.to_vec());
        self.mailbox.arrival.notify_one();
        Ok(())
    }

    fn attend(&mut self, say: &mut dyn FnMut(&str)) -> Option<Duration> {
        let messages = std::mem::take(&mut self.mailbox.open().messages);
        for message in messages {
            say(&message);
        }
        Some(ATTENTION)
    }

    fn close(&mut self) -> Result<(), StageError> {
        self.mailbox.open().is_over = true;
        self.mailbox.arrival.notify_one();
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(Err(error))) => Err(StageError::Failed(error.to_string())),
            Some(Err(_)) => Err(StageError::Failed("the thread that pushes panicked".to_owned())),
            Some(Ok(Ok(()))) | None => Ok(()),
        }
    }
}

impl Target {
    fn new(url: &str, grouping: &Grouping) -> Result<Self, TargetError> {
        let wrong =
            |what: &str| TargetError(format!("{what}; write it like http://localhost:9091"));
        let (user, plain) = split_user(url);
        let uri =
            Uri::from_str(&plain).map_err(|_| wrong("the Pushgateway's URL cannot be read"))?;
        let has_scheme = matches!(uri.scheme_str(), Some("http" | "https"));
        let authority = uri.authority().filter(|at| has_scheme && !at.host().is_empty());
        let authority =
            authority.ok_or_else(|| wrong("the Pushgateway's URL needs http:// and a host"))?;
        if authority.as_str() != authority.host() && authority.port().is_none() {
            return Err(wrong("the Pushgateway's port is no number"));
        }
        if uri.query().is_some() || plain.contains('#') {
            return Err(wrong("the Pushgateway's URL ends with its path"));
        }
        if grouping.job.is_empty() {
            return Err(TargetError("--job must not be empty".to_owned()));
        }
        let mut url = format!("{}/metrics", plain.trim_end_matches('/'));
        push_segments("job", &grouping.job, &mut url);
        for (index, (name, value)) in grouping.labels.iter().enumerate() {
            if name == "job" {
                return Err(TargetError("the job is named by --job, not by --grouping".to_owned()));
            }
            if grouping.labels[..index].iter().any(|(before, _)| before == name) {
                return Err(TargetError(format!("--grouping {name} is given twice")));
            }
            push_segments(name, value, &mut url);
        }
        let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
        let agent = Agent::config_builder()
            .timeout_global(Some(TIMEOUT))
            .http_status_as_error(false)
            // One that is followed makes a GET of what is to be put, and a success of its answer.
            .max_redirects(0)
            // A gateway is near; what the environment names leads out.
            .proxy(None)
            .user_agent(concat!("highwater/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls)
            .build()
            .new_agent();
        let authorization = user.map(|user| format!("Basic {}", STANDARD.encode(user)));
        Ok(Self { agent, url, authorization, at: authority.to_string() })
    }

    /// Pushes what comes, and the same again if nothing has come for so long:
    /// a gateway that was restarted has forgotten all.
    fn serve(
        &self,
        mailbox: &Mailbox,
        every: Duration,
        delete_on_exit: bool,
    ) -> Result<(), PushgatewayError> {
        let mut text = None;
        // Whether the gateway has not got it.
        let mut is_owed = false;
        let mut is_away = false;
        loop {
            let (fresh, is_over) = {
                let has_none = |content: &mut Content| content.text.is_none() && !content.is_over;
                let content = mailbox.open();
                let waited = mailbox.arrival.wait_timeout_while(content, every, has_none);
                let mut content = waited.unwrap_or_else(PoisonError::into_inner).0;
                (content.text.take(), content.is_over)
            };
            is_owed |= fresh.is_some();
            text = fresh.or(text);
            if is_over {
                return match &text {
                    _ if delete_on_exit => self.delete(),
                    Some(text) if is_owed => self.put(text),
                    _ => Ok(()),
                };
            }
            let Some(text) = &text else { continue };
            let result = self.put(text);
            is_owed = result.is_err();
            let message = match result {
                Err(error) if !is_away => {
                    is_away = true;
                    Some(format!("{error}; trying again every {}s", every.as_secs_f64()))
                }
                Ok(()) if std::mem::take(&mut is_away) => {
                    Some(format!("pushing to {} again", self.at))
                }
                _ => None,
            };
            mailbox.open().messages.extend(message);
        }
    }

    fn put(&self, text: &[u8]) -> Result<(), PushgatewayError> {
        let request = self.agent.put(&self.url).content_type(TEXT_FORMAT);
        self.finish(self.authorized(request).send(text))
    }

    fn delete(&self) -> Result<(), PushgatewayError> {
        self.finish(self.authorized(self.agent.delete(&self.url)).call())
    }

    fn authorized<B>(&self, request: RequestBuilder<B>) -> RequestBuilder<B> {
        match &self.authorization {
            Some(value) => request.header(AUTHORIZATION, value),
            None => request,
        }
    }

    fn finish(&self, answer: Result<Response<Body>, ureq::Error>) -> Result<(), PushgatewayError> {
        let at = self.at.clone();
        let answer = answer.map_err(|error| PushgatewayError::Unreachable {
            at: at.clone(),
            reason: reason(&error),
        })?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let answer = said(answer).map(|text| format!(": {text}")).unwrap_or_default();
        Err(PushgatewayError::Refused { at, status: status.as_u16(), answer })
    }
}

/// What an answer that is no success says, in one line.
fn said(answer: Response<Body>) -> Option<String> {
    let place = answer.headers().get(LOCATION).and_then(|place| place.to_str().ok());
    if let Some(place) = place.filter(|_| answer.status().is_redirection()) {
        return Some(format!("go to {place}"));
    }
    let mut text = Vec::new();
    // What can be read of it is enough.
    let _ = answer.into_body().into_reader().take(MAX_ANSWER).read_to_end(&mut text);
    let text = String::from_utf8_lossy(&text).replace(char::is_control, " ");
    let words: Vec<&str> = text.split_whitespace().collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// Takes `user:password@`, decoded, out of a URL.
fn split_user(url: &str) -> (Option<Vec<u8>>, String) {
    let Some((scheme, rest)) = url.split_once("://") else { return (None, url.to_owned()) };
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    match authority.rfind('@') {
        Some(at) => {
            let user = percent_decode_str(&authority[..at]).collect();
            (Some(user), format!("{scheme}://{}", &rest[at + 1..]))
        }
        None => (None, url.to_owned()),
    }
}

/// What went wrong, in the words of the system where it has any.
fn reason(error: &ureq::Error) -> String {
    let text = match error {
        ureq::Error::Timeout(_) => format!("no answer within {} s", TIMEOUT.as_secs()),
        ureq::Error::Io(error) => error.to_string(),
        error => error.to_string(),
    };
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

/// Appends a label as two segments of a path. A value that is empty, or has a
/// slash, which many servers in between would take for a border, is written in
/// base64, as the gateway's documentation has it.
fn push_segments(name: &str, value: &str, url: &mut String) {
    url.push('/');
    url.push_str(name);
    if value.is_empty() {
        url.push_str("@base64/=");
    } else if value.contains('/') || matches!(value, "." | "..") {
        url.push_str("@base64/");
        URL_SAFE_NO_PAD.encode_string(value, url);
    } else {
        url.push('/');
        url.extend(utf8_percent_encode(value, SEGMENT));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(url: &str, job: &str, labels: &[(&str, &str)]) -> Result<Target, TargetError> {
        let labels = labels.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        Target::new(url, &Grouping { job: job.into(), labels })
    }

    #[test]
    fn a_group_is_a_path() {
        for (url, job, labels, path) in [
            (
                "http://a:9091",
                "spark_streaming",
                &[][..],
                "http://a:9091/metrics/job/spark_streaming",
            ),
            ("http://a/", "j", &[("k", "v")][..], "http://a/metrics/job/j/k/v"),
            ("https://a/x", "j k", &[("k", "é")][..], "https://a/x/metrics/job/j%20k/k/%C3%A9"),
            ("http://a", "a/b", &[("k", "")][..], "http://a/metrics/job@base64/YS9i/k@base64/="),
        ] {
            assert_eq!(target(url, job, labels).unwrap().url, path);
        }
    }

    #[test]
    fn a_user_is_decoded_and_taken_out() {
        for (url, user, rest) in [
            ("http://a/b@c", None, "http://a/b@c"),
            ("http://u:p%40s:x@a:1/b", Some("u:p@s:x"), "http://a:1/b"),
            ("http://u@a", Some("u"), "http://a"),
            ("u@a", None, "u@a"),
        ] {
            let user = user.map(|user: &str| user.as_bytes().to_vec());
            assert_eq!(split_user(url), (user, rest.to_owned()), "{url}");
        }
        let target = target("http://u:p%40s@a:1", "j", &[]).unwrap();
        assert_eq!(target.authorization.as_deref(), Some("Basic dTpwQHM="));
        assert_eq!((target.at.as_str(), target.url.as_str()), ("a:1", "http://a:1/metrics/job/j"));
    }

    #[test]
    fn what_cannot_be_is_said_without_a_password() {
        for (url, job, labels) in [
            ("", "j", &[][..]),
            ("localhost:9091", "j", &[]),
            ("ftp://user:secret@a", "j", &[]),
            ("http://user:secret@a:x", "j", &[]),
            ("http://a/?x=secret", "j", &[]),
            ("http://a", "", &[]),
            ("http://a", "j", &[("job", "k")]),
            ("http://a", "j", &[("k", "1"), ("k", "2")]),
        ] {
            let error = target(url, job, labels).err().unwrap().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
        let target = target("http://user:secret@127.0.0.1:1", "j", &[]).unwrap();
        let error = target.put(b"").unwrap_err().to_string();
        assert!(error.starts_with("cannot reach the Pushgateway at 127.0.0.1:1: "), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }
}

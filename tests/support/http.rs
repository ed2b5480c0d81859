//! A client of HTTP, as small as can be.

use std::io::{Error, Read as _, Result, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// What a request may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// The lines in front of the body.
    pub head: String,
    pub body: String,
}

/// Asks once; the answer ends with the connection. `host` is whom the request is
/// for.
///
/// # Errors
///
/// If there is no answer, or none in UTF-8.
pub fn ask(address: &str, method: &str, path: &str, host: &str, body: &str) -> Result<Answer> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.0\r\nHost: {host}\r\nContent-Length: {length}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\n{body}",
    )?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let answer = String::from_utf8(answer).map_err(Error::other)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Ok(Answer { status, head: head.to_owned(), body: body.to_owned() })
}

/// The body that an address has at a path.
///
/// # Panics
///
/// If there is none.
#[track_caller]
pub fn get(address: &str, path: &str) -> String {
    let answer = ask(address, "GET", path, address, "").unwrap();
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    answer.body
}

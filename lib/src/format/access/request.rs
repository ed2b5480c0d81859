//! The request line, `GET /index.html HTTP/1.1`.

use crate::format::cursor::{Text, alphanumeric_and};

/// A request line that could be split.
#[derive(Clone, Copy, Debug)]
pub(in crate::format) struct Request<'a> {
    /// Never holds anything that JSON would escape.
    pub(in crate::format) method: &'a [u8],
    pub(in crate::format) url: Text<'a>,
    /// As `method`; `None` where the line ends with the URL.
    pub(in crate::format) protocol: Option<&'a [u8]>,
}

/// Methods that are believed without a protocol behind the URL. HTTP/0.9 knows
/// GET alone; scanners leave the protocol out with others too.
///
/// Source: RFC 9110, section 9, and RFC 5789.
const WELL_KNOWN: [&[u8]; 9] =
    [b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"CONNECT", b"OPTIONS", b"TRACE", b"PATCH"];

/// Splits a request line: the method ends at the first blank, a protocol begins
/// behind the last one, and what lies between is the URL with its blanks.
///
/// `None` if there is no method (other bytes than RFC 9110 allows in it), no
/// URL, or neither a protocol nor a well-known method.
#[inline]
pub(in crate::format) fn split(line: Text<'_>) -> Option<Request<'_>> {
    let raw = line.raw;
    let method_end = raw.iter().position(|byte| !METHOD[usize::from(*byte)])?;
    if method_end == 0 || raw[method_end] != b' ' {
        return None;
    }
    let method = &raw[..method_end];
    let last_blank = match raw {
        [.., b' ', b'H', b'T', b'T', b'P', b'/', _, b'.', b'0'..=b'9'] => raw.len() - 9,
        _ => memchr::memrchr(b' ', raw).unwrap_or(method_end),
    };
    let protocol = Some(&raw[last_blank + 1..]).filter(|word| is_protocol(word));
    if protocol.is_none() && !WELL_KNOWN.contains(&method) {
        return None;
    }
    // `GET HTTP/1.1` has one blank for both ends of the URL that it lacks.
    let url_end = if protocol.is_some() { last_blank } else { raw.len() };
    let url = raw.get(method_end + 1..url_end)?;
    let start = url.iter().position(|byte| *byte != b' ')?;
    let end = url.iter().rposition(|byte| *byte != b' ')? + 1;
    Some(Request { method, url: line.part(&url[start..end]), protocol })
}

/// Letters, digits and the marks of RFC 9110's `token`.
const METHOD: [bool; 256] = alphanumeric_and(b"!#$%&'*+-.^_`|~");

/// Whether a word is a protocol with its version: `HTTP/1.1`, `HTTP/2`,
/// `RTSP/1.0`. Letters must be capitals, so that `*/*` or `b/1` at the end of a
/// URL with blanks are not taken for one.
#[inline]
fn is_protocol(word: &[u8]) -> bool {
    if let [b'H', b'T', b'T', b'P', b'/', major, b'.', minor] = word {
        return major.is_ascii_digit() && minor.is_ascii_digit();
    }
    let Some(slash) = memchr::memchr(b'/', word) else { return false };
    let (name, version) = (&word[..slash], &word[slash + 1..]);
    let is_digit = |byte: &u8| byte.is_ascii_digit();
    let is_version = match version {
        [major, b'.', minor] => is_digit(major) && is_digit(minor),
        [major] => is_digit(major),
        _ => false,
    };
    is_version && !name.is_empty() && name.iter().all(u8::is_ascii_uppercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_lines() {
        for (line, method, url, protocol) in [
            ("GET / HTTP/1.1", "GET", "/", Some("HTTP/1.1")),
            ("GET /a b c HTTP/1.0", "GET", "/a b c", Some("HTTP/1.0")),
            ("GET  /a  HTTP/2", "GET", "/a", Some("HTTP/2")),
            ("OPTIONS * HTTP/1.0", "OPTIONS", "*", Some("HTTP/1.0")),
            ("OPTIONS / RTSP/1.0", "OPTIONS", "/", Some("RTSP/1.0")),
            ("OPTIONS sip:nm SIP/2.0", "OPTIONS", "sip:nm", Some("SIP/2.0")),
            (
                "SSTP_DUPLEX_POST /sra_{BA}/ HTTP/1.1",
                "SSTP_DUPLEX_POST",
                "/sra_{BA}/",
                Some("HTTP/1.1"),
            ),
            ("CONNECT example.com:443 HTTP/1.1", "CONNECT", "example.com:443", Some("HTTP/1.1")),
            ("get / HTTP/1.1", "get", "/", Some("HTTP/1.1")),
            ("GET /index.html", "GET", "/index.html", None),
            ("GET /a.php */*", "GET", "/a.php */*", None),
            (
                "GET /a?cmd=ls -l&b=http://example.com/x??",
                "GET",
                "/a?cmd=ls -l&b=http://example.com/x??",
                None,
            ),
            ("GET ../../etc/ HTTP", "GET", "../../etc/ HTTP", None),
            ("GET / http/1.1", "GET", "/ http/1.1", None),
            ("GET / HTTP/1.10", "GET", "/ HTTP/1.10", None),
        ] {
            let request = split(Text::plain(line.as_bytes())).expect(line);
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            assert_eq!(text(request.method), method, "{line}");
            assert_eq!(text(request.url.raw), url, "{line}");
            assert_eq!(request.protocol.map(text).as_deref(), protocol, "{line}");
        }
    }

    #[test]
    fn garbage_is_no_request() {
        for line in [
            "",
            "-",
            " ",
            "GET",
            "GET ",
            "GET   ",
            "GET HTTP/1.1",
            "GET  HTTP/1.1",
            " GET / HTTP/1.1",
            r"\x16\x03\x01",
            r"\x03\x00Cookie: token=x",
            "Cookie: token=x",
            "x+/tmp/y&z=0",
            "hello world",
            "MGLNDD_192.0.2.1_443",
        ] {
            assert!(split(Text::plain(line.as_bytes())).is_none(), "{line:?}");
        }
    }
}

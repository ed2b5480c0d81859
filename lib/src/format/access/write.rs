//! The record of a line, as JSON members.

use super::Body;
use super::head::Head;
use super::request::{self, Request};
use super::tail::Tail;
use super::time::Time;
use crate::format::cursor::Text;
use crate::line::json;

/// Appends the members in the order that [`AccessParser`](super::AccessParser)
/// promises.
#[inline]
pub(super) fn record(
    time: &Time,
    head: &Head<'_>,
    body: &Body<'_>,
    tail: Option<&Tail<'_>>,
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(br#""timestamp":""#);
    time.write(out);
    out.extend_from_slice(br#"","ip_address":"#);
    Text::plain(head.client).write_or_null(out);
    optional(br#","user_id":"#, head.user, out);
    if let Some(tail) = tail {
        optional(br#","request_id":"#, tail.request_id, out);
        if let Some(seconds) = tail.response_time {
            verbatim(br#","response_time":"#, seconds, out);
        }
    }
    verbatim(br#","status_code":"#, body.status, out);
    out.extend_from_slice(br#","identity":"#);
    head.identity.write_or_null(out);
    let request = request::split(body.request);
    request_parts(request.as_ref(), out);
    verbatim(br#","bytes":"#, body.bytes, out);
    if let Some((referer, agent)) = body.agent {
        out.extend_from_slice(br#","referer":"#);
        referer.write_or_null(out);
        out.extend_from_slice(br#","user_agent":"#);
        agent.write_or_null(out);
    }
    optional(br#","vhost":"#, head.vhost.map(Text::plain), out);
    optional(br#","vhost_port":"#, head.vhost_port.map(Text::plain), out);
    if let Some(tail) = tail {
        forwarding(tail, out);
    }
    if request.is_none() {
        out.extend_from_slice(br#","request":"#);
        body.request.write(out);
        out.extend_from_slice(br#","request_valid":false"#);
    }
    if let Some(extra) = tail.and_then(|tail| tail.extra) {
        out.extend_from_slice(br#","extra":"#);
        json::write_string(extra, out);
    }
}

#[inline]
fn request_parts(request: Option<&Request<'_>>, out: &mut Vec<u8>) {
    let Some(request) = request else {
        return out.extend_from_slice(br#","method":null,"url":null,"protocol":null"#);
    };
    verbatim(br#","method":""#, request.method, out);
    out.extend_from_slice(br#"","url":"#);
    request.url.write(out);
    match request.protocol {
        Some(protocol) => {
            verbatim(br#","protocol":""#, protocol, out);
            out.push(b'"');
        }
        None => out.extend_from_slice(br#","protocol":null"#),
    }
}

fn forwarding(tail: &Tail<'_>, out: &mut Vec<u8>) {
    optional(br#","x_forwarded_for":"#, tail.x_forwarded_for, out);
    optional(br#","request_length":"#, tail.request_length.map(Text::plain), out);
    optional(br#","upstream_addr":"#, tail.upstream_addr, out);
    optional(br#","upstream_status":"#, tail.upstream_status, out);
    optional(br#","upstream_response_length":"#, tail.upstream_response_length, out);
    optional(br#","upstream_connect_time":"#, tail.upstream_connect_time, out);
    optional(br#","upstream_header_time":"#, tail.upstream_header_time, out);
    optional(br#","upstream_response_time":"#, tail.upstream_response_time, out);
    optional(br#","proxy_upstream_name":"#, tail.proxy_upstream_name, out);
    let alternative = tail.proxy_alternative_upstream_name;
    optional(br#","proxy_alternative_upstream_name":"#, alternative, out);
}

/// A member whose value is text, `null` if it is `-`; none if there is none.
#[inline]
fn optional(key: &[u8], value: Option<Text<'_>>, out: &mut Vec<u8>) {
    if let Some(value) = value {
        out.extend_from_slice(key);
        value.write_or_null(out);
    }
}

/// A member whose value is JSON already, or needs no escapes.
#[inline]
fn verbatim(key: &[u8], value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(key);
    out.extend_from_slice(value);
}

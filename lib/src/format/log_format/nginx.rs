//! nginx's `log_format`.

use super::config::Config;
use super::variable::{Kind, Token, Variable};
use crate::query::QueryError;

/// The pieces of a format.
///
/// # Errors
///
/// Fails for a brace that is not closed.
pub(super) fn tokens(config: &Config) -> Result<Vec<Token>, QueryError> {
    let format = &config.bytes;
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < format.len() {
        let text = memchr::memchr(b'$', &format[at..]).map_or(format.len(), |length| at + length);
        tokens.push(Token::Text(format[at..text].to_vec()));
        at = text;
        if at == format.len() {
            break;
        }
        let braces = format.get(at + 1) == Some(&b'{');
        let start = at + 1 + usize::from(braces);
        let is_name = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'_';
        let end = start + format[start..].iter().take_while(is_name).count();
        let next = end + usize::from(braces);
        if end == start || (braces && format.get(end) != Some(&b'}')) {
            let span = at..next.min(format.len());
            return Err(config.error(span, "no variable", "expected a name, as in $status"));
        }
        let name = String::from_utf8_lossy(&format[start..end]);
        tokens.push(Token::Variable(match known(&name) {
            Some(known) => Variable::known(at..next, &name, known),
            None => Variable::own(at..next, &name),
        }));
        at = next;
    }
    Ok(tokens)
}

/// The member of a variable, its rank among those of the same member, and how
/// it is spelled.
///
/// Source: the variables of nginx's core, and `$req_id` of ingress-nginx.
fn known(name: &str) -> Option<(&'static str, u8, Kind)> {
    Some(match name {
        "time_local" | "time_iso8601" | "msec" | "timestamp" => ("timestamp", 0, Kind::Time(None)),
        "remote_addr" => ("ip_address", 0, Kind::Host),
        "remote_port" => ("client_port", 0, Kind::Integer),
        "remote_user" => ("user_id", 0, Kind::Text),
        "request_id" => ("request_id", 0, Kind::Text),
        "req_id" => ("request_id", 1, Kind::Text),
        "http_x_request_id" => ("request_id", 2, Kind::Text),
        "request_time" => ("response_time", 0, Kind::Seconds(0)),
        "status" => ("status_code", 0, Kind::Status),
        "request" => ("request", 0, Kind::Request),
        "request_method" => ("method", 1, Kind::Text),
        "request_uri" => ("url", 1, Kind::Text),
        "uri" => ("url", 2, Kind::Text),
        "server_protocol" => ("protocol", 1, Kind::Text),
        "body_bytes_sent" => ("bytes", 0, Kind::Integer),
        "bytes_sent" => ("bytes", 1, Kind::Integer),
        "http_referer" => ("referer", 0, Kind::Text),
        "http_user_agent" => ("user_agent", 0, Kind::Text),
        "http_x_forwarded_for" => ("x_forwarded_for", 0, Kind::Text),
        "host" => ("vhost", 0, Kind::Text),
        "server_name" => ("vhost", 1, Kind::Text),
        "http_host" => ("vhost", 2, Kind::Text),
        "server_port" => ("vhost_port", 0, Kind::Text),
        _ => return None,
    })
}

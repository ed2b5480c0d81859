//! What stands before the time: who asked whom.

use crate::format::Mismatch;
use crate::format::cursor::{Text, alphanumeric_and};

/// `client identity user`, with the virtual host before it where there is one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head<'a> {
    /// An address, a host name, `unix:` or `-`.
    pub(super) client: &'a [u8],
    pub(super) identity: Text<'a>,
    /// May hold blanks; `None` if the line has nothing in its place.
    pub(super) user: Option<Text<'a>>,
    pub(super) vhost: Option<&'a [u8]>,
    /// Decimal digits.
    pub(super) vhost_port: Option<&'a [u8]>,
}

const TOKEN: &str = "client";
const WORDS: &str = "a client, an identity and a user before the time";

impl<'a> Head<'a> {
    /// Splits the text before ` [time]`, which is the start of the line.
    ///
    /// | words | read as |
    /// | --- | --- |
    /// | `client -` | a client and no user |
    /// | `client identity user` | |
    /// | `client - user with blanks` | |
    /// | `vhost client - user with blanks` | |
    /// | `vhost client identity user` | only if `client` looks like an address |
    ///
    /// A user with blanks behind an identity is not believed, since it could be
    /// anything: no `identd` has answered for twenty years.
    ///
    /// # Errors
    ///
    /// Fails for other words, and for clients and virtual hosts that are no
    /// address and no name.
    #[inline]
    pub(super) fn split(text: Text<'a>) -> Result<Self, Mismatch> {
        if let Some(head) = Self::anonymous(text) {
            return Ok(head);
        }
        let (first, rest) = split_word(text.raw);
        let (second, rest) = split_word(rest.unwrap_or_default());
        let Some(rest) = rest else {
            let identity = text.part(second);
            let head = Self { client: first, identity, user: None, vhost: None, vhost_port: None };
            // `- - [` alone is more likely the end of a line than its start.
            let known = second == b"-" && first != b"-";
            return if known { head.checked(0) } else { Err(few_words(text.raw)) };
        };
        let (third, behind) = split_word(rest);
        let (vhost, client, identity, user) = match behind {
            _ if second == b"-" => (None, first, second, rest),
            None => (None, first, second, rest),
            Some(user)
                if third == b"-" || (looks_like_address(second) && !user.contains(&b' ')) =>
            {
                (Some(first), second, third, user)
            }
            Some(_) => return Err(few_words(text.raw)),
        };
        let (vhost, vhost_port) = match vhost {
            Some(vhost) => split_port(vhost).map(|(name, port)| (Some(name), port))?,
            None => (None, None),
        };
        let at = if vhost.is_some() { first.len() + 1 } else { 0 };
        // Apache's spelling of an empty name.
        let user = if user == br#""""# { b"" } else { user };
        let user = Some(text.part(user));
        let identity = text.part(identity);
        Self { client, identity, user, vhost, vhost_port }.checked(at)
    }

    /// Most lines have a client and nothing else: `client - -`.
    #[inline]
    fn anonymous(text: Text<'a>) -> Option<Self> {
        let client = text.raw.strip_suffix(b" - -").filter(|client| is_host(client))?;
        let none = Text::plain(b"-");
        Some(Self { client, identity: none, user: Some(none), vhost: None, vhost_port: None })
    }

    /// Itself, if its client, which stands at `at`, can be one.
    #[inline]
    fn checked(self, at: usize) -> Result<Self, Mismatch> {
        if is_host(self.client) {
            Ok(self)
        } else {
            Err(Mismatch::no_match(at, TOKEN, "an address, a host name or -"))
        }
    }
}

/// The error for text before the time that could be read in several ways or in
/// none. It names the start if that cannot be a client, else the end.
fn few_words(text: &[u8]) -> Mismatch {
    let (first, _) = split_word(text);
    let at = if is_host(first) { text.len() } else { 0 };
    Mismatch::no_match(at, TOKEN, WORDS)
}

/// The text before the first blank, and what is behind it if there is one.
#[inline]
fn split_word(text: &[u8]) -> (&[u8], Option<&[u8]>) {
    match text.iter().position(|byte| *byte == b' ') {
        Some(blank) => (&text[..blank], Some(&text[blank + 1..])),
        None => (text, None),
    }
}

/// Whether it can be an address (also `fe80::1%eth0`), a host name, `unix:` or
/// `-`. Names need not be good ones, since resolvers return what they like, but
/// marks that separate or enclose would mean that this is something else.
#[inline]
pub(in crate::format) fn is_host(word: &[u8]) -> bool {
    !word.is_empty() && word.iter().all(|byte| HOST[usize::from(*byte)])
}

const HOST: [bool; 256] = alphanumeric_and(b".-:_%*");

fn looks_like_address(word: &[u8]) -> bool {
    word.iter().any(|byte| matches!(byte, b'.' | b':'))
}

/// The name and port of `example.com:443`, `example.com` or `[2001:db8::1]:443`.
/// A bare IPv6 address has no port.
fn split_port(vhost: &[u8]) -> Result<(&[u8], Option<&[u8]>), Mismatch> {
    let (name, port) = match memchr::memrchr(b':', vhost) {
        Some(colon) if !vhost[..colon].contains(&b':') || vhost[colon - 1] == b']' => {
            (&vhost[..colon], Some(&vhost[colon + 1..]))
        }
        _ => (vhost, None),
    };
    let bare = name.strip_prefix(b"[").and_then(|name| name.strip_suffix(b"]")).unwrap_or(name);
    let is_port = |port: &[u8]| matches!(port.len(), 1..=5) && port.iter().all(u8::is_ascii_digit);
    if is_host(bare) && port.is_none_or(is_port) {
        Ok((name, port))
    } else {
        Err(Mismatch::no_match(0, "virtual host", "a name or address, with or without :port"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Option<[Option<&str>; 5]> {
        let head = Head::split(Text::plain(text.as_bytes())).ok()?;
        let text = |bytes| std::str::from_utf8(bytes).unwrap();
        Some([
            head.vhost.map(text),
            head.vhost_port.map(text),
            Some(text(head.client)),
            Some(text(head.identity.raw)),
            head.user.map(|user| text(user.raw)),
        ])
    }

    #[test]
    fn words_before_the_time() {
        let (client, name) = ("192.0.2.1", "example.com");
        for (line, parts) in [
            ("192.0.2.1 - -", [None, None, Some(client), Some("-"), Some("-")]),
            ("192.0.2.1 -", [None, None, Some(client), Some("-"), None]),
            ("192.0.2.1 - ", [None, None, Some(client), Some("-"), Some("")]),
            (r#"192.0.2.1 - """#, [None, None, Some(client), Some("-"), Some("")]),
            ("192.0.2.1 admin admin", [None, None, Some(client), Some("admin"), Some("admin")]),
            ("192.0.2.1 - shop admin", [None, None, Some(client), Some("-"), Some("shop admin")]),
            ("192.0.2.1 - [x] y", [None, None, Some(client), Some("-"), Some("[x] y")]),
            ("example.com 192.0.2.1 - -", [Some(name), None, Some(client), Some("-"), Some("-")]),
            (
                "example.com:443 192.0.2.1 - shop admin",
                [Some(name), Some("443"), Some(client), Some("-"), Some("shop admin")],
            ),
            (
                "example.com:443 192.0.2.1 admin admin",
                [Some(name), Some("443"), Some(client), Some("admin"), Some("admin")],
            ),
            (
                "[2001:db8::2]:443 2001:db8::1 - -",
                [Some("[2001:db8::2]"), Some("443"), Some("2001:db8::1"), Some("-"), Some("-")],
            ),
            ("2001:db8::2 ::1 - -", [Some("2001:db8::2"), None, Some("::1"), Some("-"), Some("-")]),
            ("unix: - -", [None, None, Some("unix:"), Some("-"), Some("-")]),
            ("- - -", [None, None, Some("-"), Some("-"), Some("-")]),
            ("fe80::1%eth0 - -", [None, None, Some("fe80::1%eth0"), Some("-"), Some("-")]),
        ] {
            assert_eq!(split(line), Some(parts), "{line}");
        }
    }

    #[test]
    fn what_could_be_anything_is_refused() {
        for line in [
            "",
            "192.0.2.1",
            "192.0.2.1 admin",
            " - -",
            "- -",
            "[error] - -",
            "198.51.100.7, 192.0.2.1 - -",
            "2024-03-05T07:08:09.4Z stdout F 192.0.2.1 - -",
            "Feb  3 04:05:06 host tomcat: 192.0.2.1 - -",
            "192.0.2.1 admin shop admin",
            "example.com:https 192.0.2.1 - -",
            ":443 192.0.2.1 - -",
            "/path 192.0.2.1 - -",
        ] {
            assert_eq!(split(line), None, "{line:?}");
        }
    }
}

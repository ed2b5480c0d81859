//! Text to tokens, with two liberties: `@source.partition` needs no
//! backquotes, and an interval may be one string, `INTERVAL '5 minutes'`.

use sqlparser::dialect::DatabricksDialect;
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer, Word};

use super::error::{QueryError, Source};
use crate::time::TimeDelta;

/// The tokens of a text, without white space and comments.
pub(super) fn tokenize(source: &Source<'_>) -> Result<Vec<TokenWithSpan>, QueryError> {
    let tokens = Tokenizer::new(&DatabricksDialect, source.text)
        // Strings stay as typed: `literal` resolves their escapes.
        .with_unescape(false)
        .tokenize_with_location()
        .map_err(|error| {
            let at = source.offset(error.location);
            source.error(at..source.text.len().min(at + 1), lower_first(&error.message), "")
        })?;
    let mut out: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    let mut tokens = tokens
        .into_iter()
        .filter(|token| !matches!(token.token, Token::Whitespace(_)))
        .map(unescape_name)
        .peekable();
    while let Some(token) = tokens.next() {
        match (&token.token, tokens.peek()) {
            (Token::AtSign, Some(next)) if next.span.start == token.span.end => {
                if let Token::Word(word) = &next.token {
                    let name = Token::make_word(&format!("@{}", word.value), Some('`'));
                    out.push(TokenWithSpan { token: name, span: token.span.union(&next.span) });
                    tokens.next();
                    continue;
                }
                out.push(token);
            }
            (Token::SingleQuotedString(text), next) if is_interval(out.last()) => {
                let has_unit = matches!(next.map(|next| &next.token), Some(Token::Word(word)) if unit(&word.value));
                match text.parse::<TimeDelta>() {
                    Ok(delta) if !has_unit => {
                        let number = Token::Number(delta.micros.to_string(), false);
                        out.push(TokenWithSpan { token: number, span: token.span });
                        let unit = Token::make_keyword("MICROSECONDS");
                        out.push(TokenWithSpan { token: unit, span: token.span });
                    }
                    _ => out.push(token),
                }
            }
            _ => out.push(token),
        }
    }
    Ok(out)
}

/// A doubled backquote in a name in backquotes is one.
fn unescape_name(mut token: TokenWithSpan) -> TokenWithSpan {
    if let Token::Word(Word { value, quote_style: Some('`'), .. }) = &mut token.token
        && value.contains('`')
    {
        *value = value.replace("``", "`");
    }
    token
}

fn is_interval(token: Option<&TokenWithSpan>) -> bool {
    matches!(
        token.map(|token| &token.token),
        Some(Token::Word(Word { keyword: Keyword::INTERVAL, quote_style: None, .. }))
    )
}

/// Whether the word is a unit of time.
pub(super) fn unit(word: &str) -> bool {
    format!("1 {word}").parse::<TimeDelta>().is_ok()
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

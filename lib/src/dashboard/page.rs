//! The page and what it is made of, all of it in the program.

use super::history::{Cursor, History};

/// The page, with places for styles, data and scripts.
const PAGE: &str = include_str!("assets/page.html");
const STYLE: &str = include_str!("assets/page.css");
const SCRIPTS: [(&str, &str); 3] = [
    ("/model.js", include_str!("assets/model.js")),
    ("/charts.js", include_str!("assets/charts.js")),
    ("/page.js", include_str!("assets/page.js")),
];
/// uPlot draws the charts; see the README beside it.
const UPLOT: (&str, &str) = ("/uplot.js", include_str!("assets/uplot/uPlot.iife.min.js"));
const UPLOT_STYLE: &str = include_str!("assets/uplot/uPlot.min.css");

/// What the live page may load and connect to: this server, and nothing else.
pub(super) const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A file of the page, by path: its type and text.
pub(super) fn file(path: &str) -> Option<(&'static str, String)> {
    let script = "text/javascript; charset=utf-8";
    let style = "text/css; charset=utf-8";
    match path {
        "/" => Some(("text/html; charset=utf-8", live())),
        "/page.css" => Some((style, STYLE.to_owned())),
        "/uplot.css" => Some((style, UPLOT_STYLE.to_owned())),
        _ => scripts().find(|(name, _)| *name == path).map(|(_, text)| (script, text.to_owned())),
    }
}

/// In the order in which they are run: path and text.
fn scripts() -> impl Iterator<Item = (&'static str, &'static str)> {
    [UPLOT].into_iter().chain(SCRIPTS)
}

/// The page that a server shows.
fn live() -> String {
    let styles = "<link rel=\"stylesheet\" href=\"/uplot.css\">\n\
                  <link rel=\"stylesheet\" href=\"/page.css\">";
    let scripts: String =
        scripts().flat_map(|(name, _)| ["<script src=\"", name, "\" defer></script>\n"]).collect();
    fill(styles, "", &scripts)
}

/// The page as one file that needs nothing else: all that is in `history`.
pub fn report(history: &History) -> Vec<u8> {
    // Of a file nobody sends a header.
    let policy = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; \
                  img-src data:; base-uri 'none'; form-action 'none'";
    let styles = format!(
        "<meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n\
         <style>{UPLOT_STYLE}</style>\n<style>{STYLE}</style>"
    );
    let mut json = Vec::new();
    history.read(&mut Cursor::default(), usize::MAX, &mut json);
    let json = inert(&String::from_utf8_lossy(&json));
    let data = format!("<script type=\"application/json\" id=\"report\">{json}</script>");
    let scripts: String =
        scripts().flat_map(|(_, text)| ["<script>", text, "</script>\n"]).collect();
    fill(&styles, &data, &scripts).into_bytes()
}

/// JSON that can stand in a script element, and in a script.
fn inert(json: &str) -> String {
    let mut text = String::with_capacity(json.len() + json.len() / 64);
    for character in json.chars() {
        match character {
            '<' => text.push_str("\\u003c"),
            '\u{2028}' => text.push_str("\\u2028"),
            '\u{2029}' => text.push_str("\\u2029"),
            _ => text.push(character),
        }
    }
    text
}

fn fill(styles: &str, data: &str, scripts: &str) -> String {
    // Cut first: what is put in may hold anything.
    let (head, rest) = cut(PAGE, "<!-- styles -->");
    let (body, rest) = cut(rest, "<!-- data -->");
    let (between, end) = cut(rest, "<!-- scripts -->");
    [head, styles, body, data, between, scripts, end].concat()
}

fn cut<'a>(text: &'a str, mark: &str) -> (&'a str, &'a str) {
    text.split_once(mark).unwrap_or((text, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_a_place_for_each_part() {
        let page = fill("STYLES", "DATA", "SCRIPTS");
        let at = |part| page.find(part).unwrap();
        assert!(at("<head>") < at("STYLES") && at("STYLES") < at("</head>"));
        assert!(at("</main>") < at("DATA") && at("DATA") < at("SCRIPTS"));
        assert!(page.trim_end().ends_with("</html>"));
    }

    #[test]
    fn what_is_put_inline_does_not_end_its_element() {
        for (name, text) in scripts() {
            for mark in ["</script", "<!--"] {
                assert!(!text.contains(mark), "{name}: {mark}");
            }
        }
        for text in [STYLE, UPLOT_STYLE] {
            assert!(
                !text.contains("</style") && !text.contains("url(") && !text.contains("@import")
            );
        }
        assert_eq!(inert("[\"</script>\u{2028}\"]"), "[\"\\u003c/script>\\u2028\"]");
    }

    #[test]
    fn files_are_found_by_path() {
        for path in ["/", "/page.css", "/uplot.css", "/uplot.js", "/page.js"] {
            assert!(file(path).is_some_and(|(_, text)| !text.is_empty()), "{path}");
        }
        for path in ["", "/page", "/../page.js", "//"] {
            assert!(file(path).is_none(), "{path}");
        }
    }
}

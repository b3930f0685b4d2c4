//! What a text is held against: names with an open end, headers, regular expressions, words.

use std::fmt;

use http::{HeaderMap, HeaderName};
use regex::{Regex, RegexBuilder};
use serde_json::Value;

use super::super::models::fits;
use super::super::units::Setting;

/// How large a pattern may become, in bytes. What a text costs at the worst grows with it.
const LARGEST: usize = 1 << 20;

/// A text, or the beginning of one before `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob(String);

impl Glob {
    /// Whether a text is this one, or begins so.
    pub fn fits(&self, text: &str) -> bool {
        fits(&self.0, text)
    }

    /// What every text that fits begins with.
    pub fn beginning(&self) -> &str {
        self.0.strip_suffix('*').unwrap_or(&self.0)
    }
}

impl Setting for Glob {
    const KIND: &'static str = "text";

    fn parse(text: &str) -> Result<Self, String> {
        let glob = Self(text.to_owned());
        if glob.beginning().contains('*') {
            return Err(format!("expected a `*` at the end or nowhere, got {text:?}"));
        }
        Ok(glob)
    }
}

/// A header that a request must have.
#[derive(Clone, PartialEq, Eq)]
pub struct HeaderTest {
    name: HeaderName,
    value: Glob,
}

impl HeaderTest {
    /// Whether one of a request's headers is this one.
    pub fn fits(&self, headers: &HeaderMap) -> bool {
        let mut values = headers.get_all(&self.name).iter();
        values.any(|value| value.to_str().map_or(self.value.0 == "*", |text| self.value.fits(text)))
    }
}

impl Setting for HeaderTest {
    const KIND: &'static str = "`NAME` or `NAME: VALUE`";

    fn parse(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once(':').unwrap_or((text, "*"));
        // The value may be a secret, and is not repeated.
        let name = name.trim().parse().map_err(|_| format!("expected {}", Self::KIND))?;
        Ok(Self { name, value: Glob::parse(value.trim())? })
    }

    fn shown(text: &str) -> String {
        match text.split_once(':') {
            Some((name, _)) => format!("{}: ***", name.trim()),
            None => text.to_owned(),
        }
    }
}

impl fmt::Debug for HeaderTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}: ***\"", self.name)
    }
}

/// A regular expression.
#[derive(Clone)]
pub struct Pattern(Regex);

impl Pattern {
    /// Whether it is found in a text.
    pub fn is_in(&self, text: &str) -> bool {
        self.0.is_match(text)
    }
}

impl Setting for Pattern {
    const KIND: &'static str = "regular expression";

    fn parse(text: &str) -> Result<Self, String> {
        let built = RegexBuilder::new(text).size_limit(LARGEST).build();
        built.map(Self).map_err(|error| {
            let error = error.to_string();
            let last = error.lines().last().unwrap_or_default().trim_start_matches("error: ");
            format!("is not a valid regular expression: {last}")
        })
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Eq for Pattern {}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.0.as_str(), f)
    }
}

/// Words that are looked for as wholes, in any case.
#[derive(Debug, Clone, PartialEq)]
pub struct Keywords(Pattern);

impl Keywords {
    /// Whether any of them is in a text.
    pub fn any_in(&self, text: &str) -> bool {
        self.0.is_in(text)
    }
}

impl Setting for Keywords {
    const KIND: &'static str = "list of texts";

    fn parse(text: &str) -> Result<Self, String> {
        let spaced = |keyword: &String| {
            let words: Vec<String> = keyword.split_whitespace().map(regex::escape).collect();
            words.join(r"\s+")
        };
        let keywords: Vec<String> = Vec::<String>::parse(text)?.iter().map(spaced).collect();
        if keywords.is_empty() {
            return Err(format!("expected words, got {text:?}"));
        }
        // Half boundaries, so that `c++` and `C#` are words too.
        let any = format!(r"(?i)\b{{start-half}}(?:{})\b{{end-half}}", keywords.join("|"));
        Pattern::parse(&any).map(Self).map_err(|_| "has too many words".to_owned())
    }

    fn schema() -> Value {
        Vec::<String>::schema()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_be_open_at_its_end_only() {
        let glob = Glob::parse("/v1/chat/*").unwrap();
        assert!(glob.fits("/v1/chat/completions") && !glob.fits("/v1/completions"));
        assert_eq!(glob.beginning(), "/v1/chat/");
        assert!(Glob::parse("gpt-*-mini").is_err());
    }

    #[test]
    fn a_header_is_told_by_name_and_value_and_never_prints_the_value() {
        let mut headers = HeaderMap::new();
        headers.append("x-team", "search".parse().unwrap());
        headers.append("x-team", "ads-eu".parse().unwrap());
        let fits = |text: &str| HeaderTest::parse(text).unwrap().fits(&headers);
        assert!(fits("X-Team") && fits("x-team: search") && fits("x-team:ads-*"));
        assert!(!fits("x-team: ads") && !fits("x-other"));
        let secret = HeaderTest::parse("authorization: canary").unwrap();
        assert!(!format!("{secret:?}").contains("canary"));
        assert!(!HeaderTest::parse("a b: canary").unwrap_err().contains("canary"));
    }

    #[test]
    fn keywords_are_whole_words_in_any_case() {
        let keywords = Keywords::parse("my, I am, c++, Ärger").unwrap();
        for text in ["It is MY dog", "i  am\nhere", "C++!", "so ein ärger", "my"] {
            assert!(keywords.any_in(text), "{text}");
        }
        for text in ["mystery", "I amuse", "xc++", "", "Verärgert", "army"] {
            assert!(!keywords.any_in(text), "{text}");
        }
    }

    #[test]
    fn what_is_no_pattern_says_why_in_one_line() {
        let wrong = Pattern::parse("(a").unwrap_err();
        assert!(wrong.ends_with("unclosed group"), "{wrong}");
        let large = Pattern::parse(&r"\w{900}".repeat(50)).unwrap_err();
        assert!(large.contains("size limit") && !large.contains('\n'), "{large}");
    }
}

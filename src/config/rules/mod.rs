//! Rules for chat requests, each with its conditions and its action.

mod check;
mod patterns;

use std::time::Duration;

use toml::de::{DeTable, DeValue};

pub use patterns::{Glob, HeaderTest, Keywords, Pattern};

use super::read::{Key, Reader, Section, Table, section};
use super::units::Setting;
use super::words::ChatCache;

/// One rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Its path, such as `rules[0]`, for errors.
    pub(super) path: String,
    /// Its name.
    pub name: String,
    /// The conditions of a request.
    pub when: Conditions,
    /// The action for a request that fulfils them.
    pub then: Action,
}

section! {
    /// Conditions of the rule above. A request must fulfil all that are set; without any, every chat request
    /// does.
    Conditions {
        /// Path of the request without its query, or its beginning before `*`: `/v1/chat/*`.
        path: Option<Glob> = "",
        /// Requested model, or the beginning of its name before `*`.
        model: Option<Glob> = "",
        /// Request header: `NAME`, or `NAME: VALUE`. A `*` at the end of the value matches any rest.
        header: Option<HeaderTest> = "",
        /// Text in the system prompt (system and developer messages, instructions).
        system_contains: Option<String> = "",
        /// Regular expression that matches in the system prompt. `(?i)` ignores case.
        system_pattern: Option<Pattern> = "",
        /// The last user message has fewer words than this.
        fewer_words_than: Option<u32> = "",
        /// The last user message has at least this many words.
        words_at_least: Option<u32> = "",
        /// The last user message has none of these words. Case is ignored, and only whole words match. Words
        /// with spaces between them match as a phrase.
        lacks: Option<Keywords> = "",
    }
}

section! {
    /// Action of the rule above. Exactly one of: `answer`; `model`, `provider`, or both; `cache`.
    Action {
        /// Text of a completion that larder sends itself, without a provider call, plain or streamed as
        /// requested.
        answer: Option<String> = "",
        /// Model to request instead. Nothing else of the request changes.
        model: Option<String> = "",
        /// Provider to call instead. It needs a compatible dialect. It gets the client's credential, unless it
        /// has `api_key_env`.
        provider: Option<String> = "",
        /// Cache policy for the completion, in place of `chat_cache`: `off`, `deterministic` or `all`.
        cache: Option<ChatCache> = "",
        /// Lifetime in place of `cache.chat_ttl`, together with `cache`. 0: until it is evicted or purged.
        ttl: Option<Duration> = "",
    }
}

impl Section for Rule {
    const DOC: &'static str = " Rules for chat requests, in this order: the first match is applied. None by default. See `docs/RULES.md`.\n";
    const KEYS: &'static [Key] = &[Key {
        name: "name",
        kind: <String as Setting>::KIND,
        quoted: true,
        schema: <String as Setting>::schema,
        default: "",
        doc: " Unique name, for metrics, `x-larder-rule` and explanations: letters, digits, `-` and `_`.\n",
    }];

    fn read(reader: &mut Reader<'_>, table: &Table<'_>) -> Self {
        reader.refuse_other(table, &["name", "when", "then"]);
        Self {
            path: table.name.clone(),
            name: reader.take(table, "name", ""),
            when: part(reader, table, "when"),
            then: part(reader, table, "then"),
        }
    }
}

/// The rules of a file, in their order.
pub(super) fn read(reader: &mut Reader<'_>, root: &DeTable<'_>) -> Vec<Rule> {
    let Some(written) = root.get("rules") else { return Vec::new() };
    let DeValue::Array(items) = written.get_ref() else {
        let message = "is a list; write each rule as [[rules]]".to_owned();
        reader.note(written.span(), "rules".to_owned(), message);
        return Vec::new();
    };
    let mut rules = Vec::with_capacity(items.len());
    for (number, item) in items.iter().enumerate() {
        let name = format!("rules[{number}]");
        let DeValue::Table(keys) = item.get_ref() else {
            let message = "is a rule; write it as [[rules]]".to_owned();
            reader.note(item.span(), name, message);
            continue;
        };
        let place = reader.place(item.span());
        reader.sources.note(&name, place);
        let table = Table { name, heading: "[[rules]]".to_owned(), keys: Some(keys) };
        rules.push(Rule::read(reader, &table));
    }
    rules
}

/// A part of a rule that has keys of its own.
fn part<S: Section>(reader: &mut Reader<'_>, rule: &Table<'_>, part: &str) -> S {
    let name = format!("{}.{part}", rule.name);
    let written = rule.keys.and_then(|keys| keys.get(part));
    let keys = written.and_then(|value| value.get_ref().as_table());
    if let Some(value) = written.filter(|_| keys.is_none()) {
        let message = format!("is a section; write it as [rules.{part}], or as {part}.KEY");
        reader.note(value.span(), name.clone(), message);
    }
    if let Some(value) = written {
        let place = reader.place(value.span());
        reader.sources.note(&name, place);
    }
    S::read(reader, &Table { name, heading: format!("[rules.{part}]"), keys })
}

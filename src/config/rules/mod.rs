//! What the operator wants done with some requests for a model's words: rules in their order, each with
//! what a request has to be, and what then becomes of it.

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
    /// Where it is written, and as what, for errors.
    pub(super) place: (String, String),
    /// What it is called.
    pub name: String,
    /// What a request has to be.
    pub when: Conditions,
    /// What then becomes of it.
    pub then: Action,
}

section! {
    /// What a request has to be for the rule above to be carried out: all that is written here. Without any
    /// of it, every request for a model's words is.
    Conditions {
        /// The path that is asked, without its query; or the beginning of one before `*`, as in `/v1/chat/*`.
        path: Option<Glob> = "",
        /// The model that is asked; or the beginning of its name before `*`.
        model: Option<Glob> = "",
        /// A request header: `NAME`, or `NAME: VALUE`, where the value may be the beginning of one before `*`.
        header: Option<HeaderTest> = "",
        /// A text that stands in what the system says (system and developer messages, instructions).
        system_contains: Option<String> = "",
        /// A regular expression that is found in what the system says; `(?i)` before it for any case.
        system_pattern: Option<Pattern> = "",
        /// The last message of the user has fewer words than this.
        fewer_words_than: Option<u32> = "",
        /// The last message of the user has so many words or more.
        words_at_least: Option<u32> = "",
        /// The last message of the user has none of these words, in any case. Whole words count; several
        /// with spaces between them are one.
        lacks: Option<Keywords> = "",
    }
}

section! {
    /// What becomes of a request that the rule above is for. Exactly one of: an `answer`; another `model`,
    /// `provider`, or both; a policy for the `cache`.
    Action {
        /// The text of an answer that larder gives itself, without any provider, in the shape and manner
        /// (whole or streamed) that is asked for.
        answer: Option<String> = "",
        /// The model that is asked instead; nothing else of the request changes.
        model: Option<String> = "",
        /// The provider that is asked instead. It must speak as the one does that was asked. It is shown the
        /// client's credential, unless it has `api_key_env`.
        provider: Option<String> = "",
        /// Whether the answer is kept, as `chat_cache` of a provider has it: `off`, `deterministic`, `all`.
        cache: Option<ChatCache> = "",
        /// With `cache`: how long it is good, in place of `cache.chat_ttl`; 0 is for ever.
        ttl: Option<Duration> = "",
    }
}

impl Section for Rule {
    const DOC: &'static str = " Rules for requests for a model's words, in their order: the first that fits a request is carried out.\n \
         None by default. See `config/RULES.md`.\n";
    const KEYS: &'static [Key] = &[Key {
        name: "name",
        kind: <String as Setting>::KIND,
        quoted: true,
        default: "",
        doc: " What the rule is called in metrics, in `x-larder-rule` and in explanations: letters, digits, `-`\n \
              and `_`. Each has a name of its own.\n",
    }];

    fn read(reader: &mut Reader<'_>, table: &Table<'_>) -> Self {
        reader.refuse_other(table, &["name", "when", "then"]);
        Self {
            place: (String::new(), table.name.clone()),
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
        let message = "is a list: write each rule as [[rules]]".to_owned();
        reader.note(written.span(), "rules".to_owned(), message);
        return Vec::new();
    };
    let mut rules = Vec::with_capacity(items.len());
    for (number, item) in items.iter().enumerate() {
        let name = format!("rules[{number}]");
        let DeValue::Table(keys) = item.get_ref() else {
            let message = "is a rule: write it as [[rules]]".to_owned();
            reader.note(item.span(), name, message);
            continue;
        };
        let mut rule = Rule::read(reader, &Table { name, keys: Some(keys) });
        rule.place.0 = reader.place(item.span());
        rules.push(rule);
    }
    rules
}

/// A part of a rule that has keys of its own.
fn part<S: Section>(reader: &mut Reader<'_>, rule: &Table<'_>, part: &str) -> S {
    let name = format!("{}.{part}", rule.name);
    let written = rule.keys.and_then(|keys| keys.get(part));
    let keys = written.and_then(|value| value.get_ref().as_table());
    if let Some(value) = written.filter(|_| keys.is_none()) {
        let message = format!("is a section: write it as [rules.{part}], or as {part}.KEY");
        reader.note(value.span(), name.clone(), message);
    }
    S::read(reader, &Table { name, keys })
}

//! From text to values: every key of every section, every error at once, each with its place.
//!
//! Precedence: flag, environment, file, default. The sections (`config/sections.rs` and its neighbours)
//! define the keys.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;

use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

pub use super::nearest::unknown;
pub(super) use super::nearest::{nearest, unknown_value};
use super::sources::{Entry, Sources};
use super::text_form::as_text;
pub(super) use super::text_form::literal;
use super::units::Setting;

/// One key of a section, as the reference shows it.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its name in the file.
    pub name: &'static str,
    /// The name of its type.
    pub kind: &'static str,
    /// Whether TOML needs quotes around it.
    pub quoted: bool,
    /// The text form of its default.
    pub default: &'static str,
    /// Its doc comment.
    pub doc: &'static str,
    /// The JSON schema of its values.
    pub schema: fn() -> Value,
}

/// A part of the configuration that is read key by key.
pub trait Section: Sized {
    /// Its doc comment.
    const DOC: &'static str;
    /// Its keys, in the order of the file.
    const KEYS: &'static [Key];

    /// Reads every key, noting what is wrong.
    fn read(reader: &mut Reader<'_>, table: &Table<'_>) -> Self;
}

/// Declares a section: a struct of settings whose doc comments and defaults are also the file's.
macro_rules! section {
    ($(#[doc = $section_doc:literal])* $name:ident {
        $($(#[doc = $doc:literal])* $key:ident: $type:ty = $default:literal,)*
    }) => {
        $(#[doc = $section_doc])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name {
            $($(#[doc = $doc])* pub $key: $type,)*
        }

        impl $name {
            /// The keys whose values are other ones in another section.
            pub fn differing(&self, other: &Self) -> Vec<&'static str> {
                let keys = [$((stringify!($key), self.$key != other.$key)),*];
                keys.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect()
            }
        }

        impl Section for $name {
            const DOC: &'static str = concat!($($section_doc, "\n"),*);
            const KEYS: &'static [Key] = &[$(Key {
                name: stringify!($key),
                kind: <$type as Setting>::KIND,
                quoted: <$type as Setting>::QUOTED,
                default: $default,
                doc: concat!($($doc, "\n"),*),
                schema: <$type as Setting>::schema,
            },)*];

            fn read(reader: &mut Reader<'_>, table: &Table<'_>) -> Self {
                reader.refuse_unknown(table, Self::KEYS);
                Self { $($key: reader.take(table, stringify!($key), $default),)* }
            }
        }
    };
}
pub(super) use section;

/// An error of the configuration, with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file and line, the environment variable, or the flag.
    pub place: String,
    /// The key with its section, such as `server.listen`.
    pub key: String,
    /// The reason, and what to do.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)
    }
}

impl Problem {
    /// The line of the file; variables and flags come after all lines.
    pub(super) fn line(&self) -> usize {
        let line = self.place.rsplit_once(':').and_then(|(_, line)| line.parse().ok());
        line.unwrap_or(usize::MAX)
    }
}

/// A value from a flag or an environment variable. It takes precedence over the file.
#[derive(Debug, Clone)]
pub struct Override {
    /// The key with its section, such as `server.listen`.
    pub key: String,
    /// The text form of the value.
    pub text: String,
    /// Its origin, for errors: `--listen` or `LARDER_LISTEN`.
    pub place: String,
}

/// A section of the file under its full name; `None` where the file does not have it.
#[derive(Debug, Clone)]
pub struct Table<'a> {
    /// The section's name, such as `providers.openai`.
    pub name: String,
    /// The section's heading in TOML, such as `[providers.openai]`.
    pub heading: String,
    /// Its keys as written.
    pub keys: Option<&'a DeTable<'a>>,
}

/// The file, the overrides, and the problems found so far.
#[derive(Debug)]
pub struct Reader<'a> {
    file: &'a str,
    text: &'a str,
    overrides: HashMap<&'a str, &'a Override>,
    /// All problems, in the order in which they were found.
    pub problems: Vec<Problem>,
    /// The origins of the values read so far.
    pub sources: Sources,
}

impl<'a> Reader<'a> {
    /// A reader over the file's name and text, and the overrides.
    pub fn new(file: &'a str, text: &'a str, overrides: &'a [Override]) -> Self {
        let overrides = overrides.iter().map(|over| (over.key.as_str(), over)).collect();
        Self { file, text, overrides, problems: Vec::new(), sources: Sources::of(file) }
    }

    /// The value of one key: override, file, default. A bad value is noted and the default taken.
    pub fn take<T: Setting>(&mut self, table: &Table<'_>, name: &str, default: &str) -> T {
        let by_default = || T::parse(default).expect("a test parses every default");
        let key = format!("{}.{name}", table.name);
        let over = self.overrides.get(key.as_str()).copied();
        let (place, text) = match (over, written(table, name)) {
            (Some(over), _) => (over.place.clone(), Ok(over.text.clone())),
            (None, Some(value)) => (self.place(value.span()), as_text(value.get_ref(), T::KIND)),
            (None, None) => return by_default(),
        };
        self.sources.note(&key, place.clone());
        if over.is_some() {
            self.sources.note(&table.name, place.clone());
        }
        match text.and_then(|text| Ok((T::parse(&text)?, text))) {
            Ok((value, text)) => {
                self.sources.set(Entry {
                    section: table.name.clone(),
                    heading: table.heading.clone(),
                    name: name.to_owned(),
                    literal: literal((T::KIND, T::QUOTED), &T::shown(&text)),
                    origin: over.map(|over| over.place.clone()),
                    differs: value != by_default(),
                });
                value
            }
            Err(message) => {
                self.problems.push(Problem { place, key, message });
                by_default()
            }
        }
    }

    /// A section of the file. Its line is the place of the keys that it does not have.
    pub fn section<'t>(&mut self, root: &'t DeTable<'t>, name: &str) -> Table<'t> {
        let value = root.get(name);
        if let Some(value) = value {
            let place = self.place(value.span());
            self.sources.note(name, place);
        }
        let keys = value.and_then(|value| value.get_ref().as_table());
        Table { name: name.to_owned(), heading: format!("[{name}]"), keys }
    }

    /// The subsections that overrides name: `openai` of `providers.openai.base_url`.
    pub fn overridden(&self, section: &str) -> Vec<String> {
        let keys = self.overrides.keys().filter_map(|key| key.strip_prefix(section));
        let below = keys.filter_map(|key| key.strip_prefix('.')?.rsplit_once('.'));
        below.map(|(name, _)| name.to_owned()).collect()
    }

    /// Notes each unknown key of a section, with the nearest known one.
    pub fn refuse_unknown(&mut self, table: &Table<'_>, known: &[Key]) {
        let names: Vec<&str> = known.iter().map(|key| key.name).collect();
        self.refuse_other(table, &names);
    }

    /// Like [`Self::refuse_unknown`], by names alone.
    pub(super) fn refuse_other(&mut self, table: &Table<'_>, names: &[&str]) {
        for (name, _) in table.keys.into_iter().flatten() {
            if !names.contains(&name.get_ref().as_ref()) {
                let key = format!("{}.{}", table.name, name.get_ref());
                let message = unknown("key", name.get_ref(), names);
                self.note(name.span(), key, message);
            }
        }
    }

    /// The key, or else the section, of a line of a text that is no TOML.
    pub(super) fn key_near(&self, offset: usize) -> String {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let start = before.rfind('\n').map_or(0, |end| end + 1);
        let heading =
            |line: &str| Some(line.trim().strip_prefix('[')?.trim_matches(['[', ']']).to_owned());
        let section = before.lines().rev().find_map(heading).filter(|name| is_path(name));
        let line = self.text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
        // Only the key: the rest may be a secret.
        let key = line.split_once('=').map(|(key, _)| key.trim()).filter(|key| is_path(key));
        section.into_iter().chain(key.map(str::to_owned)).collect::<Vec<_>>().join(".")
    }

    /// Notes a problem at a place of the file.
    pub fn note(&mut self, span: Range<usize>, key: String, message: String) {
        let place = self.place(span);
        self.problems.push(Problem { place, key, message });
    }

    /// The file and the line of a place.
    pub(super) fn place(&self, span: Range<usize>) -> String {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        format!("{}:{}", self.file, before.matches('\n').count() + 1)
    }
}

/// Whether a file's text sets a key such as `server.listen`.
pub fn is_written(text: &str, key: &str) -> bool {
    let Ok(parsed) = DeTable::parse(text) else { return false };
    let mut names = key.split('.').peekable();
    let mut at = parsed.get_ref();
    while let Some(name) = names.next() {
        let Some(value) = at.get(name) else { return false };
        match value.get_ref().as_table() {
            Some(table) => at = table,
            None => return names.peek().is_none(),
        }
    }
    true
}

/// Whether a text is a key of TOML, or several with dots.
fn is_path(text: &str) -> bool {
    let in_path = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    !text.is_empty() && text.chars().all(in_path)
}

fn written<'t>(table: &Table<'t>, name: &str) -> Option<&'t Spanned<DeValue<'t>>> {
    table.keys?.get(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_says_is_told_from_what_it_leaves_open() {
        let text =
            "[server]\nlisten = \"127.0.0.1:1\"\n[providers.mine]\nbase_url = \"http://a\"\n";
        for key in ["server.listen", "providers.mine.base_url", "server"] {
            assert!(is_written(text, key), "{key}");
        }
        for key in ["server.admin_listen", "providers.openai.base_url", "server.listen.x", "log"] {
            assert!(!is_written(text, key), "{key}");
        }
        assert!(!is_written("[", "server"));
    }
}

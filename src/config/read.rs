//! From text to values: every key of every section, every error at once, each with its place.
//!
//! A value is looked for in the flags, then the environment, then the file, then the default. What
//! the keys mean is the business of the sections in `config/sections.rs` and beside it.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::units::Setting;

/// One key of a section, as the reference shows it.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its name in the file.
    pub name: &'static str,
    /// What its type is called.
    pub kind: &'static str,
    /// Whether TOML needs quotes around it.
    pub quoted: bool,
    /// The text form of the value that stands where nothing is written.
    pub default: &'static str,
    /// What it does, as in its doc comment.
    pub doc: &'static str,
}

/// A part of the configuration that is read key by key.
pub trait Section: Sized {
    /// What the section is for.
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

        impl Section for $name {
            const DOC: &'static str = concat!($($section_doc, "\n"),*);
            const KEYS: &'static [Key] = &[$(Key {
                name: stringify!($key),
                kind: <$type as Setting>::KIND,
                quoted: <$type as Setting>::QUOTED,
                default: $default,
                doc: concat!($($doc, "\n"),*),
            },)*];

            fn read(reader: &mut Reader<'_>, table: &Table<'_>) -> Self {
                reader.refuse_unknown(table, Self::KEYS);
                Self { $($key: reader.take(table, stringify!($key), $default),)* }
            }
        }
    };
}
pub(super) use section;

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file and line, the environment variable, or the flag.
    pub place: String,
    /// The key with its section, such as `server.listen`.
    pub key: String,
    /// What is wrong with it.
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

/// A value from a flag or an environment variable, which stands above the file.
#[derive(Debug, Clone)]
pub struct Override {
    /// The key with its section, such as `server.listen`.
    pub key: String,
    /// The text form of the value.
    pub text: String,
    /// Where it comes from, for errors: `--listen` or `LARDER_LISTEN`.
    pub place: String,
}

/// A section of the file under its full name; `None` where the file does not have it.
#[derive(Debug, Clone)]
pub struct Table<'a> {
    /// The section's name, such as `providers.openai`.
    pub name: String,
    /// Its keys as written.
    pub keys: Option<&'a DeTable<'a>>,
}

/// The file and what stands above it, and what was found to be wrong so far.
#[derive(Debug)]
pub struct Reader<'a> {
    file: &'a str,
    text: &'a str,
    overrides: HashMap<&'a str, &'a Override>,
    /// Everything that is wrong, in the order in which it was found.
    pub problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    /// A reader over the file's name and text, and the values that stand above it.
    pub fn new(file: &'a str, text: &'a str, overrides: &'a [Override]) -> Self {
        let overrides = overrides.iter().map(|over| (over.key.as_str(), over)).collect();
        Self { file, text, overrides, problems: Vec::new() }
    }

    /// The value of one key: override, file, default. A bad value is noted and the default taken.
    pub fn take<T: Setting>(&mut self, table: &Table<'_>, name: &str, default: &str) -> T {
        let key = format!("{}.{name}", table.name);
        let (place, text) = match (self.overrides.get(key.as_str()), written(table, name)) {
            (Some(over), _) => (over.place.clone(), Ok(over.text.clone())),
            (None, Some(value)) => (self.place(value.span()), as_text(value.get_ref())),
            (None, None) => (String::new(), Ok(default.to_owned())),
        };
        text.and_then(|text| T::parse(&text)).unwrap_or_else(|message| {
            self.problems.push(Problem { place, key, message });
            T::parse(default).expect("every default is a valid value; a test sweeps them")
        })
    }

    /// The tables below a section that overrides speak of: `openai` of `providers.openai.base_url`.
    pub fn overridden(&self, section: &str) -> Vec<String> {
        let keys = self.overrides.keys().filter_map(|key| key.strip_prefix(section));
        let below = keys.filter_map(|key| key.strip_prefix('.')?.split_once('.'));
        below.map(|(name, _)| name.to_owned()).collect()
    }

    /// Notes each key of the file's section that larder does not have, with the nearest it has.
    pub fn refuse_unknown(&mut self, table: &Table<'_>, known: &[Key]) {
        let names: Vec<&str> = known.iter().map(|key| key.name).collect();
        self.refuse_other(table, &names);
    }

    /// The same by names alone.
    pub(super) fn refuse_other(&mut self, table: &Table<'_>, names: &[&str]) {
        for (name, _) in table.keys.into_iter().flatten() {
            if !names.contains(&name.get_ref().as_ref()) {
                let key = format!("{}.{}", table.name, name.get_ref());
                let message = unknown("key", name.get_ref(), names);
                self.note(name.span(), key, message);
            }
        }
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

/// Whether a file's text itself says what a key such as `server.listen` is to be.
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

/// `unknown KIND`, with the nearest known name where one is near.
pub fn unknown(kind: &str, name: &str, known: &[&str]) -> String {
    let near = known
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .min()
        .filter(|(distance, candidate)| *distance <= candidate.len() / 2);
    match near {
        Some((_, candidate)) => format!("unknown {kind}; did you mean `{candidate}`?"),
        None => format!("unknown {kind}; known are: {}", known.join(", ")),
    }
}

fn written<'t>(table: &Table<'t>, name: &str) -> Option<&'t Spanned<DeValue<'t>>> {
    table.keys?.get(name)
}

fn as_text(value: &DeValue<'_>) -> Result<String, String> {
    match value {
        DeValue::String(text) => Ok(text.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => Ok(number.as_str().to_owned()),
        DeValue::Float(number) => Ok(number.as_str().to_owned()),
        DeValue::Boolean(yes) => Ok(yes.to_string()),
        DeValue::Array(items) => {
            let texts: Option<Vec<_>> = items.iter().map(|item| item.get_ref().as_str()).collect();
            let texts = texts.ok_or_else(|| "expected a list of texts".to_owned())?;
            // In a variable they are one text, which commas part.
            let odd = texts
                .iter()
                .find(|text| text.contains(',') || text.trim() != **text || text.is_empty());
            match odd {
                Some(_) => Err("an item is empty, has a comma, or a blank at an end".to_owned()),
                None => Ok(texts.join(",")),
            }
        }
        other => Err(format!("a {} does not fit here", other.type_str())),
    }
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

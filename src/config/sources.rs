//! The origin of every value: the place that an error names, and what is printed of it.

use std::collections::BTreeMap;

/// The origins of the values of a configuration.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    file: String,
    places: BTreeMap<String, String>,
    entries: Vec<Entry>,
}

/// A key that something sets.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// Its section, such as `server` or `rules[0].when`.
    pub(super) section: String,
    /// The heading of its section in TOML, such as `[server]`.
    pub(super) heading: String,
    /// Its name in the section.
    pub(super) name: String,
    /// Its value as TOML, without secrets.
    pub(super) literal: String,
    /// The flag or variable that sets it; `None` is the file.
    pub(super) origin: Option<String>,
    /// Whether the value is another one than the default.
    pub(super) differs: bool,
}

impl Sources {
    /// The sources of a configuration that is read from a file of this name.
    pub(super) fn of(file: &str) -> Self {
        Self { file: file.to_owned(), ..Self::default() }
    }

    /// The name of the file.
    pub(super) fn file(&self) -> &str {
        &self.file
    }

    /// Whether the file sets any key.
    pub(super) fn has_file(&self) -> bool {
        self.entries.iter().any(|entry| entry.origin.is_none())
    }

    /// Notes where a key or a section is written. The first place counts.
    pub(super) fn note(&mut self, key: &str, place: String) {
        self.places.entry(key.to_owned()).or_insert(place);
    }

    /// Notes a value that something sets.
    pub(super) fn set(&mut self, entry: Entry) {
        self.entries.push(entry);
    }

    /// The values that something sets, in the order of the sections.
    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Whether a file, a flag or a variable sets a key.
    pub fn has(&self, key: &str) -> bool {
        self.places.contains_key(key)
    }

    /// The place of a key: a file and a line, a variable, or a flag. A key that nothing sets has the
    /// place of its section.
    pub fn place(&self, key: &str) -> &str {
        let mut at = key;
        loop {
            if let Some(place) = self.places.get(at) {
                return place;
            }
            match at.rsplit_once('.') {
                Some((section, _)) => at = section,
                None => return &self.file,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_without_a_place_has_that_of_its_section() {
        let mut sources = Sources::of("larder.toml");
        sources.note("server", "larder.toml:3".to_owned());
        sources.note("server.listen", "larder.toml:4".to_owned());
        assert_eq!(sources.place("server.listen"), "larder.toml:4");
        assert_eq!(sources.place("server.drain"), "larder.toml:3");
        assert_eq!(sources.place("cache.memory"), "larder.toml");
        assert!(sources.has("server.listen") && !sources.has("server.drain"));
    }
}

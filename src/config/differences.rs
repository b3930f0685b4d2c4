//! The values that differ from the defaults, as TOML: `larder check`.

use std::fmt::Write;

use super::Config;

impl Config {
    /// The values that differ from the defaults, as TOML without secrets. A value that is not of the file
    /// has the flag or variable that sets it as a comment.
    pub fn differences(&self) -> String {
        let mut out = String::new();
        let mut section = "";
        for entry in self.sources.entries().iter().filter(|entry| entry.differs) {
            let mut line = format!("{} = {}", entry.name, entry.literal);
            if let Some(origin) = &entry.origin {
                line = format!("{line} # {origin}");
            }
            if entry.section != section {
                let gap = if section.is_empty() { "" } else { "\n" };
                line = format!("{gap}{}\n{line}", entry.heading);
                section = &entry.section;
            }
            writeln!(out, "{line}").expect("writing to a String cannot fail");
        }
        out
    }
}

//! A file of PEM, read with the configuration, so that a missing one is an error with a place.

use std::fmt;
use std::fs;

use super::units::Setting;

/// A file of certificates, or of a key. Empty is none. It prints its name only.
#[derive(Clone, PartialEq, Eq)]
pub struct PemFile {
    name: String,
    bytes: Vec<u8>,
}

impl PemFile {
    /// Whether a file is named at all.
    pub fn is_named(&self) -> bool {
        !self.name.is_empty()
    }

    /// Its path.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its content.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl Setting for PemFile {
    const KIND: &'static str = "PEM file";

    fn parse(text: &str) -> Result<Self, String> {
        let name = text.to_owned();
        if name.is_empty() {
            return Ok(Self { name, bytes: Vec::new() });
        }
        let bytes = fs::read(&name).map_err(|error| format!("{name}: {error}"))?;
        Ok(Self { name, bytes })
    }
}

impl fmt::Debug for PemFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.name)
    }
}

//! A query of the admin API, read strictly: a name that is not known, or comes twice, is no query.

/// What a query says, in the order of the names that are known.
#[derive(Debug)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads a query in which some names are known.
    pub(super) fn read(query: Option<&str>, known: &[&str]) -> Result<Self, String> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            if !known.contains(&&*name) {
                return Err(format!("{name:?}: unknown filter; known are: {}", known.join(", ")));
            }
            if pairs.iter().any(|(given, _)| *given == name) {
                return Err(format!("{name}: is there twice"));
            }
            pairs.push((name.into_owned(), value.into_owned()));
        }
        Ok(Self(pairs))
    }

    /// What is said under a name.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(given, _)| given == name).map(|(_, value)| &**value)
    }

    /// Whether a name is said to be true.
    pub(super) fn flag(&self, name: &str) -> Result<bool, String> {
        match self.get(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(text) => Err(format!("{name}: expected true or false, got {text:?}")),
        }
    }
}

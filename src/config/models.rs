//! Rules for models by name.

use serde_json::Value;

use super::units::Setting;
use super::words::ChatCache;

/// Rules for models: a name, or the beginning of one before `*`, and what holds for it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ModelRules(Vec<(String, ChatCache)>);

impl ModelRules {
    /// What the first rule that fits a model says.
    pub fn of(&self, model: &str) -> Option<ChatCache> {
        self.0.iter().find(|(pattern, _)| fits(pattern, model)).map(|(_, cache)| *cache)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Whether a model's name is the pattern, or begins with what is before its `*`.
pub(super) fn fits(pattern: &str, model: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => model.starts_with(beginning),
        None => model == pattern,
    }
}

impl Setting for ModelRules {
    const KIND: &'static str = "list of texts";

    fn parse(text: &str) -> Result<Self, String> {
        let rule = |item: String| {
            let (model, word) = item
                .split_once('=')
                .ok_or_else(|| format!("expected MODEL=off|deterministic|all, got {item:?}"))?;
            Ok((model.trim().to_owned(), ChatCache::parse(word.trim())?))
        };
        Vec::<String>::parse(text)?.into_iter().map(rule).collect::<Result<_, _>>().map(Self)
    }

    fn schema() -> Value {
        Vec::<String>::schema()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rule_that_fits_a_model_holds() {
        let rules = ModelRules::parse("gpt-4o=all, gpt-* = off,*=deterministic").unwrap();
        assert_eq!(rules.of("gpt-4o"), Some(ChatCache::All));
        assert_eq!(rules.of("gpt-4o-mini"), Some(ChatCache::Off));
        assert_eq!(rules.of("claude"), Some(ChatCache::Deterministic));
        assert_eq!(ModelRules::parse("").unwrap().of("claude"), None);
        assert!(ModelRules::parse("gpt-4o").is_err());
        assert!(ModelRules::parse("gpt-4o=some").is_err());
    }
}

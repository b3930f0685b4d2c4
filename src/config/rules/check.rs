//! Problems of a rule as a whole, and of all rules together.

use super::super::Config;
use super::super::built_in::speak_alike;
use super::super::read::{Problem, unknown_value};
use super::Rule;

/// Maximum length of a rule's name: it is a label of a metric.
const LONGEST_NAME: usize = 64;

impl Config {
    /// The problems of rules.
    pub(in super::super) fn check_rules(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (number, rule) in self.rules.iter().enumerate() {
            let mut wrong = |name: &str, message: String| {
                let key = format!("{}.{name}", rule.path);
                problems.push(Problem { place: self.sources.place(&key).to_owned(), key, message });
            };
            if let Err(message) = rule.check_name() {
                wrong("name", message);
            } else if self.rules.iter().take(number).any(|other| other.name == rule.name) {
                wrong("name", format!("{:?} is the name of another rule too", rule.name));
            }
            rule.check_parts(&mut wrong);
            if let Err(message) = self.check_provider(rule) {
                wrong("then.provider", message);
            }
        }
        problems
    }

    /// The provider of a rule must understand the requests.
    fn check_provider(&self, rule: &Rule) -> Result<(), String> {
        let Some(name) = &rule.then.provider else { return Ok(()) };
        let other = self.providers.get(name);
        let other = other.ok_or_else(|| unknown_value("provider", name, &self.names()))?;
        let own = self.asked_by(rule);
        match self.providers.get(own).map(|provider| &provider.dialect) {
            Some(dialect) if !speak_alike(dialect, &other.dialect) => {
                let of_other = &other.dialect;
                Err(format!(
                    "{name:?} (dialect {of_other:?}) cannot serve requests for {own:?} (dialect {dialect:?})"
                ))
            }
            _ => Ok(()),
        }
    }

    /// The provider whose requests a rule is for: the one that its path begins with, or the default one.
    fn asked_by<'a>(&'a self, rule: &'a Rule) -> &'a str {
        let path = rule.when.path.as_ref().and_then(|path| path.beginning().strip_prefix('/'));
        let named = path.and_then(|path| path.split_once('/')).map(|(name, _)| name);
        named
            .filter(|name| self.providers.contains_key(*name))
            .unwrap_or(&self.server.default_provider)
    }
}

impl Rule {
    fn check_name(&self) -> Result<(), String> {
        let in_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if self.name.is_empty() {
            return Err("is missing".to_owned());
        }
        if self.name.len() > LONGEST_NAME || !self.name.bytes().all(in_name) {
            let most = format!("{LONGEST_NAME} letters, digits, `-` and `_` at the most");
            return Err(format!("expected {most}, got {:?}", self.name));
        }
        Ok(())
    }

    fn check_parts(&self, wrong: &mut impl FnMut(&str, String)) {
        let then = &self.then;
        let sends = then.model.is_some() || then.provider.is_some();
        let actions = [then.answer.is_some(), sends, then.cache.is_some()];
        if actions.into_iter().filter(|is_there| *is_there).count() != 1 {
            let one = "needs exactly one of: answer; model, provider, or both; cache";
            wrong("then", one.to_owned());
        }
        if then.ttl.is_some() && then.cache.is_none() {
            wrong("then.ttl", "needs then.cache".to_owned());
        }
        if let Some(fewer) = self.when.fewer_words_than
            && fewer <= self.when.words_at_least.unwrap_or(0)
        {
            wrong("when.fewer_words_than", "must be more than words_at_least".to_owned());
        }
    }
}

//! A request as rules look at it: read as far as they want to know, and once.

use unicode_segmentation::UnicodeSegmentation;

use super::super::Ask;
use crate::config::Conditions;
use crate::dialect::ChatShape;
use crate::dialect::chat::Spoken;
use crate::request::ChatRequest;

/// A request under rules.
pub(super) struct Heard<'a> {
    pub(super) shape: &'static dyn ChatShape,
    ask: &'a Ask,
    request: Option<ChatRequest>,
    spoken: Option<Spoken<'a>>,
}

impl<'a> Heard<'a> {
    /// One of which nothing is read yet.
    pub(super) fn new(shape: &'static dyn ChatShape, ask: &'a Ask) -> Self {
        Self { shape, ask, request: None, spoken: None }
    }

    /// Whether its body is what a rule is for; nothing if it cannot be read exactly.
    pub(super) fn fits(&mut self, when: &Conditions) -> Option<bool> {
        let model = &self.request()?.model;
        if when.model.as_ref().is_some_and(|glob| !glob.fits(model)) {
            return Some(false);
        }
        if !asks_what_is_said(when) {
            return Some(true);
        }
        let spoken = self.spoken()?;
        Some(fits_system(when, &spoken.system) && fits_user(when, spoken.user.as_deref()))
    }

    /// What the request asks for.
    pub(super) fn request(&mut self) -> Option<&ChatRequest> {
        if self.request.is_none() {
            let read = self.shape.read(&self.ask.target.path_and_query, &self.ask.body);
            self.request = Some(read.ok()?);
        }
        self.request.as_ref()
    }

    fn spoken(&mut self) -> Option<&Spoken<'a>> {
        if self.spoken.is_none() {
            let read = self.shape.spoken(&self.ask.target.path_and_query, &self.ask.body);
            self.spoken = Some(read.ok()?);
        }
        self.spoken.as_ref()
    }
}

fn asks_what_is_said(when: &Conditions) -> bool {
    when.system_contains.is_some() || when.system_pattern.is_some() || asks_what_the_user_says(when)
}

fn asks_what_the_user_says(when: &Conditions) -> bool {
    when.fewer_words_than.is_some() || when.words_at_least.is_some() || when.lacks.is_some()
}

fn fits_system(when: &Conditions, system: &str) -> bool {
    when.system_contains.as_ref().is_none_or(|part| system.contains(part.as_str()))
        && when.system_pattern.as_ref().is_none_or(|pattern| pattern.is_in(system))
}

/// Of a message that is not all text nobody knows how many words it has, and which.
fn fits_user(when: &Conditions, user: Option<&str>) -> bool {
    let Some(user) = user else { return !asks_what_the_user_says(when) };
    // No more words are counted than it takes to know.
    let has = |count: u32| user.unicode_words().take(count as usize).count() == count as usize;
    when.fewer_words_than.is_none_or(|count| !has(count))
        && when.words_at_least.is_none_or(has)
        && when.lacks.as_ref().is_none_or(|keywords| !keywords.any_in(user))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    /// Whether a rule with these conditions is for what is said.
    fn fits(when: &str, system: &str, user: Option<&str>) -> bool {
        let file = format!("[[rules]]\nname = \"r\"\nthen.cache = \"off\"\n[rules.when]\n{when}\n");
        let config = Config::read("test", &file, &[]).unwrap();
        let when = &config.rules[0].when;
        fits_system(when, system) && fits_user(when, user)
    }

    #[test]
    fn words_are_counted_as_unicode_has_them() {
        let fewer = |user| fits("fewer_words_than = 3", "", Some(user));
        for few in ["", "one", "one two", " -- one,  two! ", "don't stop", "3.5 km"] {
            assert!(fewer(few), "{few}");
        }
        for many in ["one two three", "我喜欢猫", "a\nb\tc", "a-b-c"] {
            assert!(!fewer(many), "{many}");
        }
        let range = "fewer_words_than = 4\nwords_at_least = 2";
        let counts = ["a", "a b", "a b c", "a b c d"].map(|user| fits(range, "", Some(user)));
        assert_eq!(counts, [false, true, true, false]);
    }

    #[test]
    fn of_a_message_that_is_not_text_nothing_about_its_words_is_known() {
        for when in ["fewer_words_than = 9", "words_at_least = 1", "lacks = [\"a\"]"] {
            assert!(!fits(when, "", None), "{when}");
        }
        assert!(fits("system_contains = \"a\"", "a", None));
    }

    #[test]
    fn all_conditions_hold_together() {
        let when = "system_contains = \"Extract\"\nsystem_pattern = \"(?i)FACTS?\\\\b\"\nlacks = [\"I am\", \"my\"]";
        assert!(fits(when, "Extract the fact", Some("nothing of mine")));
        assert!(!fits(when, "extract the fact", Some("nothing of mine")));
        assert!(!fits(when, "Extract the factor", Some("nothing of mine")));
        assert!(!fits(when, "Extract the fact", Some("It is My dog")));
    }
}

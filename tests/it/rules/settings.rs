//! Rules that are not valid are errors that say where.

use crate::harness::{complaints, config_file, larder};

#[test]
fn everything_that_is_wrong_is_told_at_once_with_its_line() {
    let text = "\
[[rules]]
name = \"one\"
when.modle = \"m\"
when.system_pattern = \"(a\"
when.path = \"/v1/*/x\"
then.cache = \"some\"

[[rules]]
name = \"one\"
when.fewer_words_than = \"ten\"
when.header = \"a b\"
then.answer = \"a\"
then.model = \"b\"

[[rules]]
nam = \"three\"
then = \"x\"
";
    let said = complaints(text);
    let right = [
        ":3: rules[0].when.modle: unknown key; did you mean `model`?",
        ":5: rules[0].when.path: expected a `*` at the end or nowhere, got \"/v1/*/x\"",
        ":4: rules[0].when.system_pattern: is not a valid regular expression: unclosed group",
        ":6: rules[0].then.cache: expected one of [\"off\", \"deterministic\", \"all\"], got \"some\"",
        ":11: rules[1].when.header: expected `NAME` or `NAME: VALUE`",
        ":10: rules[1].when.fewer_words_than: expected a whole number, not negative, got \"ten\"",
        ":16: rules[2].nam: unknown key; did you mean `name`?",
        ":17: rules[2].then: is a section; write it as [rules.then], or as then.KEY",
        ":6: rules[0].then: needs exactly one of: answer; model, provider, or both; cache",
        ":9: rules[1].name: \"one\" is the name of another rule too",
        ":12: rules[1].then: needs exactly one of: answer; model, provider, or both; cache",
        ":15: rules[2].name: is missing",
        ":17: rules[2].then: needs exactly one of: answer; model, provider, or both; cache",
    ];
    for right in right {
        assert!(said.iter().any(|line| line.ends_with(right)), "{right}\nin {said:#?}");
    }
    assert_eq!(said.len(), right.len(), "{said:#?}");
}

#[test]
fn a_provider_that_is_unknown_or_speaks_otherwise_is_an_error() {
    for (parts, right) in [
        ("then.provider = \"grok\"", "unknown provider \"grok\"; did you mean \"groq\"?"),
        (
            "then.provider = \"anthropic\"",
            "\"anthropic\" (dialect \"anthropic\") cannot serve requests for \"openai\" (dialect \"openai\")",
        ),
        (
            "when.path = \"/anthropic/v1/*\"\nthen.provider = \"groq\"",
            "cannot serve requests for \"anthropic\" (dialect \"anthropic\")",
        ),
        ("when.path = \"/v1/*\"\nthen.provider = \"ollama\"", "(dialect \"openai\")"),
    ] {
        let said = complaints(&format!("[[rules]]\nname = \"r\"\n{parts}\n"));
        assert!(said.len() == 1 && said[0].ends_with(right), "{said:?}");
        assert!(
            said[0].contains(&format!(":{}: rules[0].then.provider: ", parts.lines().count() + 2)),
            "{said:?}"
        );
    }
}

#[test]
fn what_makes_no_sense_together_is_an_error() {
    for (text, right) in [
        (
            "[[rules]]\nname = \"r\"\nthen.model = \"m\"\nthen.ttl = \"1s\"",
            "rules[0].then.ttl: needs then.cache",
        ),
        (
            "[[rules]]\nname = \"r\"\nthen.answer = \"\"",
            "needs exactly one of: answer; model, provider, or both; cache",
        ),
        (
            "[[rules]]\nname = \"a b\"\nthen.cache = \"off\"",
            "64 letters, digits, `-` and `_` at the most, got \"a b\"",
        ),
        (
            "[[rules]]\nname = \"r\"\nthen.cache = \"off\"\nwhen.fewer_words_than = 3\nwhen.words_at_least = 3",
            "must be more than words_at_least",
        ),
        (
            "[[rules]]\nname = \"r\"\nthen.cache = \"off\"\nwhen.lacks = [\",\"]",
            "rules[0].when.lacks: an item is empty, has a comma, or a blank at an end",
        ),
        ("[rules]\nname = \"r\"", "rules: is a list; write each rule as [[rules]]"),
        ("rules = [\"r\"]", "rules[0]: is a rule; write it as [[rules]]"),
    ] {
        let said = complaints(&format!("{text}\n"));
        assert!(said.len() == 1 && said[0].ends_with(right), "{said:?}");
    }
}

#[test]
fn a_header_s_value_is_not_shown() {
    let text =
        "[[rules]]\nname = \"r\"\nwhen.header = \"authorization: canary\"\nthen.cache = \"off\"\n";
    let output = larder(&["check", "--config", config_file(text).name()]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && !said.contains("canary"), "{said}");
    assert!(said.contains("authorization: ***"), "{said}");
}

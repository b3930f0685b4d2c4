//! Routes that are not valid are errors that say where.

use crate::harness::complaints;

const STORE: &str = "[providers.s]\nbase_url = \"http://s\"\ndialect = \"generic\"\n";

#[test]
fn everything_that_is_wrong_is_told_at_once_with_its_line() {
    let text = "\
[[providers.s.routes]]
kind = \"raed\"
path = \"/a\"
[[providers.s.routes]]
path = \"a/{namespace}\"
tll = \"1s\"
[[providers.s.routes]]
kind = \"read\"
method = \"post\"
namespace = \"space\"
ttl = \"soon\"
[[providers.s.routes]]
kind = \"write\"
path = \"/b\"
";
    let said = complaints(&format!("{STORE}{text}"));
    let right = [
        ":5: providers.s.routes[0].kind: expected one of [\"read\", \"write\"], got \"raed\"",
        ":8: providers.s.routes[1].path: expected a path such as \"/collections/{namespace}/points/query\", with `*` as the last segment or nowhere, got \"a/{namespace}\"",
        ":9: providers.s.routes[1].tll: unknown key; did you mean `ttl`?",
        ":12: providers.s.routes[2].method: expected a method such as \"POST\", got \"post\"",
        ":13: providers.s.routes[2].namespace: expected a JSON Pointer such as \"/namespace\", got \"space\"",
        ":14: providers.s.routes[2].ttl: expected a time such as \"10ms\", \"30s\" or \"1h30m\", got \"soon\"",
    ];
    for right in right {
        assert!(said.iter().any(|line| line.ends_with(right)), "{right}\nin {said:#?}");
    }
    assert_eq!(said.len(), right.len(), "{said:#?}");
}

#[test]
fn what_makes_no_sense_together_is_an_error_of_its_route() {
    for (route, right) in [
        ("path = \"/a\"", "kind: is missing: one of `read` `write`"),
        ("kind = \"write\"", "path: is missing"),
        ("kind = \"read\"\npath = \"/a\"", "ttl: is missing"),
        ("kind = \"read\"\npath = \"/a\"\nttl = \"0\"", "ttl: must be more than 0"),
        ("kind = \"write\"\npath = \"/a\"\nttl = \"1s\"", "ttl: is for reads only"),
        (
            "kind = \"read\"\npath = \"/a\"\nttl = \"1s\"\nsettles = \"1s\"",
            "settles: is for writes only",
        ),
        (
            "kind = \"read\"\npath = \"/a\"\nttl = \"1s\"\nmethod = \"PUT\"",
            "method: a read needs GET or POST",
        ),
        (
            "kind = \"write\"\npath = \"/{namespace}\"\nnamespace = \"/b\"",
            "namespace: is in the path already; remove one",
        ),
        (
            "kind = \"read\"\npath = \"/a\"\nttl = \"1s\"\nmethod = \"GET\"\nnamespace = \"/b\"",
            "namespace: needs a body, which GET and HEAD do not have",
        ),
        (
            "kind = \"read\"\npath = \"/a\"\nttl = \"1s\"\nmethod = \"GET\"\nbody = \"/b\"\nmatches = \"x\"",
            "body: needs a body, which GET and HEAD do not have",
        ),
        (
            "kind = \"read\"\npath = \"/a\"\nttl = \"1s\"\nbody = \"/b\"",
            "body: needs matches, matches_not or both",
        ),
        (
            "kind = \"read\"\npath = \"/a\"\nttl = \"1s\"\nmatches = \"x\"",
            "body: is missing: matches and matches_not need it",
        ),
    ] {
        let said = complaints(&format!("{STORE}[[providers.s.routes]]\n{route}\n"));
        // The line of the key, or that of its section where it is missing.
        let key = right.split(':').next().unwrap();
        let at = route.lines().position(|line| line.split(' ').next() == Some(key));
        let line = at.map_or(4, |at| at + 5);
        let right = format!(":{line}: providers.s.routes[0].{right}");
        assert!(said.len() == 1 && said[0].ends_with(&right), "{right}\nin {said:#?}");
    }
    let twice = "[[providers.s.routes]]\nkind = \"write\"\npath = \"/a\"\n".repeat(2);
    let said = complaints(&format!("{STORE}{twice}"));
    let right = ":9: providers.s.routes[1].path: is the path of an earlier route, which always matches first";
    assert!(said.len() == 1 && said[0].ends_with(right), "{said:#?}");
}

#[test]
fn what_does_not_fit_the_provider_is_an_error() {
    let route = "[[providers.openai.routes]]\nkind = \"write\"\npath = \"/a\"\n";
    for (text, right) in [
        (route, "providers.openai.routes: need dialect = \"generic\""),
        (
            "[providers.s]\nroutes = \"a\"",
            "providers.s.routes: is a list; write each route as [[providers.s.routes]]",
        ),
        (
            "[providers.s]\nroutes = [\"a\"]",
            "providers.s.routes[0]: is a route; write it as [[providers.s.routes]]",
        ),
        (
            &format!(
                "{STORE}fallback = [\"t\"]\n[providers.t]\nbase_url = \"http://t\"\ndialect = \"generic\"\n"
            ),
            "providers.s.fallback: a store cannot have one: writes would be missing there",
        ),
        (
            &format!(
                "{STORE}[providers.t]\nbase_url = \"http://S:80/below\"\ndialect = \"generic\"\n"
            ),
            "providers.t.base_url: is the host of another store too; writes through one would not invalidate the other",
        ),
    ] {
        let said = complaints(&format!("{text}\n"));
        assert!(said.iter().any(|line| line.ends_with(right)), "{right}\nin {said:#?}");
    }
}

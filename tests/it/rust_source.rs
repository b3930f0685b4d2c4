//! Rust source as comments and string literals.

/// One comment line or one string literal.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) kind: Kind,
    pub(crate) line: usize,
    pub(crate) text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Comment,
    Literal,
}

/// The comments and literals of a source text, in their order.
pub(crate) fn pieces(source: &str) -> Vec<Piece> {
    let (mut found, mut at, mut line) = (Vec::new(), 0, 1);
    let mut before = ' ';
    while let Some(rest) = source.get(at..).filter(|rest| !rest.is_empty()) {
        let (length, piece) = step(rest, before);
        if let Some((kind, text)) = piece {
            found.push(Piece { kind, line, text: text.to_owned() });
        }
        let passed = &rest[..length];
        line += passed.matches('\n').count();
        before = passed.chars().next_back().unwrap_or(before);
        at += length;
    }
    found
}

/// The length of the next token, and its text if it is a comment or a literal.
fn step(rest: &str, before: char) -> (usize, Option<(Kind, &str)>) {
    if rest.starts_with("//") {
        let end = rest.find('\n').unwrap_or(rest.len());
        let text = rest[..end].trim_start_matches('/').trim_start_matches('!').trim();
        return (end, Some((Kind::Comment, text)));
    }
    if let Some(comment) = rest.strip_prefix("/*") {
        return (comment.find("*/").map_or(rest.len(), |end| end + 4), None);
    }
    if let Some(literal) = rest.strip_prefix('"') {
        let end = end_of_string(literal);
        return (end + 2, Some((Kind::Literal, &literal[..end])));
    }
    let is_own_word = before == 'b' || !(before.is_alphanumeric() || before == '_');
    if rest.starts_with('r') && is_own_word {
        let hashes = rest[1..].chars().take_while(|c| *c == '#').count();
        if let Some(literal) = rest[1 + hashes..].strip_prefix('"') {
            let close = format!("\"{}", "#".repeat(hashes));
            let end = literal.find(&close).unwrap_or(literal.len());
            return (1 + hashes + 1 + end + close.len(), Some((Kind::Literal, &literal[..end])));
        }
    }
    (length_of_character(rest), None)
}

fn end_of_string(literal: &str) -> usize {
    let mut escaped = false;
    let end = literal.char_indices().find(|(_, c)| {
        let ends = *c == '"' && !escaped;
        escaped = *c == '\\' && !escaped;
        ends
    });
    end.map_or(literal.len() - 1, |(at, _)| at)
}

/// A character literal as a whole, since it may be a quotation mark; anything else by itself.
fn length_of_character(rest: &str) -> usize {
    let mut characters = rest.chars();
    let first = characters.next().map_or(0, char::len_utf8);
    match (rest.starts_with('\''), characters.next(), characters.next()) {
        (true, Some('\\'), _) => rest[3..].find('\'').map_or(first, |end| end + 4),
        (true, Some(one), Some('\'')) => 2 + one.len_utf8(),
        _ => first,
    }
}

/// A source text up to its module of tests, which is its last item.
pub(crate) fn without_tests(source: &str) -> &str {
    let marks = source.match_indices("#[cfg(test)]\nmod ").map(|(at, _)| at);
    let mut inline =
        marks.filter(|at| source[*at..].lines().nth(1).is_some_and(|module| module.ends_with('{')));
    inline.next().map_or(source, |at| &source[..at])
}

/// The files of the modules that a source file declares for tests alone.
pub(crate) fn test_modules(file: &str, source: &str) -> Vec<String> {
    let folder = match file.strip_suffix("/mod.rs").or(file.strip_suffix("/lib.rs")) {
        Some(folder) => folder,
        None => file.strip_suffix(".rs").unwrap(),
    };
    let declared = source.split("#[cfg(test)]\nmod ").skip(1);
    let names = declared.filter_map(|rest| rest.lines().next()?.strip_suffix(';'));
    names.map(|name| format!("{folder}/{name}.rs")).collect()
}

#[test]
fn comments_and_literals_are_found_with_their_lines() {
    let source = "//! One.\nfn f<'a>(c: char) {\n    let x = '\"'; // two \"2\"\n    g(\"a // \\\" b\", r#\"c \" d\"#, b\"e\", '\\'');\n}\n";
    let found = pieces(source);
    let found: Vec<_> = found.iter().map(|piece| (piece.line, piece.text.as_str())).collect();
    assert_eq!(found, [(1, "One."), (3, "two \"2\""), (4, "a // \\\" b"), (4, "c \" d"), (4, "e")]);
    assert_eq!(without_tests("a\n#[cfg(test)]\nmod tests {\n}\n"), "a\n");
    assert_eq!(without_tests("a\n#[cfg(test)]\nmod tests;\n"), "a\n#[cfg(test)]\nmod tests;\n");
    assert_eq!(test_modules("src/a/mod.rs", "#[cfg(test)]\nmod b;\n"), ["src/a/b.rs"]);
    assert_eq!(test_modules("src/a.rs", "#[cfg(test)]\nmod b;\n"), ["src/a/b.rs"]);
    assert_eq!(test_modules("src/lib.rs", "#[cfg(test)]\nmod b;\n"), ["src/b.rs"]);
}

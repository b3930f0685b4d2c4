use super::*;

fn model(upstream: &str, model: &str) -> Reach {
    Reach::Model(upstream.to_owned(), model.to_owned())
}

#[test]
fn a_purge_reaches_what_it_is_for_and_nothing_else() {
    let purges = Purges::new();
    let mark = |upstream: &str, model: &str| purges.scope(upstream, model).mark();
    let marks = || [mark("a", "one"), mark("a", "two"), mark("b", "one")];
    let holding = |marks: [Mark; 3]| marks.map(|mark| mark.holds());
    let before = marks();
    assert_eq!(holding(before), [true, true, true]);
    purges.purge(&model("a", "one"));
    assert_eq!(holding(before), [false, true, true]);
    purges.purge(&Reach::Upstream("a".to_owned()));
    assert_eq!(holding(before), [false, false, true]);
    let between = marks();
    purges.purge(&Reach::Everything);
    assert_eq!(holding(between), [false, false, false]);
    let after = marks();
    purges.purge(&model("a", "one"));
    assert_eq!(holding(after), [false, true, true]);
}

#[test]
fn merging_is_the_same_in_any_order() {
    let (one, other) = (Purges::new(), Purges::new());
    one.purge(&Reach::Everything);
    other.purge(&model("a", "m"));
    let (of_one, of_other) = (one.generations(), other.generations());
    let mark = one.scope("a", "m").mark();
    assert!(one.merge(&of_other) && other.merge(&of_one));
    assert!(!mark.holds());
    assert_eq!(one.generations(), other.generations());
    assert!(!one.merge(&of_other));
    assert_eq!(one.scope("a", "m").mark().generation, other.scope("a", "m").mark().generation);
}

#[test]
fn what_is_no_name_has_no_scope_of_its_own() {
    let purges = Purges::new();
    let long = "m".repeat(LONGEST_NAME);
    assert!(!std::ptr::eq(purges.scope("a", &long), purges.scope("a", OTHERS)));
    for model in [format!("{long}m"), format!("{long}n")] {
        assert!(std::ptr::eq(purges.scope("a", &model), purges.scope("a", OTHERS)));
    }
}

#[test]
fn models_beyond_the_bound_share_a_scope_that_every_purge_of_one_reaches() {
    let purges = Purges::new();
    for number in 0..MOST_SCOPES {
        purges.scope("a", &number.to_string());
    }
    let (one, other) = (purges.scope("a", "beyond"), purges.scope("a", "further"));
    assert!(std::ptr::eq(one, other));
    let mark = one.mark();
    purges.purge(&model("a", "further"));
    assert!(!mark.holds());
    assert!(purges.scope("a", "7").mark().holds());
}

fn matching(upstream: Option<&str>, glob: &str) -> Reach {
    Reach::Matching { upstream: upstream.map(str::to_owned), model: None, glob: glob.to_owned() }
}

#[test]
fn a_purge_by_a_glob_reaches_the_models_that_match_here_and_elsewhere() {
    let (here, elsewhere) = (Purges::new(), Purges::new());
    let mark = |upstream: &str, model: &str| elsewhere.scope(upstream, model).mark();
    let marks = || [mark("a", "x/one"), mark("a", "two"), mark("b", "x/one"), mark("b", OTHERS)];
    let before = marks();
    here.purge(&matching(Some("a"), "x/*"));
    assert!(elsewhere.merge(&here.generations()) && !elsewhere.merge(&here.generations()));
    assert_eq!(before.map(|mark| mark.holds()), [false, true, true, true]);
    let before = marks();
    here.purge(&matching(None, "b/*/embed"));
    elsewhere.merge(&here.generations());
    assert_eq!(before.map(|mark| mark.holds()), [true, true, false, false]);
    // A model that is named only now is as old as the purge.
    let late = elsewhere.scope("b", "new").mark().generation;
    assert!(late > 0 && late > elsewhere.scope("a", "x/one").mark().generation);
}

#[test]
fn globs_beyond_the_bound_purge_everything_and_what_is_no_glob_purges_nothing() {
    let purges = Purges::new();
    let mark = purges.scope("a", "m").mark();
    let names = ["~", "~match=%5B", "~match=a&later=1", "~%ff"];
    let strange = names.map(|name| (name.to_owned(), 9_u64)).into_iter().collect();
    purges.merge(&strange);
    assert!(mark.holds());
    (0..MOST_PATTERNS).for_each(|number| purges.purge(&matching(None, &format!("none-{number}"))));
    assert!(mark.holds());
    purges.purge(&matching(None, "one-too-many"));
    assert!(!mark.holds());
    let known = purges.generations().len();
    let elsewhere = Purges::new();
    elsewhere.merge(&purges.generations());
    assert!(!elsewhere.merge(&purges.generations()));
    assert_eq!(elsewhere.generations().len(), known);
}

//! Paths of routes, with places that any segment fits.

use super::super::units::Setting;

/// The name of the segment that is the namespace.
const NAMESPACE: &str = "namespace";

/// A path, segment by segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoutePath {
    segments: Vec<Segment>,
    /// Whether it is also every path below.
    open: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Text(String),
    Namespace,
    Any,
}

/// What a path that fits says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fit<'p> {
    /// The segment that is the namespace, where there is one.
    pub namespace: Option<&'p str>,
}

impl RoutePath {
    /// What a path without its query says, if it fits.
    pub fn fit<'p>(&self, path: &'p str) -> Option<Fit<'p>> {
        let mut rest = path.strip_prefix('/')?.split('/');
        let mut namespace = None;
        for segment in &self.segments {
            let text = rest.next().filter(|text| !text.is_empty())?;
            match segment {
                Segment::Text(known) if known != text => return None,
                Segment::Text(_) | Segment::Any => {}
                Segment::Namespace => namespace = Some(text),
            }
        }
        (rest.next().is_some() == self.open).then_some(Fit { namespace })
    }

    /// Whether a segment of it is the namespace.
    pub fn has_namespace(&self) -> bool {
        self.segments.contains(&Segment::Namespace)
    }
}

impl Setting for RoutePath {
    const KIND: &'static str = "path";

    fn parse(text: &str) -> Result<Self, String> {
        let (closed, open) = text.strip_suffix("/*").map_or((text, false), |rest| (rest, true));
        let expected = || {
            let form = "a path such as \"/collections/{namespace}/points/query\"";
            format!("expected {form}, with `*` as the last segment or nowhere, got {text:?}")
        };
        let path = closed.strip_prefix('/').ok_or_else(expected)?;
        let segments = path.split('/').map(|segment| Segment::read(segment).ok_or_else(expected));
        let segments: Vec<Segment> = segments.collect::<Result<_, _>>()?;
        if segments.iter().filter(|segment| **segment == Segment::Namespace).count() > 1 {
            return Err(format!("has {{{NAMESPACE}}} twice: {text:?}"));
        }
        Ok(Self { segments, open })
    }
}

impl Segment {
    fn read(text: &str) -> Option<Self> {
        let name = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        let is_plain = |text: &str| {
            !text.is_empty() && !text.contains(|c: char| "{}*?#".contains(c) || c.is_whitespace())
        };
        match name {
            Some(NAMESPACE) => Some(Self::Namespace),
            Some(name) => is_plain(name).then_some(Self::Any),
            None => is_plain(text).then(|| Self::Text(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The namespace of a path that fits.
    fn fit(pattern: &str, path: &'static str) -> Result<&'static str, ()> {
        let fit = RoutePath::parse(pattern).unwrap().fit(path).ok_or(())?;
        Ok(fit.namespace.unwrap_or("of none"))
    }

    #[test]
    fn segments_fit_one_by_one_and_to_the_end() {
        let query = "/collections/{namespace}/points/query";
        assert_eq!(fit(query, "/collections/docs/points/query"), Ok("docs"));
        for other in [
            "/collections/docs/points",
            "/collections/docs/points/query/batch",
            "/collections/docs/points/query/",
            "/collections//points/query",
            "//collections/docs/points/query",
            "/Collections/docs/points/query",
            "collections/docs/points/query",
        ] {
            assert_eq!(fit(query, other), Err(()), "{other}");
        }
        assert_eq!(fit("/points/{id}", "/points/7"), Ok("of none"));
        assert_eq!(fit("/query", "/query"), Ok("of none"));
    }

    #[test]
    fn an_open_path_is_whatever_is_below_it() {
        let below = "/collections/{namespace}/*";
        assert_eq!(fit(below, "/collections/docs/points"), Ok("docs"));
        assert_eq!(fit(below, "/collections/docs/points/payload/delete"), Ok("docs"));
        assert_eq!(fit(below, "/collections/docs"), Err(()));
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for wrong in [
            "",
            "/",
            "query",
            "/a//b",
            "/a/",
            "/a/*/b",
            "/a?b",
            "/a{b}",
            "/{}",
            "/{namespace}/{namespace}",
            "/*",
        ] {
            assert!(RoutePath::parse(wrong).is_err(), "{wrong}");
        }
    }
}

//! First segments of paths that are meant as the name of a provider, although none is configured under it.
//!
//! A request for such a path must not reach the default provider: it carries a credential of another one.
//! The default provider may have any path, so only segments near a provider's name count, and no segment of
//! a known API does.

use super::built_in::{BUILT_IN, DIALECTS};
use super::known_names::{ALIASES, API_PATHS, PREFIXES, SUFFIXES, TOP_LEVEL_DOMAINS, UNCONFIGURED};

/// The dialect of stores, which is no provider's name.
const NO_PROVIDER: &str = "generic";

/// A longer segment is no misspelt name; the distance to it need not be computed.
const LONGEST: usize = 32;

/// A longer segment is no host name.
const LONGEST_HOST: usize = 253;

/// Whether a path segment is the first of a known API: a version, or one of the paths of known APIs.
pub fn is_api_path(segment: &str) -> bool {
    let version = segment.strip_prefix('v').and_then(|rest| rest.bytes().next());
    version.is_some_and(|digit| digit.is_ascii_digit()) || API_PATHS.contains(&segment)
}

/// The part of a decoded path where a provider's name may be: its first segment, without path parameters
/// and port, and after the scheme of a URL.
pub fn leading_name(path: &str) -> Option<&str> {
    let mut parts = path.split(['/', '\\', ';', ':', '?', '#']);
    parts.find(|part| {
        let is_scheme = ["http", "https"].iter().any(|scheme| part.eq_ignore_ascii_case(scheme));
        !part.is_empty() && !is_scheme
    })
}

/// The provider whose name a path segment is meant as, if it is meant as one: another spelling, another
/// name, a host name, or a few wrong letters.
pub fn meant_provider<'n>(segment: &str, configured: &[&'n str]) -> Option<&'n str> {
    let segment = segment.to_lowercase();
    if segment.len() > LONGEST_HOST || is_api_path(&segment) {
        return None;
    }
    let plain = plain(&segment);
    if plain.is_empty() {
        return None;
    }
    exact(&plain, configured)
        .or_else(|| exact(without_affixes(&plain), configured))
        .or_else(|| near(&plain, configured))
        .or_else(|| of_host(&segment, configured))
}

/// The names of providers: those that are configured, and those that larder knows.
fn names<'n>(configured: &[&'n str]) -> impl Iterator<Item = &'n str> {
    let known = BUILT_IN.iter().map(|built_in| built_in.name).chain(DIALECTS.iter().copied());
    let known = known.chain(UNCONFIGURED.iter().copied()).filter(|name| *name != NO_PROVIDER);
    configured.iter().copied().chain(known)
}

/// The provider with a plain name, or with this other name.
fn exact<'n>(plain: &str, configured: &[&'n str]) -> Option<&'n str> {
    let name = names(configured).find(|name| self::plain(name) == plain);
    name.or_else(|| ALIASES.iter().find(|(alias, _)| *alias == plain).map(|(_, name)| *name))
}

/// The provider whose name, or other name, has a few other letters.
fn near<'n>(plain: &str, configured: &[&'n str]) -> Option<&'n str> {
    let near = names(configured).filter_map(|name| {
        let wrong = wrong_letters(plain, &self::plain(name), most_wrong(name))?;
        Some((wrong, name))
    });
    let alias = || {
        let mut aliases = ALIASES.iter();
        // An alias may be near an ordinary word: one wrong letter at most.
        aliases.find(|(alias, _)| wrong_letters(plain, alias, most_wrong(alias).min(1)).is_some())
    };
    let near = near.min().map(|(_, name)| name);
    near.or_else(|| alias().map(|(_, name)| *name))
}

/// The provider whose host name a segment is. The labels on the right count first: `openai.azure.com` is
/// of Azure.
fn of_host<'n>(segment: &str, configured: &[&'n str]) -> Option<&'n str> {
    let (host, top) = segment.trim_end_matches('.').rsplit_once('.')?;
    if !TOP_LEVEL_DOMAINS.contains(&top) {
        return None;
    }
    let domain = host.rsplit('.').next().unwrap_or_default();
    exact(&plain(&format!("{domain}{top}")), configured).or_else(|| {
        host.rsplit('.').find_map(|label| {
            let label_or_part = std::iter::once(label).chain(label.split('-'));
            label_or_part.map(plain).find_map(|plain| exact(&plain, configured))
        })
    })
}

/// The number of wrong letters, if it is at most `most`.
fn wrong_letters(plain: &str, right: &str, most: usize) -> Option<usize> {
    // The distance costs more than the looks before it.
    let is_near = plain.len() <= LONGEST && plain.len().abs_diff(right.len()) <= most;
    if most == 0 || !is_near || !begins_alike(plain, right) {
        return None;
    }
    Some(strsim::damerau_levenshtein(plain, right)).filter(|wrong| *wrong <= most)
}

/// A plain name without the words that are often around a provider's name.
fn without_affixes(plain: &str) -> &str {
    let after = PREFIXES.iter().find_map(|prefix| plain.strip_prefix(prefix)).unwrap_or(plain);
    SUFFIXES.iter().find_map(|suffix| after.strip_suffix(suffix)).unwrap_or(after)
}

/// A name as it is compared: its letters and digits, without case.
fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The number of wrong letters that may be a slip: none in a short name, one in a longer one, two in a
/// long one.
fn most_wrong(name: &str) -> usize {
    match name.len() {
        0..=3 => 0,
        4..=5 => 1,
        _ => 2,
    }
}

/// Whether the first letters are the same, or changed places with the second ones.
fn begins_alike(written: &str, right: &str) -> bool {
    let (mut written, mut right) = (written.chars(), right.chars());
    let (first, second) = (written.next(), written.next());
    let (right_first, right_second) = (right.next(), right.next());
    first == right_first || first == right_second && second == right_first
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_name_is_recognised_and_a_path_is_not() {
        let configured = ["openai", "anthropic", "internal-eu", "m2"];
        for (segment, name) in [
            ("antropic", "anthropic"),
            ("Anthropic", "anthropic"),
            ("nathropic", "anthropic"),
            ("opnai", "openai"),
            ("open-ai", "openai"),
            ("voyageai", "voyage"),
            ("voyage-ai", "voyage"),
            ("azure", "azure"),
            ("azure_openai", "azure"),
            ("vertex", "vertex"),
            ("bedrok", "bedrock"),
            ("google", "gemini"),
            ("gorq", "groq"),
            ("internal_eu", "internal-eu"),
            ("interal-eu", "internal-eu"),
            ("internal-eu-api", "internal-eu"),
            ("NVIDIA", "nim"),
            ("googl", "gemini"),
            ("@anthropic-ai", "anthropic"),
            ("api.x.ai", "xai"),
            ("openai.azure.com", "azure"),
            ("us-central1-aiplatform.googleapis.com", "vertex"),
            ("generativelanguage.googleapis.com", "gemini"),
            ("bedrock-runtime.us-east-1.amazonaws.com", "bedrock"),
        ] {
            assert_eq!(meant_provider(segment, &configured), Some(name), "{segment}");
        }
        for path in API_PATHS.iter().copied().chain([
            "v1",
            "v1beta",
            "V1",
            "Chat",
            "",
            "llm",
            "llama",
            "m1",
            "internal.example.com",
            "+",
        ]) {
            assert_eq!(meant_provider(path, &configured), None, "{path}");
        }
        assert_eq!(meant_provider(&"anthropic".repeat(9), &configured), None);
    }

    #[test]
    fn the_leading_name_has_no_parameter_port_or_scheme() {
        for path in
            ["/mine", "//mine/v1", "/mine;x=y/v1", "/mine:443", "/https://mine/v1", "HTTP:mine"]
        {
            assert_eq!(leading_name(path), Some("mine"), "{path}");
        }
        assert_eq!(leading_name("/"), None);
    }
}

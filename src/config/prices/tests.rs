//! Prices are found by the names that applications and providers use, and never guessed.

use super::table::Table;
use super::*;

const FILE: &str = r#"
as_of = "2026-11-26"
source = "test"

[openai]
"gpt-4o" = { input = 2.5, cache_read = 1.25, output = 10, priority = { input = 4.25, output = 17 } }
"gpt-4o-2024-05-13" = { input = 5, output = 15 }
"ft:gpt-4o-2024-08-06" = { input = 3.75, output = 15 }
"gpt-5.6-terra" = { input = 2, output = 12, steps = [{ above = 272000, input = 4, output = 18 }] }

[anthropic]
"claude-sonnet-4-20250514" = { input = 3, cache_write_1h = 6, output = 15, fast = 6, us = 1.1 }
"claude-opus-4-20250514" = { input = 15, output = 75 }
"claude-opus-4-20260101" = { input = 5, output = 25 }

[cohere]
"rerank-v3.5" = { search = 2 }

[together]
"openai/gpt-oss-20b" = { input = 0.05, output = 0.2 }
"#;

fn seller(name: &'static str, is_certain: bool) -> Seller {
    Seller { name, is_certain }
}

fn input(seller: Seller, model: &str) -> Option<f64> {
    let prices = Prices {
        file: PriceFile::of_table(Table::read(FILE).unwrap()),
        own: PriceList::parse("mine*=7, gpt-4o-mine=8/9").unwrap(),
    };
    prices.of(seller, model)?.tiers.standard.0[0]
}

#[test]
fn names_with_dates_paths_and_prefixes_find_their_model() {
    let openai = seller("openai", true);
    for (model, price) in [
        ("gpt-4o", Some(2.5)),
        ("GPT-4o", Some(2.5)),
        ("gpt-4o-2024-08-06", Some(2.5)),
        ("gpt-4o-2024-05-13", Some(5.0)),
        ("openai/gpt-4o", Some(2.5)),
        ("ft:gpt-4o-2024-08-06:acme::abc", Some(3.75)),
        ("gpt-4o-2024-08-06.ft-0123", Some(3.75)),
        ("mine-1", Some(7.0)),
        ("gpt-4o-mine", Some(8.0)),
        // Another model, or another seller's.
        ("gpt-4o-mini", None),
        ("gpt-4o-mini-2024-07-18", None),
        ("ft:gpt-5.6-terra:acme::abc", None),
        ("anthropic/claude-sonnet-4-20250514", None),
        ("claude-sonnet-4-20250514", None),
        ("", None),
        ("/", None),
    ] {
        assert_eq!(input(openai, model), price, "{model}");
    }
    let anthropic = seller("anthropic", true);
    assert_eq!(input(anthropic, "claude-sonnet-4"), Some(3.0));
    assert_eq!(input(anthropic, "claude-sonnet-4@20250514"), Some(3.0));
    assert_eq!(input(anthropic, "claude-opus-4"), Some(5.0), "the newest version");
    assert_eq!(input(seller("together", true), "openai/gpt-oss-20b"), Some(0.05));
    assert_eq!(input(seller("together", true), "openai/gpt-4o"), None);
}

#[test]
fn a_gateway_sells_what_the_prefix_of_a_model_says() {
    let gateway = seller("openai", false);
    assert_eq!(input(gateway, "anthropic/claude-sonnet-4-20250514"), Some(3.0));
    assert_eq!(input(gateway, "gpt-4o"), Some(2.5));
    assert_eq!(input(seller("", false), "openai/gpt-4o"), Some(2.5));
    assert_eq!(input(seller("", false), "gpt-4o"), None);
    assert_eq!(input(gateway, "unknown/gpt-4o"), None);
}

#[test]
fn the_seller_is_the_host_of_the_base_url_before_the_name() {
    for (provider, dialect, url, expected) in [
        ("openai", "openai", "https://api.openai.com/v1", seller("openai", true)),
        ("chat", "openai", "https://acme.openai.azure.com", seller("azure", true)),
        ("eu", "openai", "https://eu.api.openai.com/v1", seller("openai", true)),
        ("fast", "openai", "https://api.groq.com/openai/v1", seller("groq", true)),
        ("openai", "openai", "http://127.0.0.1:9", seller("openai", false)),
        ("mine", "anthropic", "http://gateway", seller("anthropic", false)),
        ("vllm", "vllm", "http://127.0.0.1:8000/v1", seller("", false)),
        ("evil", "vllm", "https://notopenai.com", seller("", false)),
    ] {
        assert_eq!(Seller::of(provider, dialect, url), expected, "{url}");
    }
}

#[test]
fn a_file_that_is_wrong_names_the_place_and_the_member() {
    for (file, message) in [
        ("[openai]\na = { inptu = 1 }", "[openai] \"a\": inptu: unknown member; known are input,"),
        ("[openai]\na = { input = -1 }", "[openai] \"a\": input: expected US dollars"),
        ("[openai]\na = { input = \"1\" }", "expected US dollars"),
        ("[openai]\na = 1", "[openai] \"a\": expected { input"),
        ("[openai]\na = { input = 1, flex = { above = 1 } }", "flex: above: unknown member"),
        ("[openai]\na = { steps = [{ input = 1 }] }", "steps: expected a list of tables"),
        ("[openai]\na = { steps = [{ above = 1, x = 1 }] }", "steps: x: unknown member"),
        ("as_of = 5", "as_of: expected [SELLER]"),
        ("[openai]\n\na = {", "line 3: "),
    ] {
        let error = Table::read(file).unwrap_err();
        assert!(error.contains(message), "{file}: {error}");
    }
}

#[test]
fn the_prices_that_are_built_in_are_plausible_and_each_seller_is_known() {
    let table = Table::read(include_str!("../../../config/prices.toml")).unwrap();
    for (seller, model) in table.models() {
        assert!(Seller::named(seller).is_some_and(|known| known == seller), "{seller}");
        let price = table.price(seller, model);
        let rates = [&price.tiers].into_iter().chain(price.steps.iter().map(|(_, tiers)| tiers));
        for rate in rates.flat_map(|tiers| tiers.standard.0).flatten() {
            assert!(rate <= 1_000.0, "{seller} {model} {rate}");
        }
        let is_priced = price.search.is_some() || price.tiers.standard.0[0].is_some();
        assert!(is_priced, "{seller} {model}");
    }
}

/// Model names that documents use as examples of names, or that are run by their users.
const NO_MODELS: &[&str] = &[];

#[test]
fn every_model_that_the_documents_name_has_a_price() {
    const BEGINNINGS: [&str; 16] = [
        "gpt-",
        "o3",
        "o4-",
        "claude-",
        "gemini-",
        "text-embedding-",
        "embed-v",
        "embed-english-",
        "embed-multilingual-",
        "voyage-",
        "command-",
        "mistral-",
        "codestral-",
        "deepseek-",
        "rerank-",
        "chatgpt-",
    ];
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let pages = std::fs::read_dir(root.join("docs")).unwrap().map(|page| page.unwrap().path());
    let table = Table::read(include_str!("../../../config/prices.toml")).unwrap();
    let prices = PriceFile::of_table(table);
    let sellers = ["openai", "anthropic", "gemini", "cohere", "voyage", "mistral", "deepseek"];
    let mut unpriced = std::collections::BTreeSet::new();
    for page in pages.chain([root.join("README.md"), root.join("config/larder.toml")]) {
        let Ok(text) = std::fs::read_to_string(&page) else { continue };
        let is_of_name = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        for word in text.split(|c| !is_of_name(c)).map(|word| word.trim_matches(['-', '.', '_'])) {
            let is_model = BEGINNINGS.iter().any(|start| {
                word.starts_with(start) && word.bytes().any(|byte| byte.is_ascii_digit())
            });
            let is_priced =
                || sellers.iter().any(|name| prices.of(seller(name, true), word).is_some());
            if is_model && !NO_MODELS.contains(&word) && !is_priced() {
                unpriced.insert(format!("{}: {word}", page.display()));
            }
        }
    }
    assert!(unpriced.is_empty(), "{unpriced:#?}");
}

#[test]
fn own_prices_that_are_wrong_are_refused() {
    for wrong in ["a", "a=x", "a=1/x", "a=-1", "a=NaN", "a=inf/1"] {
        assert!(PriceList::parse(wrong).is_err(), "{wrong}");
    }
}

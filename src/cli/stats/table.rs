//! What `/api/stats` says, for people.

use serde::Deserialize;

use super::super::columns::aligned;

#[derive(Debug, Deserialize)]
struct Stats {
    prices: Prices,
    totals: Account,
    accounts: Vec<Account>,
}

#[derive(Debug, Deserialize)]
struct Prices {
    date: String,
}

#[derive(Debug, Deserialize)]
struct Account {
    #[serde(default)]
    provider: String,
    #[serde(default)]
    model: String,
    #[serde(default)]
    operation: String,
    requests: u64,
    inputs: Inputs,
    calls: Calls,
    tokens: Tokens,
    dollars: Option<Dollars>,
    seconds: Seconds,
}

#[derive(Debug, Deserialize)]
struct Inputs {
    hit: u64,
    collapsed: u64,
    miss: u64,
}

#[derive(Debug, Deserialize)]
struct Calls {
    made: u64,
    saved: Saved,
}

#[derive(Debug, Deserialize)]
struct Saved {
    hit: u64,
    collapsed: u64,
    batched: u64,
}

#[derive(Debug, Deserialize)]
struct Tokens {
    billed: Billed,
    avoided: Avoided<u64>,
}

#[derive(Debug, Deserialize)]
struct Billed {
    input: u64,
    output: u64,
}

#[derive(Debug, Deserialize)]
struct Avoided<T> {
    hit: T,
    collapsed: T,
}

#[derive(Debug, Deserialize)]
struct Dollars {
    billed: f64,
    avoided: f64,
}

#[derive(Debug, Deserialize)]
struct Seconds {
    avoided: Avoided<f64>,
}

/// A few lines in all, and a row for each model.
pub(super) fn of(body: &[u8]) -> serde_json::Result<String> {
    let Stats { prices, totals, accounts } = serde_json::from_slice(body)?;
    let sums = sums(&totals, &prices.date);
    if accounts.is_empty() {
        return Ok(sums);
    }
    let names = [
        "provider", "model", "for", "requests", "hit", "calls", "tokens", "spared", "dollars",
        "spared",
    ];
    let mut rows = vec![names.map(str::to_owned).to_vec()];
    rows.extend(accounts.iter().map(Account::row));
    Ok(format!("{sums}\n\n{}", aligned(&rows, 3)))
}

/// All in one line.
pub(super) fn line(body: &[u8]) -> serde_json::Result<String> {
    let Stats { totals, .. } = serde_json::from_slice(body)?;
    let Inputs { hit, collapsed, miss } = totals.inputs;
    let Calls { made, saved } = &totals.calls;
    let (all, spared) = (hit + collapsed + miss, saved.hit + saved.collapsed + saved.batched);
    if totals.requests == 0 {
        return Ok("no request came through".to_owned());
    }
    let (_, tokens) = totals.tokens();
    let money = totals.dollars.as_ref().map(|dollars| format!(", ${:.4}", dollars.avoided));
    Ok(format!(
        "{} requests, {hit} of {all} inputs hit ({}), {spared} of {} calls, {tokens} tokens{} spared \
         (estimated)",
        totals.requests,
        share(hit, all),
        made + spared,
        money.unwrap_or_default(),
    ))
}

fn sums(totals: &Account, priced: &str) -> String {
    let Inputs { hit, collapsed, miss } = totals.inputs;
    let Calls { made, saved } = &totals.calls;
    let (all, spared) = (hit + collapsed + miss, saved.hit + saved.collapsed + saved.batched);
    let (billed, avoided) = totals.tokens();
    let (paid, kept) = totals.dollars();
    let waiting = totals.seconds.avoided.hit + totals.seconds.avoided.collapsed;
    format!(
        "hit rate  {} ({hit} of {all} inputs; {collapsed} joined others, {miss} asked for)\n\
         calls     {made} made, {spared} spared: {} by the cache, {} by joining others, {} by \
         batching\n\
         tokens    {billed} billed, {avoided} spared\n\
         money     {paid} billed, {kept} spared (estimated; list prices of {})\n\
         time      {waiting:.1} s of waiting spared (estimated)",
        share(hit, all),
        saved.hit,
        saved.collapsed,
        saved.batched,
        plain(priced),
    )
}

impl Account {
    fn row(&self) -> Vec<String> {
        let Inputs { hit, collapsed, miss } = self.inputs;
        let (billed, avoided) = self.tokens();
        let (paid, kept) = self.dollars();
        vec![
            plain(&self.provider),
            plain(&self.model),
            plain(&self.operation),
            self.requests.to_string(),
            share(hit, hit + collapsed + miss),
            self.calls.made.to_string(),
            billed.to_string(),
            avoided.to_string(),
            paid,
            kept,
        ]
    }

    /// Those that were billed, and those that were not.
    fn tokens(&self) -> (u64, u64) {
        let Tokens { billed, avoided } = &self.tokens;
        (billed.input + billed.output, avoided.hit + avoided.collapsed)
    }

    fn dollars(&self) -> (String, String) {
        self.dollars.as_ref().map_or_else(
            || ("-".to_owned(), "-".to_owned()),
            |Dollars { billed, avoided }| (format!("${billed:.4}"), format!("${avoided:.4}")),
        )
    }
}

/// A model's name is a caller's word, and a terminal obeys some.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

#[expect(clippy::cast_precision_loss, reason = "a percentage for people")]
fn share(part: u64, whole: u64) -> String {
    if whole == 0 { "-".to_owned() } else { format!("{:.1} %", part as f64 * 100.0 / whole as f64) }
}

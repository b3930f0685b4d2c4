//! The ledger of `/api/stats` as text.

use super::super::columns::{aligned, counted, percent, printable};
use super::super::failures;
use super::figures::{Account, Calls, Dollars, Inputs, PromptCache, Stats, Tokens, Unpriced};

/// The sums, and a row for each model.
pub(super) fn of(body: &[u8]) -> serde_json::Result<String> {
    let stats: Stats = serde_json::from_slice(body)?;
    let sums = sums(&stats);
    if stats.accounts.is_empty() {
        return Ok(sums);
    }
    let names = [
        "provider",
        "model",
        "operation",
        "requests",
        "hit rate",
        "calls",
        "tokens billed",
        "tokens saved",
        "cost",
        "cost saved",
    ];
    let mut rows = vec![names.map(str::to_owned).to_vec()];
    rows.extend(stats.accounts.iter().map(Account::row));
    Ok(format!("{sums}\n\n{}", aligned(&rows, 3)))
}

/// The sums in one line.
pub(super) fn line(body: &[u8]) -> serde_json::Result<String> {
    let stats: Stats = serde_json::from_slice(body)?;
    let failed = failures::sentence(&stats.failed, stats.responses);
    let served = served(&stats).unwrap_or_else(|| {
        let others = stats.responses.saturating_sub(stats.failed.iter().map(|one| one.count).sum());
        match others {
            0 => String::new(),
            others if stats.mode == "replay" => {
                format!("{} served from recordings", counted(others, "request"))
            }
            others => format!("{} relayed without the cache", counted(others, "request")),
        }
    });
    let parts: Vec<String> =
        [served].into_iter().chain(failed).filter(|part| !part.is_empty()).collect();
    Ok(if parts.is_empty() { "no request came through".to_owned() } else { parts.join("; ") })
}

/// The saved part of the ledger in one clause; none if the ledger has no request.
fn served(stats: &Stats) -> Option<String> {
    let totals = &stats.totals;
    let Inputs { hit, collapsed, miss } = totals.inputs;
    let Calls { made, saved, .. } = &totals.calls;
    let (inputs, avoided) = (hit + collapsed + miss, saved.hit + saved.collapsed + saved.batched);
    if totals.requests == 0 {
        return None;
    }
    let requests = counted(totals.requests, "request");
    if inputs == 0 {
        return Some(format!("{requests}, none of which used the cache"));
    }
    let (_, tokens) = totals.tokens();
    let (calls, tokens) = (made + avoided, counted(tokens, "token"));
    let calls = format!("{avoided} of {}", counted(calls, "provider call"));
    let dollars = totals.dollars.as_ref().map(|dollars| dollars.avoided);
    let saved = match dollars.filter(|dollars| *dollars >= 0.000_05) {
        Some(dollars) => format!("{calls}, {tokens} and ${dollars:.4} (estimated)"),
        None => format!("{calls} and {tokens}"),
    };
    let share = percent(hit, inputs, 0);
    let inputs = counted(inputs, "input");
    Some(format!("{requests}: {hit} of {inputs} from cache ({share}); saved {saved}"))
}

fn sums(stats: &Stats) -> String {
    let totals = &stats.totals;
    let Inputs { hit, collapsed, miss } = totals.inputs;
    let Calls { made, saved, .. } = &totals.calls;
    let (all, avoided) = (hit + collapsed + miss, saved.hit + saved.collapsed + saved.batched);
    let (billed, tokens) = totals.tokens();
    let (paid, kept) = totals.dollars();
    let waiting = totals.seconds.avoided.hit + totals.seconds.avoided.collapsed;
    let made = stats.providers.iter().map(|one| one.calls).sum::<u64>().max(*made);
    let unanswered = match stats.providers.iter().map(|one| one.failures).sum::<u64>() {
        0 => String::new(),
        failures => format!(" ({failures} failed)"),
    };
    let failed = failures::sentence(&stats.failed, stats.responses);
    let failed = failed.map(|text| format!("failed    {text}\n")).unwrap_or_default();
    format!(
        "requests  {}\n\
         {failed}\
         hit rate  {} ({hit} of {all} inputs; {collapsed} coalesced, {miss} misses)\n\
         calls     {made} made{unanswered}, {avoided} saved ({} cached, {} coalesced, {} batched)\n\
         tokens    {billed} billed, {tokens} saved\n\
         cost      {paid} billed, {kept} saved (estimated; list prices of {}){}\n\
         time      {waiting:.1} s of waiting saved (estimated)",
        stats.responses,
        percent(hit, all, 1),
        saved.hit,
        saved.collapsed,
        saved.batched,
        printable(&stats.prices.date),
        totals.billing(),
    )
}

impl Account {
    fn row(&self) -> Vec<String> {
        let Inputs { hit, collapsed, miss } = self.inputs;
        let (billed, avoided) = self.tokens();
        let (paid, kept) = self.dollars();
        vec![
            printable(&self.provider),
            printable(&self.model),
            printable(&self.operation),
            self.requests.to_string(),
            percent(hit, hit + collapsed + miss, 1),
            self.calls.made.to_string(),
            billed.to_string(),
            avoided.to_string(),
            paid,
            kept,
        ]
    }

    /// The billed tokens, and the saved ones.
    fn tokens(&self) -> (u64, u64) {
        let Tokens { billed, avoided } = &self.tokens;
        (billed.values().sum(), avoided.hit + avoided.collapsed)
    }

    /// Lines on the providers' own caches, and on calls that are not in the cost.
    fn billing(&self) -> String {
        let mut lines = String::new();
        let cached = self.dollars.as_ref().map(|dollars| &dollars.prompt_cache);
        if let Some(PromptCache { saved, spent }) = cached.filter(|cache| cache.saved > 0.0) {
            lines = format!(
                "\n          ${saved:.4} taken off by the providers' prompt caches, ${spent:.4} for writes to them"
            );
        }
        let Unpriced { price, usage } = self.calls.unpriced;
        if price > 0 {
            let calls = counted(price, "call");
            lines = format!("{lines}\n          {calls} without a price (add it to [prices])");
        }
        if usage > 0 {
            lines = format!(
                "{lines}\n          {} without usage in the response",
                counted(usage, "call")
            );
        }
        lines
    }

    fn dollars(&self) -> (String, String) {
        self.dollars.as_ref().map_or_else(
            || ("-".to_owned(), "-".to_owned()),
            |Dollars { billed, avoided, .. }| (format!("${billed:.4}"), format!("${avoided:.4}")),
        )
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn body(requests: u64, (hit, miss): (u64, u64), failed: &Value, mode: &str) -> Vec<u8> {
        let avoided = json!({ "hit": 4, "collapsed": 0 });
        let totals = json!({
            "requests": requests,
            "inputs": { "hit": hit, "collapsed": 0, "miss": miss },
            "calls": { "made": 2, "unpriced": { "price": 2, "usage": 1 }, "saved": { "hit": 2, "collapsed": 0, "batched": 0 } },
            "tokens": { "billed": { "input": 9, "output": 0 }, "avoided": avoided },
            "dollars": { "billed": 1.5, "avoided": 0.0, "prompt_cache": { "saved": 0.25, "spent": 0.125 } },
            "seconds": { "avoided": { "hit": 0.0, "collapsed": 0.0 } },
        });
        let stats = json!({
            "responses": requests + 3, "failed": failed, "prices": { "date": "" }, "mode": mode,
            "providers": [{ "calls": 7, "failures": 5 }], "totals": totals, "accounts": [],
        });
        stats.to_string().into_bytes()
    }

    fn stats(requests: u64, hit: u64, miss: u64, failed: &Value) -> String {
        line(&body(requests, (hit, miss), failed, "live")).unwrap()
    }

    #[test]
    fn failed_calls_are_calls_and_a_replay_relays_nothing() {
        let none = json!([]);
        let table = of(&body(4, (3, 3), &none, "live")).unwrap();
        assert!(table.contains("calls     7 made (5 failed), 2 saved"), "{table}");
        assert!(table.contains("$0.2500 taken off by the providers' prompt caches"), "{table}");
        assert!(
            table.contains("2 calls without a price") && table.contains("1 call without usage")
        );
        let replayed = line(&body(0, (0, 0), &none, "replay")).unwrap();
        assert_eq!(replayed, "3 requests served from recordings");
    }

    #[test]
    fn one_line_says_what_was_saved_and_what_failed() {
        let none = json!([]);
        assert_eq!(
            stats(4, 3, 3, &none),
            "4 requests: 3 of 6 inputs from cache (50 %); saved 2 of 4 provider calls and 4 tokens"
        );
        assert_eq!(stats(4, 0, 0, &none), "4 requests, none of which used the cache");
        assert_eq!(stats(0, 0, 0, &none), "3 requests relayed without the cache");
        let failed = json!([{ "provider": "openai", "status": 401, "code": null, "count": 3,
            "reason": null }]);
        let sentence = "failed: 401 from openai: invalid API key";
        assert_eq!(stats(0, 0, 0, &failed), format!("3 requests, all {sentence}"));
        let both = stats(4, 3, 3, &failed);
        assert!(both.ends_with(&format!("4 tokens; 3 requests {sentence}")), "{both}");
    }
}

//! The ledger, and how larder is, as JSON (`GET /api/stats`).

use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::super::body::Body;
use super::history::{History, Point};
use super::recent::{FailureKind, Failures, Mishap};
use super::{Admin, answer};
use crate::clock::unix_seconds;
use crate::ledger::{Account, Dollars, Entry, Inputs, Spared};
use crate::metrics::{Latency, TierSums};
use crate::tier::Trouble;
use crate::upstream::Upstream;
use crate::usage::{Kind, Tokens};

impl Admin {
    /// Everything there is to tell; of the history what is after `since`.
    pub(super) fn stats(&self, query: Option<&str>) -> Response<Body> {
        let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        let since = pairs.filter(|(name, _)| name == "since").find_map(|(_, at)| at.parse().ok());
        self.observe();
        let sums = self.metrics.snapshot();
        let entries = self.ledger.entries();
        let accounts: Vec<Sums> = entries.iter().map(|entry| Sums::of(&entry.account)).collect();
        let body = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "revision": env!("LARDER_REVISION"),
            "mode": self.current.get().settings.mode.text(),
            "proxy": self.proxy,
            "started": self.started,
            "now": unix_seconds(),
            "ready": !*self.draining.borrow(),
            "prices": { "date": self.ledger.priced_as_of(), "estimated": true },
            "totals": accounts.iter().fold(Sums::default(), Sums::and).json(),
            "accounts": entries.iter().zip(&accounts).map(account).collect::<Vec<_>>(),
            "tiers": self.tiers(),
            "providers": self.providers(),
            "batches": { "calls": sums.batches, "inputs": sums.inputs },
            "errors": self.recent.all().iter().map(mishap).collect::<Vec<_>>(),
            "responses": sums.requests,
            "failed": self.recent.kinds().iter().map(failures).collect::<Vec<_>>(),
            "history": {
                "interval_seconds": History::INTERVAL.as_secs(),
                "bounds": Latency::BOUNDS,
                "points": self.history.since(since.unwrap_or(0.0)).iter().map(point).collect::<Vec<_>>(),
            },
        });
        answer(StatusCode::OK, "application/json", body.to_string().into())
    }

    /// The tiers, with the reason why one of them is down.
    fn tiers(&self) -> Vec<Value> {
        let troubles = self.current.get().service.tiers.troubles();
        let tiers = self.metrics.tiers();
        let tier = |sums: &TierSums| {
            let trouble = troubles.iter().find(|(layer, _)| layer.label() == sums.tier);
            tier(sums, trouble.map(|(_, trouble)| trouble))
        };
        tiers.iter().map(tier).collect()
    }

    /// Those that were called, and the one that is called where a path names none.
    fn providers(&self) -> Vec<Value> {
        let proxy = self.current.get();
        let calls = self.metrics.calls();
        let mut upstreams: Vec<&Upstream> =
            proxy.routes.upstreams().map(|upstream| &**upstream).collect();
        upstreams.sort_by_key(|upstream| &upstream.name);
        let default = &proxy.settings.default_provider;
        upstreams.retain(|one| calls.contains_key(&one.name) || one.name == *default);
        let provider = |upstream: &Upstream| {
            let calls = calls.get(&upstream.name).copied().unwrap_or_default();
            let metrics = &upstream.metrics;
            let trouble = upstream.trouble();
            json!({
                "name": upstream.name,
                "breaker": breaker(metrics.breaker.get()),
                "since": trouble.as_ref().map(|trouble| trouble.since),
                "reason": trouble.as_ref().map(|trouble| trouble.reason.as_str()),
                "calls": calls.made,
                "failures": calls.failed,
                "open": metrics.open.get(),
                "active": metrics.active.get(),
                "limit": metrics.limit.get(),
                "waiting": metrics.waiting_interactive.get() + metrics.waiting_bulk.get(),
            })
        };
        upstreams.into_iter().map(provider).collect()
    }
}

fn tier(tier: &TierSums, trouble: Option<&Trouble>) -> Value {
    json!({
        "tier": tier.tier,
        "entries": tier.entries,
        "bytes": tier.bytes,
        "limit_bytes": tier.limit_bytes,
        "hits": tier.hits,
        "misses": tier.misses,
        "insertions": tier.insertions,
        "evictions": tier.evictions,
        "average_age_seconds": tier.average_age,
        "breaker": breaker(tier.breaker),
        "since": trouble.map(|trouble| trouble.since),
        "reason": trouble.and_then(|trouble| trouble.reason.as_deref()),
    })
}

fn breaker(state: i64) -> &'static str {
    match state {
        0 => "closed",
        1 => "half_open",
        _ => "open",
    }
}

fn mishap(mishap: &Mishap) -> Value {
    json!({
        "time": mishap.time,
        "provider": mishap.provider,
        "model": known(&mishap.model),
        "operation": mishap.operation.label(),
        "status": mishap.status,
        "code": mishap.code,
        "reason": mishap.reason,
        "count": mishap.count,
    })
}

fn failures((kind, failures): &(FailureKind, Failures)) -> Value {
    json!({
        "provider": kind.provider,
        "status": kind.status,
        "code": kind.code,
        "count": failures.count,
        "last": failures.last,
        "model": known(&failures.model),
        "reason": failures.reason,
    })
}

/// The name of a model, if it is known.
fn known(model: &str) -> Option<&str> {
    Some(model).filter(|model| !model.is_empty())
}

fn point(Point { time, sums }: &Point) -> Value {
    json!({
        "t": time,
        "hits": sums.hits,
        "lookups": sums.lookups,
        "requests": sums.requests,
        "failures": sums.failures,
        "calls": sums.calls,
        "calls_saved": sums.calls_saved,
        "batches": sums.batches,
        "inputs": sums.inputs,
        "hit": sums.latency.hit,
        "miss": sums.latency.miss,
        "upstream": sums.latency.upstream,
    })
}

fn account((entry, sums): (&Entry, &Sums)) -> Value {
    let mut account = sums.json();
    if let Some(members) = account.as_object_mut() {
        members.insert("provider".to_owned(), json!(entry.provider));
        members.insert("model".to_owned(), json!(entry.model));
        members.insert("operation".to_owned(), json!(entry.operation.label()));
    }
    account
}

/// What is in an account, or in several.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    requests: u64,
    inputs: Inputs,
    calls: u64,
    /// Calls whose cost is unknown: without a price, and without usage.
    unpriced: (u64, u64),
    calls_spared: Spared<u64>,
    batched: u64,
    billed: Tokens,
    tokens_spared: Spared<u64>,
    /// Tokens spared that are parts of a count which was divided by size.
    tokens_estimated: u64,
    /// `None` where no price is known.
    dollars: Option<Dollars>,
    seconds: Spared<f64>,
}

impl Sums {
    fn of(account: &Account) -> Self {
        Self {
            requests: account.answers(),
            inputs: account.inputs(),
            calls: account.calls(),
            unpriced: account.unpriced(),
            calls_spared: account.calls_spared(),
            batched: account.calls_spared_by_batching(),
            billed: account.billed(),
            tokens_spared: account.tokens_spared(),
            tokens_estimated: account.tokens_estimated(),
            dollars: account.dollars(),
            seconds: account.seconds_spared(),
        }
    }

    fn and(self, other: &Self) -> Self {
        let dollars = self.dollars.into_iter().chain(other.dollars);
        Self {
            requests: self.requests + other.requests,
            inputs: Inputs {
                hit: self.inputs.hit + other.inputs.hit,
                collapsed: self.inputs.collapsed + other.inputs.collapsed,
                miss: self.inputs.miss + other.inputs.miss,
            },
            calls: self.calls + other.calls,
            unpriced: (self.unpriced.0 + other.unpriced.0, self.unpriced.1 + other.unpriced.1),
            calls_spared: self.calls_spared.and(other.calls_spared),
            batched: self.batched + other.batched,
            billed: self.billed.and(&other.billed),
            tokens_spared: self.tokens_spared.and(other.tokens_spared),
            tokens_estimated: self.tokens_estimated + other.tokens_estimated,
            dollars: dollars.reduce(Dollars::and),
            seconds: self.seconds.and(other.seconds),
        }
    }

    fn json(&self) -> Value {
        let Self { inputs, calls_spared, tokens_spared, seconds, .. } = self;
        json!({
            "requests": self.requests,
            "inputs": { "hit": inputs.hit, "collapsed": inputs.collapsed, "miss": inputs.miss },
            "calls": {
                "made": self.calls,
                "unpriced": { "price": self.unpriced.0, "usage": self.unpriced.1 },
                "saved": {
                    "hit": calls_spared.hit,
                    "collapsed": calls_spared.collapsed,
                    "batched": self.batched,
                },
            },
            "tokens": {
                "billed": billed(&self.billed),
                "avoided": {
                    "hit": tokens_spared.hit,
                    "collapsed": tokens_spared.collapsed,
                    "estimated": self.tokens_estimated,
                },
            },
            "dollars": self.dollars.map(dollars),
            "seconds": {
                "avoided": { "hit": seconds.hit, "collapsed": seconds.collapsed },
                "estimated": true,
            },
        })
    }
}

/// The tokens of each kind that was billed; input and output in any case.
fn billed(tokens: &Tokens) -> Value {
    let is_shown = |kind: Kind, number| number > 0 || matches!(kind, Kind::Input | Kind::Output);
    let kinds = tokens.each().filter(|(kind, number)| is_shown(*kind, *number));
    kinds.map(|(kind, number)| (kind.label().to_owned(), json!(number))).collect()
}

fn dollars(dollars: Dollars) -> Value {
    let Dollars { billed, avoided, cache_saved, cache_spent } = dollars;
    json!({
        "billed": billed,
        "avoided": avoided.hit + avoided.collapsed,
        "avoided_by": { "hit": avoided.hit, "collapsed": avoided.collapsed },
        "prompt_cache": { "saved": cache_saved, "spent": cache_spent },
        "estimated": true,
    })
}

//! What is kept, for an operator: to be listed, and to be forgotten.

mod filter;
mod fits;
mod query;
mod when;

use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::super::body::Body;
use super::super::route::Routes;
use super::{Admin, answer, text};
use crate::clock::Moment;
use crate::key::CacheKey;
use crate::tier::page::{Leaf, Line, Page};
use crate::tier::purge::Reach;
use crate::tier::remove::Removed;
use filter::Filter;
use fits::{Fits, Told};
use query::Query;

/// The filters of both.
const FILTERS: [&str; 5] = ["provider", "model", "match", "before", "key"];

/// Entries on a page: where nobody says how many, and at the most.
const LIMIT: (usize, usize) = (100, 10_000);

impl Admin {
    /// Entries page by page (`GET /api/entries`).
    pub(super) async fn entries(&self, query: Option<&str>) -> Response<Body> {
        match self.list(query).await {
            Ok(body) => answer(StatusCode::OK, "application/json", body.to_string().into()),
            Err(refusal) => refusal,
        }
    }

    async fn list(&self, query: Option<&str>) -> Result<Value, Response<Body>> {
        let proxy = self.current.get();
        let (filter, leaf) = listing(query, &proxy.routes).map_err(|error| wrong(&error))?;
        let (tiers, now) = (&proxy.service.tiers, proxy.service.clock.now());
        let mut fits = Fits::new(filter, now);
        let Some(key) = fits.filter.key else {
            let page = tiers.page(leaf, move |key, stored| fits.told(key, stored)).await;
            let failed = || text(StatusCode::INTERNAL_SERVER_ERROR, "the listing failed\n");
            return Ok(written(&page.ok_or_else(failed)?, now));
        };
        let found = tiers.find(key).await;
        let line = found.and_then(|Line { told, in_memory, on_disk }| {
            Some(Line { told: fits.told(&key, &told)?, in_memory, on_disk })
        });
        let lines = line.into_iter().map(|line| (key, line)).collect();
        Ok(written(&Page { lines, next: None }, now))
    }

    /// Forgets what the filters say (`DELETE /api/entries`). What cannot be read is refused rather than
    /// taken for "everything".
    pub(super) async fn purge(&self, query: Option<&str>) -> Response<Body> {
        let (filter, dry_run) = match purging(query, &self.current.get().routes) {
            Ok(read) => read,
            Err(error) => return wrong(&error),
        };
        let done = if dry_run { self.count(filter).await } else { self.forget(filter).await };
        match done {
            Ok(said) => answer(StatusCode::OK, "application/json", format!("{said}\n").into()),
            Err(error) => {
                tracing::warn!(error, "a purge was broken off");
                let message = format!("{error}; what was removed until then is gone, try again\n");
                text(StatusCode::SERVICE_UNAVAILABLE, &message)
            }
        }
    }

    /// How many entries a purge would forget.
    async fn count(&self, filter: Filter) -> Result<Value, String> {
        let service = &self.current.get().service;
        let mut fits = Fits::new(filter, service.clock.now());
        let count = match fits.filter.key {
            Some(key) => {
                let found = service.tiers.find(key).await;
                u64::from(found.is_some_and(|found| fits.told(&key, &found.told).is_some()))
            }
            None => {
                service.tiers.count(move |key, stored| fits.told(key, stored).is_some()).await?
            }
        };
        Ok(json!({ "purged": count, "dry_run": true }))
    }

    async fn forget(&self, filter: Filter) -> Result<Value, String> {
        let proxy = self.current.get();
        let tiers = &proxy.service.tiers;
        if filter.is_of_scopes() {
            let purged = tiers.purge(&reaches(&proxy.routes, filter)).await;
            tracing::info!(entries = purged, "the cache was purged");
            return Ok(json!({ "purged": purged }));
        }
        let (by_key_alone, key, matching) = (filter.is_key_alone(), filter.key, filter.matching());
        let mut fits = Fits::new(filter, proxy.service.clock.now());
        let removed = match key {
            // Redis may have it where nobody has read it yet.
            Some(key) if by_key_alone => tiers.remove_keys(&[key]).await?,
            Some(key) => match tiers.find(key).await {
                Some(found) if fits.told(&key, &found.told).is_some() => {
                    tiers.remove_keys(&[key]).await?
                }
                _ => Removed::default(),
            },
            None => tiers.remove(move |key, stored| fits.told(key, stored).is_some()).await?,
        };
        // One by one they are counted; by generation they are gone in Redis and in all replicas too.
        let others = match matching {
            Some(reach) => tiers.purge(&[reach]).await,
            None => 0,
        };
        let Removed { entries, memory, disk, redis } = removed;
        let (entries, memory) = (entries + others, memory + others);
        tracing::info!(entries, memory, disk, redis, "entries were removed");
        Ok(json!({ "purged": entries, "memory": memory, "disk": disk, "redis": redis }))
    }
}

fn wrong(error: &str) -> Response<Body> {
    text(StatusCode::BAD_REQUEST, &format!("{error}\n"))
}

/// What a query lists.
fn listing(query: Option<&str>, routes: &Routes) -> Result<(Filter, Leaf), String> {
    let query = Query::read(query, &[&FILTERS[..], &["limit", "cursor"]].concat())?;
    Ok((Filter::read(&query, routes)?, leaf(&query)?))
}

/// What a query forgets, and whether it only wants to know how much that would be.
fn purging(query: Option<&str>, routes: &Routes) -> Result<(Filter, bool), String> {
    let query = Query::read(query, &[&FILTERS[..], &["dry_run"]].concat())?;
    Ok((Filter::read(&query, routes)?, query.flag("dry_run")?))
}

/// Which page is asked for.
fn leaf(query: &Query) -> Result<Leaf, String> {
    let (usual, highest) = LIMIT;
    let most = match query.get("limit") {
        None => usual,
        Some(text) => {
            let number = text.parse().ok().filter(|number| (1..=highest).contains(number));
            number.ok_or_else(|| format!("limit: expected 1 to {highest}, got {text:?}"))?
        }
    };
    let after = match query.get("cursor") {
        None => None,
        Some(text) => {
            let key = CacheKey::from_text(text);
            Some(key.ok_or("cursor: expected the next_cursor of the page before")?)
        }
    };
    Ok(Leaf { after, most })
}

/// What a purge is for that needs to look at no entry.
fn reaches(routes: &Routes, filter: Filter) -> Vec<Reach> {
    match (filter.provider, filter.model) {
        (None, None) => vec![Reach::Everything],
        (Some(provider), None) => vec![Reach::Upstream(provider)],
        (Some(provider), Some(model)) => vec![Reach::Model(provider, model)],
        (None, Some(model)) => {
            let names = routes.upstreams().map(|upstream| upstream.name.clone());
            names.map(|provider| Reach::Model(provider, model.clone())).collect()
        }
    }
}

fn written(page: &Page<Told>, now: Moment) -> Value {
    let entries: Vec<Value> = page.lines.iter().map(|line| entry(line, now)).collect();
    let next = page.next.map(CacheKey::to_text);
    json!({ "entries": entries, "next_cursor": next, "has_more": page.next.is_some() })
}

fn entry((key, line): (&CacheKey, &Line<Told>), now: Moment) -> Value {
    let told = &line.told;
    let places = [(line.in_memory, "memory"), (line.on_disk, "disk")];
    let tiers: Vec<&str> = places.iter().filter(|(is, _)| *is).map(|(_, tier)| *tier).collect();
    let lasts = (told.expires != Moment::NEVER).then(|| told.expires.since(now));
    json!({
        "key": key.to_text(),
        "provider": told.scope.upstream,
        "model": told.scope.model,
        "operation": told.operation.label(),
        "tags": [told.tag()],
        "bytes": told.bytes,
        "age_seconds": now.since(told.stored),
        "ttl_seconds": lasts,
        "tiers": tiers,
    })
}

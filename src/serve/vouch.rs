//! Who is given a stored answer has to be somebody whom the provider knows: a credential that it has
//! never seen, or knows no more, gets what the provider says to it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{HeaderValue, header};

use super::reply::{Content, Reply, Verdict};
use super::{Ask, Directives, Service};
use crate::flight::{Claim, Lead};
use crate::headers::to_provider;
use crate::key::{CacheKey, Digest, Framer};
use crate::upstream::Finding;

/// How long what a provider said of a credential holds.
#[derive(Debug, Clone, Copy)]
pub struct Vouching {
    /// How long it holds; from half of that on it is asked again, while requests go on.
    pub every: Duration,
    /// How much longer it holds where the provider does not answer.
    pub stale_if_error: Duration,
}

impl Service {
    /// Answers a request. An error says why it has to be relayed as it came.
    pub async fn answer(self: &Arc<Self>, ask: &Ask) -> Result<Reply, &'static str> {
        let reply = self.answer_anybody(ask).await?;
        match &self.vouching {
            Some(vouching) if is_of_cache(&reply) && !self.is_known(vouching, ask) => {
                Box::pin(self.vouch(vouching, ask, reply)).await
            }
            _ => Ok(reply),
        }
    }

    /// Whether the provider has accepted the credential of a request of late; asks again, aside, where
    /// that is some time ago. A call that was made for the request itself has just told.
    fn is_known(&self, vouching: &Vouching, ask: &Ask) -> bool {
        let Some(standings) = &ask.target.upstream.standings else { return true };
        let who = standings.who(&ask.headers, &ask.target.path_and_query);
        let (standing, now) = (standings.of(&who), Instant::now());
        let Some(age) = standing.age(now) else { return false };
        if age < vouching.every / 2 {
            return true;
        }
        if standing.rests(now) {
            return age < vouching.every + vouching.stale_if_error;
        }
        if age < vouching.every
            && let Claim::Lead(lead, _) = self.checks.claim(check_key(ask, &who))
        {
            self.start_check(ask, who, lead);
        }
        age < vouching.every
    }

    /// Asks the provider about the credential, and gives the answer, the provider's no, or what the
    /// request brings without the cache.
    async fn vouch(
        self: &Arc<Self>,
        vouching: &Vouching,
        ask: &Ask,
        reply: Reply,
    ) -> Result<Reply, &'static str> {
        let Some(standings) = &ask.target.upstream.standings else { return Ok(reply) };
        let who = standings.who(&ask.headers, &ask.target.path_and_query);
        let finding = if standings.of(&who).rests(Instant::now()) {
            Finding::Nothing
        } else {
            self.checked(ask, who).await
        };
        match finding {
            Finding::Accepted => return Ok(reply),
            Finding::Refused(answer) => {
                let verdict = Verdict::bypass("unauthorized");
                return Ok(Reply { content: Content::Passed(answer), verdict });
            }
            Finding::Nothing => {}
        }
        let (standing, now) = (standings.of(&who), Instant::now());
        if standing.age(now).is_some_and(|age| age < vouching.every + vouching.stale_if_error) {
            return Ok(reply);
        }
        let mut reply = self.answer_anybody(&without_cache(ask)).await?;
        if reply.verdict.bypass.is_some() {
            reply.verdict.bypass = Some("unverified");
        }
        Ok(reply)
    }

    /// What the provider says of a credential: one check, however many wait for it.
    async fn checked(&self, ask: &Ask, who: Digest) -> Finding {
        let follow = match self.checks.claim(check_key(ask, &who)) {
            Claim::Lead(lead, follow) => {
                self.start_check(ask, who, lead);
                follow
            }
            Claim::Follow(follow) => follow,
        };
        follow.landed().await.unwrap_or(Finding::Nothing)
    }

    /// A task of the server's own, since others may come to wait for it.
    fn start_check(&self, ask: &Ask, who: Digest, lead: Lead<Finding>) {
        let (upstream, headers) = (Arc::clone(&ask.target.upstream), to_provider(&ask.headers));
        let path = ask.target.path_and_query.clone();
        self.chat.tasks.spawn(async move {
            let finding = upstream.check(&who, (headers, &path)).await;
            lead.land(finding);
        });
    }
}

/// Whether a reply may hold what the cache had, or what another call brought.
fn is_of_cache(reply: &Reply) -> bool {
    match &reply.content {
        Content::Written(..) | Content::Replayed(_) => true,
        Content::Shared(shared) => shared.0.status.is_success(),
        Content::Passed(_) | Content::Streamed(..) | Content::Switched(_) | Content::Failed(_) => {
            false
        }
    }
}

/// The same request, for an answer that nobody else's is a part of.
fn without_cache(ask: &Ask) -> Ask {
    let mut ask = ask.clone();
    let only_if_cached = Directives::read(&ask.headers).only_if_cached;
    let directives = if only_if_cached { "no-cache, only-if-cached" } else { "no-cache" };
    ask.headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(directives));
    ask
}

fn check_key(ask: &Ask, who: &Digest) -> CacheKey {
    let check = Framer::new("larder check")
        .field(b'u', ask.target.upstream.identity.as_bytes())
        .field(b'w', who.as_bytes())
        .finish();
    CacheKey::whole(check)
}

//! What a provider thinks of the credentials that it is called with, as far as it has said. Credentials
//! themselves are never held: only digests that nobody can make without the secret.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

use http::{HeaderMap, StatusCode};

use crate::credential;
use crate::key::Digest;

/// How many credentials are remembered: clients choose them.
const MOST: usize = 65_536;

/// How long after a check that told nothing the next one is not made.
const PAUSE: Duration = Duration::from_secs(5);

/// What is known of one credential.
#[derive(Debug, Clone, Copy, Default)]
pub struct Standing {
    accepted: Option<Instant>,
    tried: Option<Instant>,
}

impl Standing {
    /// How long ago the provider accepted it.
    pub fn age(&self, now: Instant) -> Option<Duration> {
        self.accepted.map(|accepted| now.saturating_duration_since(accepted))
    }

    /// Whether a check has told nothing only a moment ago.
    pub fn rests(&self, now: Instant) -> bool {
        self.tried.is_some_and(|tried| now.saturating_duration_since(tried) < PAUSE)
    }
}

/// The standings of all credentials with one provider.
#[derive(Debug)]
pub struct Standings {
    secret: [u8; 32],
    known: RwLock<HashMap<Digest, Standing>>,
}

impl Standings {
    /// Nothing is known. Digests are keyed with the secret.
    pub fn new(secret: [u8; 32]) -> Self {
        Self { secret, known: RwLock::default() }
    }

    /// Who asks.
    pub fn who(&self, headers: &HeaderMap, path_and_query: &str) -> Digest {
        credential::digest(&self.secret, headers, path_and_query)
    }

    /// What is known of somebody.
    pub fn of(&self, who: &Digest) -> Standing {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.get(who).copied().unwrap_or_default()
    }

    /// Notes how a call ended that the provider does not answer for just anybody.
    pub(super) fn answered(&self, who: &Digest, status: StatusCode) {
        if status.is_success() {
            self.change(who, |standing| {
                *standing = Standing { accepted: Some(Instant::now()), tried: None };
            });
        } else if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            // It may have been for the model alone; whoever wants to know asks.
            let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
            known.remove(who);
        }
    }

    /// Notes that a check told nothing.
    pub(super) fn told_nothing(&self, who: &Digest) {
        self.change(who, |standing| standing.tried = Some(Instant::now()));
    }

    fn change(&self, who: &Digest, change: impl FnOnce(&mut Standing)) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST && !known.contains_key(who) {
            // They only save checks: learning anew costs each of them one.
            known.clear();
        }
        change(known.entry(*who).or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_no_takes_back_what_a_yes_gave() {
        let standings = Standings::new([0; 32]);
        let who = standings.who(&HeaderMap::new(), "/x?key=k");
        assert_eq!(standings.of(&who).age(Instant::now()), None);
        standings.answered(&who, StatusCode::OK);
        assert!(standings.of(&who).age(Instant::now()).is_some());
        standings.answered(&who, StatusCode::TOO_MANY_REQUESTS);
        assert!(standings.of(&who).age(Instant::now()).is_some());
        standings.answered(&who, StatusCode::UNAUTHORIZED);
        assert_eq!(standings.of(&who).age(Instant::now()), None);
    }

    #[test]
    fn the_list_of_credentials_is_bounded() {
        let standings = Standings::new([0; 32]);
        for n in 0..=MOST {
            standings.told_nothing(&Digest::of(&n.to_le_bytes()));
        }
        assert!(standings.known.read().unwrap().len() <= MOST);
    }
}

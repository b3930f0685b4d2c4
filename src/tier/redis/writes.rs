//! What replicas tell each other of writes to stores: the time of the last one for each part of a store, which
//! whoever has seen a write there moves on, and everybody looks at with each beat. The server says what it
//! was before, so that nobody takes a write of somebody else's for an own.

use std::collections::HashMap;

use redis::{RedisResult, cmd};

use super::address::Link;
use crate::tier::writes::Store;

/// Moves the named parts on, always upwards and never to what one has been; what they were, and all. A name
/// that somebody has put to another use is taken back.
const WRITES: &str = "\
local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'hash' and kind ~= 'none' then redis.call('DEL', KEYS[1]) end
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local before = {}
for i = 1, #ARGV do
  local known = redis.call('HGET', KEYS[1], ARGV[i])
  before[i] = known or ''
  local last = tonumber(known or '') or 0
  redis.call('HSET', KEYS[1], ARGV[i], string.format('%.0f', math.max(now, last + 1)))
end
return {before, redis.call('HGETALL', KEYS[1])}";

/// What this replica has told and heard.
#[derive(Debug, Default)]
pub(super) struct Told(HashMap<(String, usize), Seen>);

/// One part as it was last looked at.
#[derive(Debug, Default)]
struct Seen {
    /// How often it was written to here.
    own: u64,
    /// What the server said of it.
    shared: Option<String>,
}

/// A part that was written to here since.
#[derive(Debug)]
pub(super) struct Word {
    store: &'static Store,
    at: usize,
    own: u64,
}

/// What the server says: what the parts were that were told of, and all parts.
pub(super) type Heard = (Vec<String>, HashMap<String, String>);

impl Word {
    fn name(&self) -> String {
        format!("{}/{}", self.store.name(), self.at)
    }
}

impl Told {
    /// What is to be told.
    pub(super) fn words(&self, stores: &[&'static Store]) -> Vec<Word> {
        let mut words = Vec::new();
        for store in stores {
            for (at, own) in store.counts().enumerate() {
                let seen = self.0.get(&(store.name().to_owned(), at));
                if own != seen.map_or(0, |seen| seen.own) {
                    words.push(Word { store, at, own });
                }
            }
        }
        words
    }

    /// Takes over what the server says after that was told: what somebody else wrote to is forgotten here.
    pub(super) fn hear(
        &mut self,
        stores: &[&'static Store],
        words: Vec<Word>,
        (before, all): Heard,
    ) {
        for (word, before) in words.into_iter().zip(before) {
            let seen = self.0.entry((word.store.name().to_owned(), word.at)).or_default();
            seen.own = word.own;
            if seen.shared.as_deref().unwrap_or_default() != before {
                seen.own += word.store.heard(word.at);
            }
            seen.shared = all.get(&word.name()).cloned();
        }
        for store in stores {
            for at in 0..store.counts().count() {
                let shared = all.get(&format!("{}/{at}", store.name()));
                let known = self.0.get(&(store.name().to_owned(), at));
                if known.and_then(|seen| seen.shared.as_ref()) != shared {
                    let seen = self.0.entry((store.name().to_owned(), at)).or_default();
                    seen.own += store.heard(at);
                    seen.shared = shared.cloned();
                }
            }
        }
    }
}

impl Link {
    /// Tells what was written to, and hears of all that was.
    pub(super) async fn writes(&self, name: &str, words: &[Word]) -> RedisResult<Heard> {
        let mut command = cmd("EVAL");
        command.arg(WRITES).arg(1).arg(name);
        for word in words {
            command.arg(word.name());
        }
        let (before, all): (Vec<String>, Vec<(String, String)>) = self.ask(&command).await?;
        Ok((before, all.into_iter().collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tier::purge::{Mark, Purges};

    /// A server that does as the script does.
    #[derive(Default)]
    struct Server(HashMap<String, u64>);

    struct Replica {
        purges: Purges,
        told: Told,
    }

    impl Replica {
        fn new() -> Self {
            Self { purges: Purges::new(), told: Told::default() }
        }

        fn store(&self) -> &'static Store {
            self.purges.store("s")
        }

        fn mark(&self, namespace: &str) -> Mark {
            self.store().part(Some(namespace)).scope().mark()
        }

        fn beat(&mut self, server: &mut Server) -> usize {
            let stores = [self.store()];
            let words = self.told.words(&stores);
            let told = words.len();
            let before = words.iter().map(|word| {
                let last = server.0.entry(word.name()).or_default();
                let before = if *last == 0 { String::new() } else { last.to_string() };
                *last += 1;
                before
            });
            let before: Vec<String> = before.collect();
            let all = server.0.iter().map(|(name, time)| (name.clone(), time.to_string()));
            self.told.hear(&stores, words, (before, all.collect()));
            told
        }
    }

    #[test]
    fn what_one_replica_writes_to_the_others_forget_and_it_does_not_forget_twice() {
        let (mut one, mut other, mut server) = (Replica::new(), Replica::new(), Server::default());
        one.beat(&mut server);
        other.beat(&mut server);
        one.store().wrote(Some("a"), None);
        let (own, theirs) = (one.mark("a"), [other.mark("a"), other.mark("b")]);
        // The part of the namespace, and that of reads of none.
        assert_eq!(one.beat(&mut server), 2);
        assert_eq!(other.beat(&mut server), 0);
        assert!(own.holds());
        assert_eq!(theirs.map(|mark| mark.holds()), [false, true]);
        // Nobody tells what was heard.
        assert_eq!((one.beat(&mut server), other.beat(&mut server)), (0, 0));
        assert!(own.holds());
    }

    #[test]
    fn what_two_replicas_write_to_at_once_both_forget() {
        let (mut one, mut other, mut server) = (Replica::new(), Replica::new(), Server::default());
        one.beat(&mut server);
        other.beat(&mut server);
        one.store().wrote(Some("a"), None);
        other.store().wrote(Some("a"), None);
        let marks = [one.mark("a"), other.mark("a")];
        one.beat(&mut server);
        other.beat(&mut server);
        assert_eq!(marks.map(|mark| mark.holds()), [true, false]);
        one.beat(&mut server);
        assert!(!marks[0].holds());
        assert_eq!((one.beat(&mut server), other.beat(&mut server)), (0, 0));
    }

    #[test]
    fn a_server_that_has_lost_it_makes_all_forget() {
        let (mut one, mut server) = (Replica::new(), Server::default());
        one.store().wrote(Some("a"), None);
        one.beat(&mut server);
        let mark = one.mark("a");
        one.beat(&mut Server::default());
        assert!(!mark.holds());
    }
}

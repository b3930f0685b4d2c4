//! The commands that the shared tier is asked with. Each is given up by whoever waits for it; what is
//! answered after that is for nobody.

use futures_util::future::join_all;
use redis::{Cmd, FromRedisValue, RedisResult, cmd};

use super::address::Link;
use crate::tier::purge::Generations;

/// Raises what is higher here, then tells everything, the time, and how large the server is: one answer
/// of one moment. A name that somebody has put to another use is taken back; what the user has no right
/// to see is -1.
const BEAT: &str = "\
local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'hash' and kind ~= 'none' then redis.call('DEL', KEYS[1]) end
for i = 1, #ARGV, 2 do
  local known = redis.call('HGET', KEYS[1], ARGV[i])
  if not known or (tonumber(known) or 0) < tonumber(ARGV[i + 1]) then
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
  end
end
local all = redis.call('HGETALL', KEYS[1])
local function told(section)
  local text = redis.pcall('INFO', section)
  return type(text) == 'string' and text or ''
end
local function number(text, name)
  return tonumber(string.match(text, name .. ':(%d+)')) or -1
end
local entries = redis.pcall('DBSIZE')
if type(entries) ~= 'number' then entries = -1 end
local memory, stats = told('memory'), told('stats')
local size = {entries, number(memory, 'used_memory'), number(memory, 'maxmemory'),
  number(stats, 'evicted_keys')}
return {redis.call('TIME'), all, size}";

const RELEASE: &str = "\
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0";

const RENEW: &str = "\
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 0";

/// The time in seconds and microseconds, what was purged, and how large the server is.
type Told = ((i64, i64), Vec<(String, String)>, (i64, i64, i64, i64));

/// What the server says of itself.
pub(super) struct Beat {
    /// Seconds since 1970, by its clock.
    pub(super) seconds: i64,
    pub(super) purged: Generations,
    /// Entries, bytes, the bound in bytes, and entries evicted so far; in a cluster, of one node.
    pub(super) size: (i64, i64, i64, i64),
}

impl Link {
    pub(super) async fn beat(&self, name: &str, purged: &Generations) -> RedisResult<Beat> {
        let mut command = cmd("EVAL");
        command.arg(BEAT).arg(1).arg(name);
        for (reach, generation) in purged {
            command.arg(reach).arg(generation);
        }
        let ((seconds, _), purged, size): Told = self.ask(&command).await?;
        let known = |(reach, generation): (String, String)| Some((reach, generation.parse().ok()?));
        Ok(Beat { seconds, purged: purged.into_iter().filter_map(known).collect(), size })
    }

    /// What there is under the names, in their order. What is no string is nothing.
    pub(super) async fn get(&self, names: &[String]) -> RedisResult<Vec<Option<Vec<u8>>>> {
        let mut command = cmd("MGET");
        command.arg(names);
        self.ask(&command).await
    }

    /// Sets a name, to end after so many milliseconds.
    pub(super) async fn set(&self, name: &str, value: &[u8], ends: Option<u64>) -> RedisResult<()> {
        let mut command = cmd("SET");
        command.arg(name).arg(value);
        if let Some(milliseconds) = ends {
            command.arg("PX").arg(milliseconds);
        }
        self.ask(&command).await
    }

    /// Deletes what is under a name; how many that were, one or none.
    pub(super) async fn delete(&self, name: &str) -> RedisResult<u64> {
        self.ask(cmd("DEL").arg(name)).await
    }

    /// Takes the leases that nobody has; which were taken.
    pub(super) async fn take(
        &self,
        names: &[String],
        token: &str,
        milliseconds: u64,
    ) -> RedisResult<Vec<bool>> {
        let take = |name: &String| {
            let mut command = cmd("SET");
            command.arg(name).arg(token).arg("NX").arg("PX").arg(milliseconds);
            async move { self.ask::<Option<String>>(&command).await }
        };
        let answers = join_all(names.iter().map(take)).await;
        let answers = answers.into_iter().collect::<RedisResult<Vec<_>>>()?;
        Ok(answers.iter().map(Option::is_some).collect())
    }

    pub(super) async fn release(&self, name: &str, token: &str) -> RedisResult<()> {
        self.ask(cmd("EVAL").arg(RELEASE).arg(1).arg(name).arg(token)).await
    }

    pub(super) async fn renew(
        &self,
        name: &str,
        token: &str,
        milliseconds: u64,
    ) -> RedisResult<()> {
        self.ask(cmd("EVAL").arg(RENEW).arg(1).arg(name).arg(token).arg(milliseconds)).await
    }

    pub(super) async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> RedisResult<T> {
        match self.clone() {
            Self::Single(mut connection) => command.query_async(&mut connection).await,
            Self::Cluster(mut connection) => command.query_async(&mut connection).await,
        }
    }
}

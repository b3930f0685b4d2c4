//! Bounds that contradict each other, and values with which nothing would work.

use std::time::Duration;

use super::{Config, Provider};

/// A lookup gives up a little before its timeout, and must have some time left.
const LEAST_TIMEOUT: Duration = Duration::from_millis(2);

/// A key and what is wrong with it.
type Wrong<'w> = &'w mut dyn FnMut(String, String);

impl Config {
    /// The problems of bounds.
    pub(super) fn check_bounds(&self, wrong: Wrong<'_>) {
        self.check_sizes(wrong);
        self.check_times(wrong);
        for (name, provider) in &self.providers {
            self.check_provider_bounds(name, provider, wrong);
        }
    }

    fn check_sizes(&self, wrong: Wrong<'_>) {
        let (server, cache) = (&self.server, &self.cache);
        for (key, size) in [
            ("server.max_head", server.max_head),
            ("server.max_body", server.max_body),
            ("server.max_in_flight", server.max_in_flight),
            ("server.max_answers", server.max_answers),
            ("disk.size", self.disk.size),
        ] {
            if size.0 == 0 {
                wrong(key.to_owned(), "must be more than 0".to_owned());
            }
        }
        if server.max_connections == 0 {
            wrong("server.max_connections".to_owned(), "must be at least 1".to_owned());
        }
        let order = [
            (("server.max_body", server.max_body), ("server.max_in_flight", server.max_in_flight)),
            (
                ("cache.max_transcript", cache.max_transcript),
                ("server.max_answers", server.max_answers),
            ),
            (("disk.max_queued", self.disk.max_queued), ("disk.size", self.disk.size)),
        ];
        for ((small, less), (large, more)) in order {
            self.check_order((small, less), (large, more), wrong);
        }
    }

    /// Refuses two values in the wrong order, where both are set. A default adapts to the other value.
    fn check_order<T: PartialOrd>(
        &self,
        (small, less): (&str, T),
        (large, more): (&str, T),
        wrong: Wrong<'_>,
    ) {
        if less > more && self.sources.has(small) && self.sources.has(large) {
            let message = format!("is less than {small}; raise it, or lower {small}");
            wrong(large.to_owned(), message);
        }
    }

    fn check_times(&self, wrong: Wrong<'_>) {
        let server = &self.server;
        for (key, time, least) in [
            ("server.head_timeout", server.head_timeout, Duration::from_nanos(1)),
            ("server.body_timeout", server.body_timeout, Duration::from_nanos(1)),
            ("server.write_timeout", server.write_timeout, Duration::from_nanos(1)),
            ("server.idle_timeout", server.idle_timeout, Duration::from_nanos(1)),
            ("disk.timeout", self.disk.timeout, Duration::from_nanos(1)),
            ("redis.timeout", self.redis.timeout, LEAST_TIMEOUT),
        ] {
            check_time((key.to_owned(), time), least, wrong);
        }
    }

    fn check_provider_bounds(&self, name: &str, provider: &Provider, wrong: Wrong<'_>) {
        let key = |key: &str| format!("providers.{name}.{key}");
        for (of, time) in [
            ("connect_timeout", provider.connect_timeout),
            ("first_byte_timeout", provider.first_byte_timeout),
            ("total_timeout", provider.total_timeout),
        ] {
            check_time((key(of), time), Duration::from_nanos(1), wrong);
        }
        for (of, percent) in
            [("retry_percent", provider.retry_percent), ("hedge_percent", provider.hedge_percent)]
        {
            if percent > 100 {
                wrong(key(of), format!("{percent} is more than 100 percent"));
            }
        }
        for (of, number) in
            [("max_connections", provider.max_connections), ("batch_inputs", provider.batch_inputs)]
        {
            if number == 0 {
                wrong(key(of), "must be at least 1".to_owned());
            }
        }
        for (of, size) in [("max_reply", provider.max_reply), ("max_queued", provider.max_queued)] {
            if size.0 == 0 {
                wrong(key(of), "must be more than 0".to_owned());
            }
        }
        let (connect, first, total) =
            (key("connect_timeout"), key("first_byte_timeout"), key("total_timeout"));
        let times = (provider.connect_timeout, provider.first_byte_timeout, provider.total_timeout);
        self.check_order((&first, times.1), (&total, times.2), wrong);
        self.check_order((&connect, times.0), (&total, times.2), wrong);
        let reply = (&*key("max_reply"), provider.max_reply);
        self.check_order(reply, ("server.max_answers", self.server.max_answers), wrong);
        let most = provider.max_connections.min(provider.idle_connections);
        if provider.warm_connections > most {
            let message = format!(
                "{} is more than max_connections or idle_connections",
                provider.warm_connections
            );
            wrong(key("warm_connections"), message);
        }
    }
}

fn check_time((key, time): (String, Duration), least: Duration, wrong: Wrong<'_>) {
    if time >= least {
        return;
    }
    let message = if time.is_zero() {
        "0 would fail every time; write a time such as \"30s\"".to_owned()
    } else {
        format!("must be at least {least:?}")
    };
    wrong(key, message);
}

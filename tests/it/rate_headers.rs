//! Rate-limit headers: a limit is for the time that its reset says.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use serde_json::json;

use crate::harness::{Ask, DIMENSIONS, Scripted, Sidecar, all, answer, json as reply};

const LIMIT: f64 = 10.0;

/// A bucket of ten calls, of which ten come back in a second.
struct Bucket(f64, Instant);

impl Bucket {
    /// Takes a call: the calls that are left, and the time until it is full.
    fn take(&mut self) -> Option<(f64, Duration)> {
        let now = Instant::now();
        let back = now.duration_since(self.1).as_secs_f64() * LIMIT;
        *self = Self((self.0 + back).min(LIMIT), now);
        if self.0 < 1.0 {
            return None;
        }
        self.0 -= 1.0;
        Some((self.0.floor(), Duration::from_secs_f64((LIMIT - self.0) / LIMIT)))
    }
}

fn refusal() -> Response<Full<Bytes>> {
    let mut say = reply(429, &json!({ "error": { "message": "slow down" } }));
    say.headers_mut().insert("retry-after-ms", "100".parse().unwrap());
    say
}

#[tokio::test]
async fn a_limit_that_comes_back_in_a_second_is_not_taken_for_a_minutes() {
    let bucket = Arc::new(Mutex::new(Bucket(LIMIT, Instant::now())));
    let provider = Scripted::start(move |asked| {
        let taken = bucket.lock().unwrap().take();
        let Some((left, reset)) = taken else { return std::future::ready(Some(refusal())) };
        let mut say = reply(200, &answer(&asked));
        for (name, value) in [
            ("x-ratelimit-limit-requests", LIMIT.to_string()),
            ("x-ratelimit-remaining-requests", left.to_string()),
            ("x-ratelimit-reset-requests", format!("{}ms", reset.as_millis())),
        ] {
            say.headers_mut().insert(name, value.parse().unwrap());
        }
        std::future::ready(Some(say))
    });
    let sidecar = Sidecar::before(provider.address);
    let client = sidecar.client();
    let began = Instant::now();
    let asking = (0..30).map(|number| {
        // Of other dimensions, so that each is a call of its own.
        let ask = Ask::of([format!("text {number}")]).dimensions(DIMENSIONS + number);
        let client = client.clone();
        async move { client.embed(&ask).await.status }
    });
    let statuses = all(asking.collect::<Vec<_>>()).await;
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    // Two seconds are enough. Ten calls a minute would take two minutes.
    let took = began.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}");
}

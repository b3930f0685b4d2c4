//! The last requests as JSON, and those that follow as server-sent events (`GET /api/requests`).

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::unfold;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body_util::Either;
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use tokio::time::sleep;

use super::super::body::{Body, Relayed};
use super::event::Event;
use super::feed::Reader;
use super::{Admin, answer, protect, text};
use crate::clock::unix_seconds;

/// Requests in a response.
const MOST: usize = 256;

/// Events in one piece of the stream.
const TOGETHER: usize = 64;

/// Interval of the comments that keep an idle stream open.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

impl Admin {
    /// The last requests; with `Accept: text/event-stream`, those that follow.
    pub(super) fn requests(&self, headers: &HeaderMap) -> Response<Body> {
        let accept = headers.get_all(header::ACCEPT).iter();
        let mut accept = accept.filter_map(|value| value.to_str().ok());
        if accept.any(|value| value.contains("text/event-stream")) {
            return self.follow();
        }
        let now = unix_seconds();
        let requests: Vec<Value> =
            self.recent.feed.last(MOST).iter().map(|event| event.json(now)).collect();
        let body = json!({ "requests": requests });
        answer(StatusCode::OK, "application/json", body.to_string().into())
    }

    fn follow(&self) -> Response<Body> {
        let Some(reader) = self.recent.feed.reader() else {
            return text(StatusCode::SERVICE_UNAVAILABLE, "too many readers of /api/requests\n");
        };
        let stream = Stream { reader, draining: self.draining.clone(), begun: false };
        let events = unfold(stream, |mut stream| async move {
            let piece = stream.next().await?;
            Some((piece, stream))
        });
        let mut response = Response::new(Either::Right(Relayed::events(events)));
        let event_stream = HeaderValue::from_static("text/event-stream");
        response.headers_mut().insert(header::CONTENT_TYPE, event_stream);
        protect(response.headers_mut());
        response
    }
}

/// The events that one client reads.
struct Stream {
    reader: Reader,
    draining: watch::Receiver<bool>,
    begun: bool,
}

impl Stream {
    /// The next piece; none when the server drains.
    async fn next(&mut self) -> Option<Bytes> {
        if !self.begun {
            self.begun = true;
            return Some(Bytes::from_static(b": the requests that follow\n\n"));
        }
        let event = tokio::select! {
            biased;
            () = drained(&mut self.draining) => return None,
            event = self.reader.events.recv() => event,
            () = sleep(KEEP_ALIVE) => return Some(Bytes::from_static(b": no request\n\n")),
        };
        let mut piece = String::new();
        match event {
            Ok(event) => request(&mut piece, &event),
            Err(RecvError::Lagged(count)) => lost(&mut piece, count),
            Err(RecvError::Closed) => return None,
        }
        self.more(&mut piece);
        Some(piece.into())
    }

    /// Adds events that wait already.
    fn more(&mut self, piece: &mut String) {
        for _ in 1..TOGETHER {
            let Ok(event) = self.reader.events.try_recv() else { return };
            request(piece, &event);
        }
    }
}

/// Waits until the server drains.
async fn drained(draining: &mut watch::Receiver<bool>) {
    if draining.wait_for(|draining| *draining).await.is_err() {
        tracing::debug!("the server is gone");
    }
}

fn request(piece: &mut String, event: &Event) {
    add(piece, "request", &event.json(unix_seconds()));
}

fn lost(piece: &mut String, count: u64) {
    add(piece, "lost", &json!({ "lost": count }));
}

fn add(piece: &mut String, name: &str, data: &Value) {
    let data = data.to_string();
    for part in ["event: ", name, "\ndata: ", &data, "\n\n"] {
        piece.push_str(part);
    }
}

//! Calls: what goes to a provider and what comes back, within bounds and deadlines.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, Uri, Version, header};
use http_body_util::Either;
use tokio::time::{error::Elapsed, sleep, timeout};

use super::coming::Coming;
use super::own_key::Striker;
use super::pool::{Arriving, BoxError, RequestBody};
use super::told::Told;
use super::traced::Traced;
use super::upload::in_time;
use super::{Answer, Call, Permit, Upstream};
use crate::ceiling::Room;
use crate::credential;
use crate::error::{Error, Kind};
use crate::key::Digest;
use crate::metrics::{Called, Operation};
use crate::trace::Cause;
use crate::whole::{self, Unread};

impl Upstream {
    /// Makes a whole call and reads the whole answer. A call that nothing came of is made once more, if
    /// the budget allows: for embeddings that changes nothing at the provider.
    pub(super) async fn call_once(&self, permit: &Permit, call: &Call) -> Result<Answer, Error> {
        let started = Instant::now();
        let standings = self.standings.as_ref();
        let who = standings.map(|standings| standings.who(&call.headers, &call.path_and_query));
        self.retries.earn();
        let calling = async {
            match self.exchange(permit, call).await {
                Err(error) if error.kind == Kind::UpstreamUnreachable => {
                    let chance = u64::from(started.elapsed().subsec_nanos());
                    let Some(wait) = self.retries.spend(chance) else { return Err(error) };
                    self.metrics.retries.inc();
                    sleep(wait).await;
                    self.exchange(permit, call).await
                }
                result => result,
            }
        };
        let result = timeout(self.settings.total_timeout, calling).await;
        let mut result = result.unwrap_or_else(|_: Elapsed| {
            Err(self.late("complete response", "total_timeout", self.settings.total_timeout))
        });
        if let Ok(answer) = &mut result {
            answer.took = started.elapsed();
            self.note(who.as_ref(), answer.status);
        }
        let called = match &result {
            Ok(answer) => Called::Answered(answer.status.as_u16()),
            Err(error) => Called::Failed(error_type(error)),
        };
        self.metrics.called(Operation::Embed, called, started.elapsed());
        result
    }

    async fn exchange(&self, permit: &Permit, call: &Call) -> Result<Answer, Error> {
        let mut request = call.as_request();
        request.headers_mut().remove(header::CONTENT_ENCODING);
        // Vectors hardly compress, and a provider on the next desk should not try.
        let identity = HeaderValue::from_static("identity");
        request.headers_mut().insert(header::ACCEPT_ENCODING, identity);
        let (response, traced) = self.send(permit, request, &call.path_and_query).await?;
        let mut answer = self.read(response).await;
        if let Some(traced) = traced {
            match &mut answer {
                Ok(answer) => answer.call = Some(traced.done()),
                Err(error) => traced.span.failed(error_type(error)),
            }
        }
        answer
    }

    /// Reads an answer to its end.
    async fn read(&self, response: Response<Arriving>) -> Result<Answer, Error> {
        let (head, body) = response.into_parts();
        let mut headers = head.headers;
        let coding = headers.get(header::CONTENT_ENCODING).and_then(|value| value.to_str().ok());
        let is_coded = coding.is_some();
        let (body, room) = self.collect(body, coding).await?;
        if is_coded {
            headers.remove(header::CONTENT_ENCODING);
            headers.remove(header::CONTENT_LENGTH);
        }
        let body = room.around(self.struck(body));
        Ok(Answer { status: head.status, headers, body, took: Duration::ZERO, call: None })
    }

    /// Reads a body to its end and decompresses it, within `max_reply` and the room for responses.
    pub(super) async fn collect(
        &self,
        body: Arriving,
        coding: Option<&str>,
    ) -> Result<(Bytes, Room), Error> {
        let limit = self.settings.max_reply.as_usize();
        let mut room = self.answers.room();
        let body = whole::collect(body, limit, &mut room).await;
        let mut body = body.map_err(|why| self.unread(why))?;
        if let Some(coding) = coding {
            let plain = whole::decode(coding, &body, limit, &mut room).await;
            body = plain.map_err(|why| self.unread(why))?;
            room.keep(body.len());
        }
        Ok((body, room))
    }

    fn unread(&self, why: Unread<BoxError>) -> Error {
        let invalid = |what| {
            Error::new(Kind::UpstreamInvalid, format!("the response of {} {what}", self.name))
        };
        match why {
            Unread::NoRoom(error) => error,
            Unread::Cut(error) => self.cut(&*error),
            Unread::TooLarge => invalid("is larger than max_reply"),
            Unread::Undecodable => invalid("cannot be decompressed"),
        }
    }

    /// Passes a request on under a permit and gives the answer's head; both bodies stream.
    pub async fn open(
        &self,
        permit: &Permit,
        (request, path_and_query): (Request<RequestBody>, &str),
        operation: Operation,
    ) -> Result<Response<Coming>, Error> {
        let started = Instant::now();
        // What is only passed on may be answered to just anybody.
        let is_asked = matches!(operation, Operation::Chat | Operation::Read);
        let standings = self.standings.as_ref().filter(|_| is_asked);
        let who = standings.map(|standings| standings.who(request.headers(), path_and_query));
        let result = match self.send(permit, request, path_and_query).await {
            // boxed: cold path
            Ok((response, traced)) if self.hides_own_key(&response) => {
                Box::pin(self.in_clear(response)).await.map(|response| (response, traced))
            }
            result => result,
        };
        if let Ok((response, _)) = &result {
            self.note(who.as_ref(), response.status());
        }
        let called = match &result {
            Ok((response, _)) => Called::Answered(response.status().as_u16()),
            Err(error) => Called::Failed(error_type(error)),
        };
        self.metrics.called(operation, called, started.elapsed());
        let striker = self.own_key.clone().map(Striker::new);
        result.map(|(response, traced)| response.map(|body| Coming::new(body, striker, traced)))
    }

    /// A body without larder's own key.
    pub(super) fn struck(&self, body: Bytes) -> Bytes {
        match &self.own_key {
            Some(key) => key.strike_whole(body),
            None => body,
        }
    }

    fn note(&self, who: Option<&Digest>, status: StatusCode) {
        if let (Some(standings), Some(who)) = (&self.standings, who) {
            standings.answered(who, status);
        }
    }

    async fn send(
        &self,
        permit: &Permit,
        mut request: Request<RequestBody>,
        path_and_query: &str,
    ) -> Result<(Response<Arriving>, Option<Traced>), Error> {
        let cause = request.extensions_mut().remove::<Cause>();
        let traced = cause.map(|cause| Traced::begin(&cause, &self.name, request.headers_mut()));
        let result = self.send_as_it_is(permit, request, path_and_query).await;
        if let Some(traced) = &traced {
            match &result {
                Ok(response) => traced.span.answered(response.status().as_u16()),
                Err(error) => traced.span.failed(error_type(error)),
            }
        }
        result.map(|response| (response, traced))
    }

    async fn send_as_it_is(
        &self,
        Permit { admission, turn, .. }: &Permit,
        mut request: Request<RequestBody>,
        path_and_query: &str,
    ) -> Result<Response<Arriving>, Error> {
        let path = match &self.own_key {
            Some(key) => {
                key.put(self.dialect, path_and_query, request.headers_mut());
                credential::without(path_and_query)
            }
            None => self.withhold(&mut request, path_and_query)?,
        };
        *request.uri_mut() = self.uri(&path)?;
        let protocols = request.headers().get(header::UPGRADE).cloned();
        // A client's version is its own hop's: the connection's is decided by ALPN.
        *request.version_mut() = Version::HTTP_11;
        let started = Instant::now();
        let upload = match request.body_mut() {
            Either::Left(_) => None,
            Either::Right(upload) => Some(upload.measured_by(turn.client_time())),
        };
        let limit = self.settings.first_byte_timeout;
        match in_time(limit, upload.as_deref(), self.pools.send(request)).await {
            Some(Ok(mut response)) => {
                admission.answered();
                if response.status().is_success() {
                    self.times.observe(turn.line(), started.elapsed());
                }
                let told = Told::read(response.status(), response.headers());
                turn.answered(&told);
                self.metrics.left("requests", told.calls.map(|calls| calls.left));
                self.metrics.left("tokens", told.tokens);
                if let Some(key) = &self.own_key {
                    key.strike_headers(response.headers_mut());
                }
                self.check_switch(protocols.as_ref(), &response)?;
                Ok(response)
            }
            Some(Err(error)) => {
                // The client's fault is never the provider's.
                if let Some(error) = upload.and_then(|upload| upload.failure()) {
                    return Err(error);
                }
                let error = self.unreachable(&*error);
                admission.failed(Instant::now(), &error.message);
                Err(error)
            }
            None => {
                let error = self.late("response", "first_byte_timeout", limit);
                admission.failed(Instant::now(), &error.message);
                Err(error)
            }
        }
    }

    /// The URL of a path below the base. Scheme, host and port are the configuration's, always.
    pub(super) fn uri(&self, path_and_query: &str) -> Result<Uri, Error> {
        Uri::builder()
            .scheme(self.scheme.clone())
            .authority(self.authority.clone())
            .path_and_query(self.joined(path_and_query))
            .build()
            .map_err(|_| Error::new(Kind::BadRequest, "the path is not valid in a URL"))
    }
}

fn error_type(error: &Error) -> &'static str {
    match error.kind {
        Kind::UpstreamTimeout => "provider_timeout",
        Kind::UpstreamUnreachable => "provider_unreachable",
        Kind::UpstreamInvalid => "provider_invalid",
        _ => "_OTHER",
    }
}

//! One connection to a target, opened when it is needed, and HTTP/1.1 on it.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri, header};
use http_body_util::{BodyExt, Collected, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use tokio::task::JoinSet;

use super::connector::Connector;
use super::trouble::Trouble;

/// The largest answer that is read.
const MOST_BYTES: usize = 512 << 20;

/// A connection; closed when it is dropped.
#[derive(Debug)]
pub(crate) struct Connection {
    connector: Connector,
    base: Uri,
    headers: HeaderMap,
    line: Option<Line>,
}

#[derive(Debug)]
struct Line {
    sender: SendRequest<Full<Bytes>>,
    /// Moves the bytes; ends with this.
    _driver: JoinSet<()>,
}

impl Connection {
    /// To a base URL, with a credential; opens nothing yet.
    pub(crate) fn new(connector: &Connector, base: &Uri, credential: &HeaderValue) -> Self {
        let host = base.authority().map_or("", |authority| authority.as_str());
        let host = HeaderValue::from_str(host).expect("an authority is a header value");
        let json = HeaderValue::from_static("application/json");
        let headers = [
            (header::HOST, host),
            (header::CONTENT_TYPE, json),
            (header::AUTHORIZATION, credential.clone()),
        ];
        let headers = headers.into_iter().collect();
        Self { connector: connector.clone(), base: base.clone(), headers, line: None }
    }

    /// Opens it, unless it is open.
    pub(crate) async fn open(&mut self) -> Result<(), Trouble> {
        self.line().await.map(drop)
    }

    /// Sends a request and gives the head of its answer, which is good.
    pub(crate) async fn ask(&mut self, path: &Uri, body: Bytes) -> Result<Answer, Trouble> {
        self.send(Method::POST, path, body).await
    }

    /// Reads a whole answer.
    pub(crate) async fn fetch(&mut self, path: &Uri) -> Result<Bytes, Trouble> {
        let answer = self.send(Method::GET, path, Bytes::new()).await?;
        whole(answer.into_body()).await
    }

    async fn send(&mut self, method: Method, path: &Uri, body: Bytes) -> Result<Answer, Trouble> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = path.clone();
        *request.headers_mut() = self.headers.clone();
        let sender = &mut self.line().await?.sender;
        let answer = sender.send_request(request).await.map_err(|_| Trouble::Cut)?;
        if let Err(trouble) = Trouble::of(answer.status()) {
            // Read to its end, so that the connection can be used again.
            whole(answer.into_body()).await?;
            return Err(trouble);
        }
        Ok(answer)
    }

    /// Forgets the connection; the next request opens another.
    pub(crate) fn close(&mut self) {
        self.line = None;
    }

    async fn line(&mut self) -> Result<&mut Line, Trouble> {
        if let Some(line) = &mut self.line {
            // The target may have closed it while it was idle: that is its right, and no trouble.
            if line.sender.ready().await.is_err() {
                self.line = None;
            }
        }
        if self.line.is_none() {
            let stream = self.connector.open(&self.base).await?;
            let (mut sender, connection) =
                http1::handshake(stream).await.map_err(|_| Trouble::Cut)?;
            let mut driver = JoinSet::new();
            // How it ends shows in the answers.
            driver.spawn(async { drop(connection.await) });
            sender.ready().await.map_err(|_| Trouble::Cut)?;
            self.line = Some(Line { sender, _driver: driver });
        }
        Ok(self.line.as_mut().expect("it was opened above"))
    }
}

/// The head of a good answer, and what is still to come.
pub(crate) type Answer = Response<Incoming>;

/// Reads a body to its end.
pub(crate) async fn whole(body: Incoming) -> Result<Bytes, Trouble> {
    let body = Limited::new(body, MOST_BYTES).collect().await;
    body.map(Collected::to_bytes).map_err(|_| Trouble::Cut)
}

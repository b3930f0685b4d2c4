//! Compressed responses, for clients that accept them.

use std::io;

use async_compression::tokio::write::{BrotliEncoder, GzipEncoder, ZstdEncoder};
use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderMap, HeaderValue, Response, header};
use http_body_util::{BodyExt, Collected, Either, Full};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::reply::Body;

/// Compresses a response in the first coding that the client names and that is known here. Each frame of a
/// stream is flushed, as providers do.
pub(super) async fn compress(accepted: &HeaderMap, response: Response<Body>) -> Response<Body> {
    let Some(coding) = coding(accepted) else { return response };
    let (mut head, body) = response.into_parts();
    let body = match body {
        Either::Left(whole) => {
            let Ok(whole) = whole.collect().await.map(Collected::to_bytes);
            Either::Left(Full::new(encoded(coding, [whole]).into_iter().flatten().collect()))
        }
        Either::Right(frames) => Either::Right(frames.map(|pieces| encoded(coding, pieces))),
    };
    head.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
    head.headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    Response::from_parts(head, body)
}

fn coding(accepted: &HeaderMap) -> Option<&'static str> {
    let accepted = accepted.get(header::ACCEPT_ENCODING)?.to_str().ok()?;
    let mut names =
        accepted.split(',').map(|item| item.split(';').next().unwrap_or_default().trim());
    let known = |name| ["gzip", "br", "zstd"].into_iter().find(|known| *known == name);
    names.find_map(known)
}

/// The compressed pieces, each flushed.
fn encoded(coding: &str, pieces: impl IntoIterator<Item = Bytes>) -> Vec<Bytes> {
    match coding {
        "gzip" => flushed(GzipEncoder::new(Vec::new()), pieces, |one| one.get_mut()),
        "br" => flushed(BrotliEncoder::new(Vec::new()), pieces, |one| one.get_mut()),
        _ => flushed(ZstdEncoder::new(Vec::new()), pieces, |one| one.get_mut()),
    }
}

fn flushed<W: AsyncWrite + Unpin>(
    mut encoder: W,
    pieces: impl IntoIterator<Item = Bytes>,
    written: impl Fn(&mut W) -> &mut Vec<u8>,
) -> Vec<Bytes> {
    let mut out = Vec::new();
    for piece in pieces {
        ready(encoder.write_all(&piece).now_or_never());
        ready(encoder.flush().now_or_never());
        out.push(Bytes::from(std::mem::take(written(&mut encoder))));
    }
    ready(encoder.shutdown().now_or_never());
    out.push(Bytes::from(std::mem::take(written(&mut encoder))));
    out
}

fn ready(written: Option<io::Result<()>>) {
    written.expect("memory never waits").expect("memory never fails");
}

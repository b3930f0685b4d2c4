//! Content codings: compressed bodies become plain ones, with a bound on what comes out; compressed
//! files are read as if they were plain.

use std::io::{self, Read};
use std::pin::Pin;
use std::task::{Context, Poll};

use async_compression::tokio::bufread::{BrotliDecoder, GzipDecoder, ZlibDecoder, ZstdDecoder};
use bytes::Bytes;
use futures_util::FutureExt;
use tokio::io::{AsyncRead, AsyncReadExt, BufReader, ReadBuf};

/// The size of the pieces of [`each`].
const PIECE: usize = 16 << 10;

/// Why a body did not decode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undecodable {
    /// The coding is none that larder knows.
    Unknown,
    /// The bytes are not what the coding says.
    Corrupt,
    /// More comes out than the bound allows.
    TooLarge,
}

/// Decodes a body of at most `limit` bytes from the coding that `Content-Encoding` names, all members of it
/// (RFC 1952, section 2.2; RFC 8878, section 3.1): what is left over would be no part of its key.
pub async fn decode(coding: &str, body: Bytes, limit: usize) -> Result<Bytes, Undecodable> {
    if is_identity(coding) {
        return Ok(body);
    }
    let decoder = decoder(coding, &body)?;
    let mut plain = Vec::new();
    let bound = (limit as u64).saturating_add(1);
    decoder.take(bound).read_to_end(&mut plain).await.map_err(|_| Undecodable::Corrupt)?;
    if plain.len() > limit { Err(Undecodable::TooLarge) } else { Ok(plain.into()) }
}

/// Gives the pieces of a decoded body as they come, of at most `limit` bytes together. It blocks while it
/// decodes.
pub fn each(
    coding: &str,
    body: &[u8],
    limit: u64,
    mut take: impl FnMut(&[u8]),
) -> Result<(), Undecodable> {
    let (mut decoder, mut piece) = (Decoded(decoder(coding, body)?), vec![0; PIECE]);
    let mut total = 0;
    loop {
        let count = decoder.read(&mut piece).map_err(|_| Undecodable::Corrupt)?;
        let Some(bytes) = piece.get(..count).filter(|bytes| !bytes.is_empty()) else {
            return Ok(());
        };
        total += count as u64;
        if total > limit {
            return Err(Undecodable::TooLarge);
        }
        take(bytes);
    }
}

fn is_identity(coding: &str) -> bool {
    matches!(coding.trim().to_ascii_lowercase().as_str(), "" | "identity")
}

/// Boxed, since decoders are up to 100 KiB, and the state of each caller would have room for one.
fn decoder<'b>(
    coding: &str,
    body: &'b [u8],
) -> Result<Box<dyn AsyncRead + Unpin + Send + 'b>, Undecodable> {
    Ok(match coding.trim().to_ascii_lowercase().as_str() {
        "" | "identity" => Box::new(body),
        "gzip" | "x-gzip" => {
            let mut decoder = GzipDecoder::new(body);
            decoder.multiple_members(true);
            Box::new(decoder)
        }
        "deflate" => Box::new(ZlibDecoder::new(body)),
        "zstd" => {
            let mut decoder = ZstdDecoder::new(body);
            decoder.multiple_members(true);
            Box::new(decoder)
        }
        "br" => Box::new(BrotliDecoder::new(body)),
        _ => return Err(Undecodable::Unknown),
    })
}

/// A file's bytes, decoded while they are read if its name says how: `.gz` or `.zst`. Several
/// compressed files, one after the other in one, are read as one.
pub fn reader(name: &str, file: impl Read + Unpin + 'static) -> Box<dyn Read> {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    match extension.to_ascii_lowercase().as_str() {
        "gz" => {
            let mut decoder = GzipDecoder::new(BufReader::new(Ready(file)));
            decoder.multiple_members(true);
            Box::new(Decoded(decoder))
        }
        "zst" => {
            let mut decoder = ZstdDecoder::new(BufReader::new(Ready(file)));
            decoder.multiple_members(true);
            Box::new(Decoded(decoder))
        }
        _ => Box::new(file),
    }
}

/// A reader that blocks, for decoders that could wait.
struct Ready<R>(R);

impl<R: Read + Unpin> AsyncRead for Ready<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = self.0.read(buffer.initialize_unfilled())?;
        buffer.advance(read);
        Poll::Ready(Ok(()))
    }
}

/// A decoder over what is always ready, so that it always is, too.
struct Decoded<D>(D);

impl<D: AsyncRead + Unpin> Read for Decoded<D> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.0.read(buffer).now_or_never();
        read.expect("nothing below a decoder waits otherwise than by blocking")
    }
}

#[cfg(test)]
mod tests {
    use async_compression::tokio::bufread::{GzipEncoder, ZstdEncoder};

    use super::*;

    async fn all(mut reader: impl AsyncRead + Unpin) -> Bytes {
        let mut out = Vec::new();
        reader.read_to_end(&mut out).await.unwrap();
        out.into()
    }

    #[tokio::test]
    async fn what_was_compressed_comes_back() {
        let plain = Bytes::from_static(b"{\"input\":\"hello\"}");
        let gzip = all(GzipEncoder::new(&plain[..])).await;
        let zstd = all(ZstdEncoder::new(&plain[..])).await;
        assert_eq!(decode("gzip", gzip, 100).await, Ok(plain.clone()));
        assert_eq!(decode(" ZSTD ", zstd, 100).await, Ok(plain.clone()));
        assert_eq!(decode("identity", plain.clone(), 100).await, Ok(plain));
    }

    #[tokio::test]
    async fn every_member_counts_and_nothing_is_left_over() {
        let gzip = |text: &'static str| async { all(GzipEncoder::new(text.as_bytes())).await };
        let zstd = |text: &'static str| async { all(ZstdEncoder::new(text.as_bytes())).await };
        let both = Ok(Bytes::from_static(b"one, two"));
        let members = [gzip("one, ").await, gzip("two").await].concat();
        assert_eq!(decode("gzip", members.into(), 100).await, both);
        let frames = [zstd("one, ").await, zstd("two").await].concat();
        assert_eq!(decode("zstd", frames.into(), 100).await, both);
        let noise = [gzip("one").await, Bytes::from_static(b"noise")].concat();
        assert_eq!(decode("gzip", noise.into(), 100).await, Err(Undecodable::Corrupt));
    }

    #[tokio::test]
    async fn a_bomb_is_stopped_at_the_bound() {
        let bomb = all(GzipEncoder::new(&vec![0; 10 << 20][..])).await;
        assert!(bomb.len() < 20_000);
        assert_eq!(decode("gzip", bomb, 1 << 20).await, Err(Undecodable::TooLarge));
    }

    #[tokio::test]
    async fn noise_and_unknown_codings_are_refused() {
        let noise = Bytes::from_static(b"no gzip at all");
        assert_eq!(decode("gzip", noise.clone(), 100).await, Err(Undecodable::Corrupt));
        assert_eq!(decode("snappy", noise, 100).await, Err(Undecodable::Unknown));
    }

    #[tokio::test]
    async fn files_are_read_by_what_their_names_say() {
        let plain: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
        let gzip = all(GzipEncoder::new(&plain[..])).await;
        let zstd = all(ZstdEncoder::new(&plain[..])).await;
        let twice = |bytes: &[u8]| io::Cursor::new([bytes, bytes].concat());
        for (name, file) in [("a.GZ", &gzip[..]), ("a.zst", &zstd[..]), ("a.gz.jsonl", &plain)] {
            let mut read = Vec::new();
            reader(name, twice(file)).read_to_end(&mut read).unwrap();
            assert!(read == [&plain[..], &plain[..]].concat(), "{name}");
        }
        let cut = io::Cursor::new(gzip.slice(..gzip.len() / 2));
        assert!(reader("cut.gz", cut).read_to_end(&mut Vec::new()).is_err());
    }
}

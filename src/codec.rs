//! Content codings: compressed bodies become plain ones, with a bound on what comes out.

use async_compression::tokio::bufread::{BrotliDecoder, GzipDecoder, ZlibDecoder, ZstdDecoder};
use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt};

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

/// Decodes a body of at most `limit` bytes from the coding that `Content-Encoding` names.
pub async fn decode(coding: &str, body: Bytes, limit: usize) -> Result<Bytes, Undecodable> {
    let compressed = &body[..];
    match coding.trim().to_ascii_lowercase().as_str() {
        "" | "identity" => Ok(body),
        "gzip" | "x-gzip" => read(GzipDecoder::new(compressed), limit).await,
        "deflate" => read(ZlibDecoder::new(compressed), limit).await,
        "zstd" => read(ZstdDecoder::new(compressed), limit).await,
        "br" => read(BrotliDecoder::new(compressed), limit).await,
        _ => Err(Undecodable::Unknown),
    }
}

async fn read(decoder: impl AsyncRead + Unpin, limit: usize) -> Result<Bytes, Undecodable> {
    let mut plain = Vec::new();
    let bound = (limit as u64).saturating_add(1);
    decoder.take(bound).read_to_end(&mut plain).await.map_err(|_| Undecodable::Corrupt)?;
    if plain.len() > limit { Err(Undecodable::TooLarge) } else { Ok(plain.into()) }
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
}

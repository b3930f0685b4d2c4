//! Reading a body to its end: within a size, and within the room that there is for such bodies.

use bytes::{Bytes, BytesMut};
use http_body::Body;
use http_body_util::BodyExt;

use crate::ceiling::Room;
use crate::codec::{self, Undecodable};
use crate::error::Error;

/// Why there is no whole body.
#[derive(Debug)]
pub enum Unread<E> {
    /// It is larger than it may be.
    TooLarge,
    /// There is no room for it now.
    NoRoom(Error),
    /// It was cut short.
    Cut(E),
    /// It does not decode.
    Undecodable,
}

/// Legal JSON hardly compresses to less than one in so many. So much room is taken at first.
const LIKELY: usize = 16;

/// The pieces of a body in one. A body that comes in one piece is not copied; the pieces of others are
/// not kept, since there may be very many of very few bytes.
pub async fn collect<B>(
    mut body: B,
    limit: usize,
    room: &mut Room,
) -> Result<Bytes, Unread<B::Error>>
where
    B: Body<Data = Bytes> + Unpin,
{
    let expected = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if expected > limit {
        return Err(Unread::TooLarge);
    }
    room.hold(expected).map_err(Unread::NoRoom)?;
    let (mut first, mut all) = (Bytes::new(), BytesMut::new());
    while let Some(frame) = body.frame().await {
        let Ok(piece) = frame.map_err(Unread::Cut)?.into_data() else { continue };
        let total = first.len() + all.len() + piece.len();
        if total > limit {
            return Err(Unread::TooLarge);
        }
        room.hold(total).map_err(Unread::NoRoom)?;
        if all.is_empty() && first.is_empty() {
            first = piece;
            continue;
        }
        if all.is_empty() {
            all.reserve(expected.max(total));
            all.extend_from_slice(&first);
            first = Bytes::new();
        }
        all.extend_from_slice(&piece);
    }
    Ok(if all.is_empty() { first } else { all.freeze() })
}

/// A body in clear, from the coding that `Content-Encoding` names.
pub async fn decode<E>(
    coding: &str,
    raw: &Bytes,
    limit: usize,
    room: &mut Room,
) -> Result<Bytes, Unread<E>> {
    for bound in [raw.len().saturating_mul(LIKELY).min(limit), limit] {
        room.hold(raw.len() + bound).map_err(Unread::NoRoom)?;
        match codec::decode(coding, raw.clone(), bound).await {
            Ok(plain) => {
                room.keep(raw.len() + plain.len());
                return Ok(plain);
            }
            Err(Undecodable::TooLarge) if bound < limit => {}
            Err(Undecodable::TooLarge) => return Err(Unread::TooLarge),
            Err(Undecodable::Unknown | Undecodable::Corrupt) => return Err(Unread::Undecodable),
        }
    }
    Err(Unread::TooLarge)
}

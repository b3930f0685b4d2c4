//! What is noted beside the log: which second of the directory's line it is, and what was purged.

use std::io;

use super::anchor::{Anchor, Clocks};
use super::directory::{Directory, SMALL};
use crate::tier::Ground;
use crate::tier::line::Line;
use crate::tier::purge::Generations;

/// The file of the anchor.
const CLOCK: &str = "clock";

/// The file that says what was purged: a line for each, the generation first.
const PURGED: &str = "purged";

/// Learns both from the directory.
pub(super) fn read(directory: &Directory, ground: &Ground, line: &Line) -> io::Result<()> {
    line.set(ground.clock.now(), anchor(directory)?.second());
    ground.purges.merge(&purged(directory)?);
    Ok(())
}

/// Notes the time, for whoever opens the directory next.
pub(super) fn note_time(directory: &Directory, ground: &Ground, line: &Line) -> io::Result<()> {
    let now = anchor(directory)?;
    line.set(ground.clock.now(), now.second());
    directory.write_small(CLOCK, now.write().as_bytes())
}

/// The anchor of this moment.
fn anchor(directory: &Directory) -> io::Result<Anchor> {
    let last = directory.read_small(CLOCK)?.and_then(|bytes| Anchor::read(&bytes));
    Ok(Anchor::after(last.as_ref(), Clocks::read()))
}

/// What is noted as purged.
pub(super) fn purged(directory: &Directory) -> io::Result<Generations> {
    let bytes = directory.read_small(PURGED)?.unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines = text.lines().filter_map(|line| {
        let (generation, name) = line.split_once(' ')?;
        Some((name.to_owned(), generation.parse().ok()?))
    });
    Ok(lines.collect())
}

/// Notes what was purged.
pub(super) fn note_purged(directory: &Directory, purged: &Generations) -> io::Result<()> {
    // A name with a line break is no model's, and would be read as two.
    let lines = purged.iter().filter(|(name, _)| !name.contains('\n'));
    let bytes: Vec<u8> = lines
        .flat_map(|(name, generation)| format!("{generation} {name}\n").into_bytes())
        .collect();
    if bytes.len() as u64 <= SMALL {
        return directory.write_small(PURGED, &bytes);
    }
    // More than would be read again: for whoever opens the directory next, all was purged.
    let last = purged.values().max().copied().unwrap_or(0);
    directory.write_small(PURGED, format!("{last} \n").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tier::disk::log::Scratch;

    #[test]
    fn more_purges_than_can_be_noted_are_one_of_everything() {
        let scratch = Scratch::new();
        let directory = Directory::open(scratch.path()).expect("it opens");
        let few = Generations::from([("openai/m".to_owned(), 7), ("cohere".to_owned(), 9)]);
        note_purged(&directory, &few).expect("noted");
        assert_eq!(purged(&directory).expect("read"), few);
        let many = (0..5_000).map(|n| (format!("openai/model {n}"), n)).collect();
        note_purged(&directory, &many).expect("noted");
        let whole = Generations::from([(String::new(), 4_999)]);
        assert_eq!(purged(&directory).expect("read"), whole);
    }
}

//! What is noted beside the log: which second of the directory's line it is, and what was purged.

use std::io;

use super::anchor::{Anchor, Clocks};
use super::directory::Directory;
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
    directory.write_small(PURGED, &bytes)
}

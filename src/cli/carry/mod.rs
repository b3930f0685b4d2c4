//! `larder export` and `larder import`: the entries of a cache directory as lines of JSON.

mod export;
mod import;
mod line;

pub(super) use export::ExportArgs;
pub(super) use import::ImportArgs;

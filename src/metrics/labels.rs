//! The closed sets that labels come from.

/// What is being done for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Embeddings.
    Embed,
    /// A model's words.
    Chat,
    /// Reads of stores.
    Read,
    /// Everything that is passed on as it is.
    Relay,
}

impl Operation {
    /// Every operation, in the order of the label's handles.
    pub const ALL: [Self; 4] = [Self::Embed, Self::Chat, Self::Read, Self::Relay];

    /// The value of the label `operation`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Embed => "embed",
            Self::Chat => "chat",
            Self::Read => "read",
            Self::Relay => "relay",
        }
    }
}

/// What the cache did for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Everything was there.
    Hit,
    /// Some inputs were there.
    Partial,
    /// Nothing was there, and everything was being asked for already.
    Collapsed,
    /// Nothing was there.
    Miss,
    /// What was there had ended, and the provider failed.
    Stale,
    /// The cache was not asked.
    Bypass,
}

impl Outcome {
    /// Every outcome, in the order of the label's handles.
    pub const ALL: [Self; 6] =
        [Self::Hit, Self::Partial, Self::Collapsed, Self::Miss, Self::Stale, Self::Bypass];

    /// The value of the label `verdict`.
    pub fn label(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Partial => "partial",
            Self::Collapsed => "collapsed",
            Self::Miss => "miss",
            Self::Stale => "stale",
            Self::Bypass => "bypass",
        }
    }
}

/// Where an answer is kept, nearest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Layer {
    /// In this process.
    #[default]
    Memory,
    /// On this machine.
    Disk,
    /// Where other replicas look too.
    Redis,
}

impl Layer {
    /// The value of the label `tier`, and what `Cache-Status` says.
    pub fn label(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Disk => "disk",
            Self::Redis => "redis",
        }
    }
}

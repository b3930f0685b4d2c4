//! What a vector is packed from.

/// How a provider writes the 32-bit floats of its vectors as decimal text, which decides what
/// 64-bit floats a client reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numbers {
    /// The shortest text that reads back as the same 32-bit float: `0.1`.
    Shortest,
    /// The shortest text of the float widened to 64 bits: `0.10000000149011612`.
    Widened,
    /// Neither: the numbers are no 32-bit floats and are kept as 64-bit ones.
    Doubles,
    /// It has not been seen to print this one: it came as base64.
    Unseen,
    /// No numbers that larder reads: the components are 4 bytes that say how long the vector is,
    /// then the provider's own JSON text.
    Verbatim,
}

impl Numbers {
    pub(super) fn code(self) -> u8 {
        match self {
            Self::Shortest => 0,
            Self::Widened => 1,
            Self::Doubles => 2,
            Self::Unseen => 3,
            Self::Verbatim => 4,
        }
    }

    pub(super) fn of_code(code: u8) -> Option<Self> {
        [Self::Shortest, Self::Widened, Self::Doubles, Self::Unseen, Self::Verbatim]
            .into_iter()
            .find(|numbers| numbers.code() == code)
    }

    pub(super) fn width(self) -> usize {
        match self {
            Self::Verbatim => 1,
            Self::Doubles => 8,
            Self::Shortest | Self::Widened | Self::Unseen => 4,
        }
    }

    /// How many components the bytes of a vector hold.
    pub fn dimensions(self, components: &[u8]) -> usize {
        match components.first_chunk() {
            Some(length) if self == Self::Verbatim => u32::from_le_bytes(*length) as usize,
            _ => components.len() / self.width(),
        }
    }
}

/// What one vector is built from.
#[derive(Debug, Clone)]
pub struct Parts<'a> {
    /// The components, little-endian, as `numbers` says.
    pub components: &'a [u8],
    /// How the provider prints them.
    pub numbers: Numbers,
    /// Tokens that the provider counted for the input.
    pub tokens: u32,
    /// Whether they are a part of a call's count that was divided by size.
    pub is_estimate: bool,
    /// Whether base64 of the numbers is known to be the provider's.
    pub has_both_forms: bool,
    /// How the provider says what it counted.
    pub usage: Usage<'a>,
    /// Whether the provider numbers its items.
    pub indexed: bool,
    /// The members of the answer besides `data` and `usage`, as JSON text without braces.
    pub envelope: &'a str,
    /// The members of the item besides `index` and `embedding`, as JSON text without braces.
    pub item: &'a str,
}

/// How a provider says what it counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage<'a> {
    /// Whether it says `prompt_tokens`.
    pub prompt: bool,
    /// Whether it says `total_tokens`.
    pub total: bool,
    /// What else it says: members that do not count anything, as JSON text without braces.
    pub rest: &'a str,
}

impl Usage<'_> {
    /// Whether the provider says anything at all.
    pub fn is_some(&self) -> bool {
        self.prompt || self.total || !self.rest.is_empty()
    }
}

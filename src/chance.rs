//! For tests: numbers that look drawn, and are the same in every run (xorshift).

/// The next of them follows from the last.
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    /// A number below a bound.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 1).unwrap() % bound
    }

    /// Changes bytes in up to three places: puts one of these pieces in, or takes up to two bytes out.
    pub(crate) fn spoil(&mut self, out: &mut Vec<u8>, pieces: &[&str]) {
        for _ in 0..self.below(4) {
            let at = self.below(out.len());
            let end = (at + self.below(3)).min(out.len());
            let piece = pieces[self.below(pieces.len())].bytes();
            if self.below(3) == 0 {
                out.drain(at..end);
            } else {
                out.splice(at..at, piece);
            }
        }
    }
}

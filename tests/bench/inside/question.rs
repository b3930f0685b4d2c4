//! What is asked for: requests for embeddings, as bytes that are there before anything is measured.

/// The model that is asked.
pub const MODEL: &str = "text-embedding-3-small";

/// How much white space stands behind a body, to tell it from the one before.
const MARKS: usize = 32;

/// A request that can be made again, in the same bytes or in others that say the same.
pub struct Question {
    bytes: Vec<u8>,
    turn: u32,
}

impl Question {
    /// For the vectors of so many texts, as base64.
    pub fn of(inputs: u32) -> Self {
        let body = body(inputs, "base64") + &" ".repeat(MARKS);
        let head = format!(
            "POST /v1/embeddings HTTP/1.1\r\nhost: 127.0.0.1:5273\r\naccept: application/json\r\n\
             content-type: application/json\r\nuser-agent: bench\r\n\
             authorization: Bearer bench\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        Self { bytes: (head + &body).into_bytes(), turn: 0 }
    }

    /// In the bytes of last time.
    pub fn again(&self) -> &[u8] {
        &self.bytes
    }

    /// In bytes that did not come before, of the same number.
    pub fn anew(&mut self) -> &[u8] {
        self.turn += 1;
        for (bit, mark) in self.bytes.iter_mut().rev().take(MARKS).enumerate() {
            *mark = if self.turn >> bit & 1 == 1 { b'\t' } else { b' ' };
        }
        &self.bytes
    }
}

/// The body of a request for so many texts in an encoding.
pub fn body(inputs: u32, encoding: &str) -> String {
    let texts: Vec<String> = (0..inputs).map(text).collect();
    format!(r#"{{"model":"{MODEL}","input":{texts:?},"encoding_format":"{encoding}"}}"#)
}

/// One of many texts of 500 bytes.
pub fn text(number: u32) -> String {
    let mut text = format!("text {number} ") + &"lorem ipsum dolor sit amet ".repeat(19);
    text.truncate(500);
    text
}

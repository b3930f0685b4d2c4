//! Percent-encoding (RFC 3986, section 2.1).

/// The decoded text; `None` if an escape is wrong, or the bytes are not UTF-8.
pub(super) fn decoded(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend(rest.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_bytes() {
        assert_eq!(decoded("a%20b%C3%A9+").as_deref(), Some("a bé+"));
        for wrong in ["%", "%2", "%zz", "%ff", "%é1"] {
            assert_eq!(decoded(wrong), None, "{wrong}");
        }
    }
}

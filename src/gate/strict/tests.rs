use super::*;

const HEAD: &str = "POST /v1/x HTTP/1.1\r\nhost: a\r\n";

/// What is passed on of bytes that come in pieces of this size, and why the rest is not.
fn pieces(text: &[u8], size: usize) -> (usize, Option<Wrong>) {
    let mut strict = Strict::new(1 << 16);
    let mut passed = 0;
    for piece in text.chunks(size) {
        let look = strict.look(piece);
        passed += look.bytes;
        if look.wrong.is_some() {
            return (passed, look.wrong);
        }
    }
    (passed, None)
}

fn is_wrong(text: &str) -> bool {
    let whole = pieces(text.as_bytes(), usize::MAX).1;
    for size in [1, 2, 3, 5, 7, 24, 64] {
        assert_eq!(pieces(text.as_bytes(), size).1, whole, "{text:?} in pieces of {size}");
    }
    whole.is_some()
}

#[test]
fn what_is_well_formed_passes_however_it_is_cut() {
    for good in [
        format!("{HEAD}\r\n{HEAD}content-length: 5\r\n\r\nab\ncd{HEAD}\r\n"),
        format!(
            "{HEAD}Transfer-Encoding: Chunked\r\n\r\n5;a=b\r\na\n\0cd\r\n0\r\nx: y\r\n\r\n{HEAD}\r\n"
        ),
        format!("\r\n\r\n{HEAD}connection: keep-alive, x-mine\r\nexpect: 100-Continue\r\n\r\n"),
        "GET http://evil:80/v1?q HTTP/1.0\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\nhost:[::1]:80 \t\r\nempty:\r\n\r\n".to_owned(),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\n\n\0".to_owned(),
        "P".to_owned(),
    ] {
        assert!(!is_wrong(&good), "{good:?} {:?}", pieces(good.as_bytes(), usize::MAX));
    }
}

#[test]
fn what_can_be_read_in_two_ways_does_not_pass() {
    for bad in [
        "content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n",
        "content-length: 5\r\ncontent-length: 5\r\n\r\n",
        "content-length: 5, 5\r\n\r\n",
        "content-length: +5\r\n\r\n",
        "content-length: 18446744073709551615\r\n\r\n",
        "transfer-encoding: gzip, chunked\r\n\r\n",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n",
        "x: y\n\r\n",
        "x: y\r z\r\n",
        "x: y\r\n z\r\n",
        "x : y\r\n",
        ": y\r\n",
        "xy\r\n",
        "host: b\r\n",
        "connection: close, Authorization\r\n",
        "expect: more\r\n",
        "transfer-encoding: chunked\r\n\r\n0x5\r\n",
        "transfer-encoding: chunked\r\n\r\n5;\n",
        "transfer-encoding: chunked\r\n\r\n1\r\nab\r\n",
        "transfer-encoding: chunked\r\n\r\n0\r\nx y\r\n",
        "transfer-encoding: chunked\r\n\r\nffffffffffffffff\r\n",
    ] {
        assert!(is_wrong(&format!("{HEAD}{bad}")), "{bad:?}");
    }
    for bad in [
        "GET / HTTP/1.1\r\n\r\n",
        "GET /\r\n",
        "GET  / HTTP/1.1\r\n",
        "GET / HTTP/2.0\r\n",
        "GET ftp://a/ HTTP/1.1\r\n",
        "GET http://a@b/ HTTP/1.1\r\n",
        "GET /#a HTTP/1.1\r\n",
        "GET a HTTP/1.1\r\n",
        "CONNECT a:80 HTTP/1.1\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\0",
    ] {
        assert!(is_wrong(bad), "{bad:?}");
    }
}

#[test]
fn what_came_before_the_wrong_request_is_passed_on() {
    let good = format!("{HEAD}content-length: 3\r\n\r\nabc");
    let bad = format!("{good}{HEAD}content-length: 1\r\ncontent-length: 2\r\n\r\n");
    let mut strict = Strict::new(1 << 16);
    let passed = strict.look(bad.as_bytes());
    let kept = good.len() + HEAD.len() + "content-length: 1\r\n".len();
    assert_eq!(passed.bytes, kept);
    assert_eq!(strict.instead(3), Some(Ok(&b"\0\r\n"[..])));
    assert_eq!(strict.instead(30), Some(Ok(&b"\r\n"[..])));
    assert_eq!(strict.instead(30), Some(Ok(&b""[..])));
}

//! What is packed is what is read.

use super::*;

fn packed(components: &[u8], numbers: Numbers) -> Vector {
    let parts = Parts {
        components,
        numbers,
        tokens: 7,
        is_estimate: true,
        has_both_forms: true,
        usage: Usage { prompt: true, total: false, rest: r#""cost":null"# },
        indexed: true,
        envelope: r#""object":"list","model":"m""#,
        item: r#""object":"embedding""#,
    };
    Vector::pack(&parts).unwrap()
}

fn f32s(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|n| n.to_le_bytes()).collect()
}

#[test]
fn what_is_packed_is_what_is_read() {
    let vector = packed(&f32s(&[0.1, -2.0, 3.5e-8]), Numbers::Shortest);
    let vector = Vector::view(Arc::clone(vector.bytes())).unwrap();
    assert_eq!(vector.dimensions(), 3);
    assert_eq!(vector.tokens(), 7);
    assert!(vector.is_estimate() && vector.has_both_forms());
    assert_eq!(vector.usage(), Usage { prompt: true, total: false, rest: r#""cost":null"# });
    assert!(vector.indexed());
    assert_eq!(vector.envelope(), r#""object":"list","model":"m""#);
    assert_eq!(vector.item(), r#""object":"embedding""#);
    let mut text = Vec::new();
    vector.write_floats(&mut text);
    assert_eq!(text, b"[0.1,-2.0,3.5e-8]");
}

#[test]
fn each_way_of_printing_gives_the_providers_doubles() {
    let floats = |vector: Vector| {
        let mut text = Vec::new();
        vector.write_floats(&mut text);
        serde_json::from_slice::<Vec<f64>>(&text).unwrap()
    };
    assert_eq!(floats(packed(&f32s(&[0.1]), Numbers::Shortest)), [0.1]);
    assert_eq!(floats(packed(&f32s(&[0.1]), Numbers::Widened)), [f64::from(0.1f32)]);
    let exact = 0.123_456_789_012_345_68_f64;
    assert_eq!(floats(packed(&exact.to_le_bytes(), Numbers::Doubles)), [exact]);
}

#[test]
fn base64_is_of_the_32_bit_floats_however_they_are_printed() {
    let base64 = |vector: Vector| {
        let mut text = Vec::new();
        vector.write_base64(&mut text);
        text
    };
    let shortest = base64(packed(&f32s(&[0.5]), Numbers::Shortest));
    assert_eq!(shortest, STANDARD.encode_to_string(0.5f32.to_le_bytes()).into_bytes());
    assert_eq!(base64(packed(&0.5f64.to_le_bytes(), Numbers::Doubles)), shortest);
}

#[test]
fn what_is_kept_verbatim_comes_back_as_it_was() {
    let vector = packed(b"\x02\0\0\0[12,-3]", Numbers::Verbatim);
    let vector = Vector::view(Arc::clone(vector.bytes())).unwrap();
    let mut text = Vec::new();
    vector.write_floats(&mut text);
    assert_eq!((text.as_slice(), vector.dimensions()), (&b"[12,-3]"[..], 2));
    assert_eq!(vector.item(), r#""object":"embedding""#);
    for broken in [&b"\x02\0\0"[..], b"\x02\0\0\0\xff"] {
        let bytes = Arc::clone(packed(broken, Numbers::Verbatim).bytes());
        assert_eq!(Vector::view(bytes), None);
    }
}

#[test]
fn bytes_that_are_no_vector_are_refused() {
    let good = packed(&f32s(&[1.0, 2.0]), Numbers::Shortest);
    for cut in 0..good.bytes().len() {
        assert_eq!(Vector::view(good.bytes()[..cut].into()), None, "cut at {cut}");
    }
    for at in [0, 1, 8, 9, 12, 13, 14, 15, 16, 17] {
        let mut bytes = good.bytes().to_vec();
        bytes[at] ^= 0x40;
        assert_eq!(Vector::view(bytes.into()), None, "flipped at {at}");
    }
}

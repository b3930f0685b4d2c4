//! Nothing that a client says in confidence is to be found anywhere but at its provider.

use std::fs;
use std::path::Path;
use std::process::Output;

use base64_simd::{STANDARD, URL_SAFE_NO_PAD};
use http::Method;
use rustls::SupportedCipherSuite;
use rustls::crypto::ring::default_provider;
use serde_json::json;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use crate::harness::{
    Asked, Client, RedisServer, Scripted, Sidecar, answer, config_file, free_port, json as reply,
    larder, path, until,
};

/// A credential in every place that one can be in, and texts that are nobody else's business.
const CANARIES: &[&str] = &[
    "sk-Canary0Qh7vBearerZw3n",
    "Canary1Kx5tApiKeyHeaderPd",
    "Canary2Mf8rAzureKeyHdrLs",
    "Canary3Tb2wQueryKeyValGc",
    "Canary4Yj6pProxyAuthXyNq",
    "Canary5Vd9sCookieValueRm",
    "Canary6Hs4kUserinfoWordBt",
    "Canary7Wn1cRedisWordJfzx",
    "Canary8Lg3mCacheSecretVe",
    "Canary9Pz7dPromptTextOuqk",
    "CanaryA2r5hInputTextIlyzw",
    "CanaryB6c8fGoogleKeyDtSno",
];

const USERINFO: &str = CANARIES[6];

/// Every form of a canary that is not to be found: any eight bytes of it, its base64, its digests.
fn forms(canary: &str) -> Vec<Vec<u8>> {
    let bytes = canary.as_bytes();
    let mut forms: Vec<Vec<u8>> = bytes.windows(8).map(<[u8]>::to_vec).collect();
    for encoded in [STANDARD.encode_to_string(bytes), URL_SAFE_NO_PAD.encode_to_string(bytes)] {
        // Its last digits depend on what follows.
        forms.push(encoded.as_bytes()[..encoded.len() - 4].to_vec());
    }
    let whole = [canary.to_owned(), format!("Bearer {canary}")];
    for text in &whole {
        let text = text.as_bytes();
        let blake: [u8; 32] = blake3::hash(text).into();
        let digests: [Vec<u8>; 4] = [
            sha256(text),
            blake.to_vec(),
            xxh3_64(text).to_be_bytes().to_vec(),
            xxh3_128(text).to_be_bytes().to_vec(),
        ];
        for digest in digests {
            forms.push(digest.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect());
            forms.push(digest);
        }
    }
    forms
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    default_provider()
        .cipher_suites
        .iter()
        .find_map(SupportedCipherSuite::tls13)
        .expect("a suite of TLS 1.3")
        .common
        .hash_provider
        .hash(bytes)
        .as_ref()
        .to_vec()
}

/// What of the canaries is in these bytes.
fn found(place: &str, bytes: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for canary in CANARIES {
        for form in forms(canary) {
            if memchr::memmem::find(bytes, &form).is_some() {
                found.push(format!("{place}: {:?} of {canary}", String::from_utf8_lossy(&form)));
                break;
            }
        }
    }
    found
}

fn files(folder: &Path, out: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().path();
        if file.is_dir() {
            files(&file, out);
        } else {
            out.push((file.display().to_string(), fs::read(&file).unwrap()));
        }
    }
}

/// Every key of a Redis with all of its value.
fn kept_in(redis: &RedisServer) -> Vec<u8> {
    let keys = redis.cli(&["KEYS", "*"]);
    let values = keys.lines().flat_map(|key| bytes(&redis.cli(&["--no-raw", "DUMP", key])));
    let values: Vec<u8> = values.collect();
    [keys.as_bytes(), &values].concat()
}

/// What the command line client prints where it does not print bytes as they are.
fn bytes(printed: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = printed.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = after.strip_prefix(b"x").and_then(|digits| digits.get(..2));
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if *first == b'\\' => {
                out.push(byte);
                rest = &after[3..];
            }
            _ => {
                out.push(*first);
                rest = after;
            }
        }
    }
    out
}

const HEADERS: &[(&str, &str)] = &[
    ("content-type", "application/json"),
    ("authorization", "Bearer sk-Canary0Qh7vBearerZw3n"),
    ("x-api-key", "Canary1Kx5tApiKeyHeaderPd"),
    ("api-key", "Canary2Mf8rAzureKeyHdrLs"),
    ("x-goog-api-key", "CanaryB6c8fGoogleKeyDtSno"),
    ("proxy-authorization", "Basic Canary4Yj6pProxyAuthXyNq"),
    ("cookie", "session=Canary5Vd9sCookieValueRm"),
];

/// A provider that tells in its errors all that it was told.
fn gossip() -> Scripted {
    Scripted::start(|asked: Asked| async move {
        let body = asked.json();
        if asked.path.contains("chat") {
            let choice = json!({
                "index": 0, "finish_reason": "stop",
                "message": { "role": "assistant", "content": "nothing of it" },
            });
            let words = json!({ "id": "x", "object": "chat.completion", "model": "m", "choices": [choice] });
            return Some(reply(200, &words));
        }
        match body["user"].as_str() {
            None => Some(reply(404, &json!({ "error": { "message": "what is that?" } }))),
            Some("cut") => None,
            Some("refused") => {
                let heard = format!("{:?} {body} {}", asked.headers, asked.path);
                Some(reply(400, &json!({ "error": { "message": heard } })))
            }
            Some("broken") => {
                let heard = format!("{:?} {body} {}", asked.headers, asked.path);
                Some(reply(500, &json!({ "error": { "message": heard } })))
            }
            Some("nonsense") => {
                let heard = format!("{:?} {body}", asked.headers);
                Some(reply(200, &json!({ "object": "list", "data": [heard], "model": heard })))
            }
            _ => Some(reply(200, &answer(&asked))),
        }
    })
}

/// Everything that can go well or wrong, with a canary wherever one can be.
async fn ask_everything(client: &Client, sidecar: &Sidecar) {
    let input = CANARIES[10];
    let path = format!("/v1/embeddings?key={}", CANARIES[3]);
    let text = |user: &str, number: u32| {
        json!({ "model": "text-embedding-3-small", "input": [format!("{input} {number}"), "x"], "user": user })
            .to_string()
    };
    for (number, user) in (0..).zip(["good", "good", "refused", "broken", "nonsense", "cut"]) {
        for _ in 0..2 {
            client.send(Method::POST, &path, HEADERS, text(user, number / 2)).await;
            client.send(Method::POST, &path, HEADERS, text(user, number + 10)).await;
        }
    }
    let words = json!({
        "model": "m", "temperature": 0,
        "messages": [{ "role": "user", "content": CANARIES[9] }],
    });
    let chat = format!("/v1/chat/completions?key={}", CANARIES[3]);
    for _ in 0..2 {
        client.send(Method::POST, &chat, HEADERS, words.to_string()).await;
    }
    let unreadable = format!("{{\"model\":\"{input}\",\"input\":");
    client.send(Method::POST, &path, HEADERS, unreadable).await;
    for more in ["/v1/models", "/v1/files", "/unheard/of"] {
        let path = format!("{more}?api_key={}", CANARIES[3]);
        client.send(Method::GET, &path, HEADERS, "").await;
    }
    let lines: Vec<_> =
        HEADERS.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let lines = lines.concat();
    for malformed in [
        format!("GET /v1/models?key={} HTTP/1.1\r\n{lines}x: {input}\n\r\n", CANARIES[3]),
        format!("GET http://user:{USERINFO}@x/v1/models HTTP/1.1\r\nhost: x\r\n{lines}\r\n"),
        format!("GET /v1/models HTTP/1.1\r\nhost: x\r\n{lines}x: {input}\0\r\n\r\n"),
        format!("GET /v1/../{input} HTTP/1.1\r\nhost: x\r\n{lines}\r\n"),
        format!("{USERINFO} / HTTP/1.1\r\n{lines}\r\n"),
        format!(
            "POST /v1/embeddings HTTP/1.1\r\nhost: x\r\n{lines}content-length: 5000\r\n\r\n{input}"
        ),
    ] {
        let mut raw = crate::harness::Raw::connect(sidecar.proxy).await;
        raw.send(malformed).await;
        raw.stream_ends().await;
    }
}

#[tokio::test]
async fn a_secret_is_nowhere_but_at_its_provider() {
    let port = free_port();
    let listen = ["--port", &port.to_string(), "--bind", "127.0.0.1", "--requirepass", CANARIES[7]];
    let mut redis = RedisServer::down(port, &listen);
    redis.client = ["-a", CANARIES[7], "--no-auth-warning"].map(str::to_owned).to_vec();
    redis.up().await;
    let provider = gossip();
    let folder = path("secrets");
    let config = format!(
        "[log]\nlevel = \"trace\"\n[providers.openai]\nbreaker_failures = 0\n[server]\nbody_timeout = \"300ms\"\n\
         [cache]\nsecret = \"{}\"\n[disk]\ndir = {folder:?}\n\
         [redis]\nurl = \"redis://:{}@127.0.0.1:{}\"\ntimeout = \"500ms\"\n",
        CANARIES[8], CANARIES[7], redis.port
    );
    let mut sidecar = Sidecar::with(provider.address, &config);
    crate::shared::ready(&sidecar).await;
    ask_everything(&sidecar.client(), &sidecar).await;
    let in_redis = || async { redis.cli(&["DBSIZE"]).parse().unwrap_or(0) > 2 };
    until("something is in redis", in_redis).await;
    let mut places = vec![("redis".to_owned(), kept_in(&redis))];
    for asked in ["/metrics", "/api/entries", "/api/stats", "/", "/healthz"] {
        places.push((asked.to_owned(), sidecar.admin().get(asked).await.body.to_vec()));
    }
    // A reload that fails says why.
    sidecar.rewrite(&config.replace("[disk]", "[disk]\nnonsense = 1"));
    let said = sidecar.admin().send(Method::POST, "/api/reload", &[], "").await;
    assert_eq!(said.status, 422);
    places.push(("reload".to_owned(), said.body.to_vec()));
    sidecar.signal("TERM");
    sidecar.ended().await;
    let log = sidecar.log();
    assert!(log.contains("DEBUG") && log.contains("malformed request rejected"), "{log}");
    places.push(("log".to_owned(), log.into_bytes()));
    let file = config_file(&config);
    let checked: Output = larder(&["check", "--config", file.name()]).output().unwrap();
    assert!(checked.status.success(), "{checked:?}");
    places.push(("check".to_owned(), [checked.stdout, checked.stderr].concat()));
    files(&folder, &mut places);
    let found: Vec<String> = places.iter().flat_map(|(place, bytes)| found(place, bytes)).collect();
    let size: usize = places.iter().map(|(_, bytes)| bytes.len()).sum();
    eprintln!("{size} bytes in {} places", places.len());
    drop(fs::remove_dir_all(&folder));
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_canary_is_found_where_there_is_one() {
    assert_eq!(bytes("a\\x00b\\n"), b"a\0b\\n");
    for form in forms(CANARIES[0]) {
        let bytes = [b"before ", &form[..], b" after"].concat();
        assert_eq!(found("here", &bytes).len(), 1);
    }
    assert!(found("here", b"Canary nothing of it").is_empty());
}

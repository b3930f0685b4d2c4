//! Wrong files, each with the line, the key and a part of the reason of its error.

use super::*;

/// A file, and the beginning and a part of its only error.
type Case = (&'static str, &'static str, &'static str);

const SYNTAX: [Case; 5] = [
    ("[server]\nlisten = \n", "larder.toml:2: server.listen: ", ""),
    ("[server\nlisten = 1\n", "larder.toml:1: ", ""),
    ("[server]\ndrain = \"1s\"\ndrain = \"2s\"\n", "larder.toml:3: server.drain: ", "duplicate"),
    ("[cache]\nmemory = 1GiB\n", "larder.toml:2: cache.memory: ", ""),
    ("[cache]\nsecret = \"canary\n", "larder.toml:2: cache.secret: ", ""),
];

const NAMES: [Case; 9] = [
    (
        "[server]\nlisen = \"127.0.0.1:1\"\n",
        "larder.toml:2: server.lisen: ",
        "did you mean `listen`",
    ),
    ("\n[cashe]\n", "larder.toml:2: cashe: ", "did you mean `cache`"),
    ("memory = \"1GiB\"\n", "larder.toml:1: memory: ", "unknown section"),
    ("server = 1\n", "larder.toml:1: server: ", "write it as [server]"),
    ("providers.openai = 1\n", "larder.toml:1: providers.openai: ", "[providers.NAME]"),
    ("rules = 1\n", "larder.toml:1: rules: ", "write each rule as [[rules]]"),
    ("[server]\n[server.default]\na = 1\n", "larder.toml:2: server.default: ", "unknown key"),
    (
        "[providers.opnai]\nmax_inputs = 1\n",
        "larder.toml:1: providers.opnai.base_url: ",
        "did you mean \"openai\"",
    ),
    (
        "[providers.\"a/b\"]\nbase_url = \"http://a\"\n",
        "larder.toml:1: providers.a/b: ",
        "not a name of a provider",
    ),
];

const VALUES: [Case; 19] = [
    ("[server]\nlisten = \"5273\"\n", "larder.toml:2: server.listen: ", "an IP address and a port"),
    ("[server]\nlisten = 5273\n", "larder.toml:2: server.listen: ", "an IP address and a port"),
    ("[server]\ndrain = 30\n", "larder.toml:2: server.drain: ", "did you mean \"30s\""),
    ("[server]\ndrain = \"30 secs\"\n", "larder.toml:2: server.drain: ", "1h30m"),
    ("[server]\neager = \"yes\"\n", "larder.toml:2: server.eager: ", "true or false"),
    ("[server]\nthreads = -1\n", "larder.toml:2: server.threads: ", "not negative"),
    ("[server]\nmode = \"reply\"\n", "larder.toml:2: server.mode: ", "replay"),
    (
        "[server]\nunix_socket = \"x.sock\"\n",
        "larder.toml:2: server.unix_socket: ",
        "absolute path",
    ),
    ("[server]\nupgrade_socket = \"\"\n", "larder.toml:2: server.upgrade_socket: ", "absolute"),
    ("[cache]\nmemory = 1024\n", "larder.toml:2: cache.memory: ", "did you mean \"1024MiB\""),
    ("[cache]\nmemory = \"1gb\"\n", "larder.toml:2: cache.memory: ", "1GiB"),
    ("[cache]\nmemory = [1]\n", "larder.toml:2: cache.memory: ", "without brackets"),
    ("[cache]\nscope = \"all\"\n", "larder.toml:2: cache.scope: ", "header:NAME"),
    ("[cache]\nharmless_headers = [\"a,b\"]\n", "larder.toml:2: cache.harmless_headers: ", "comma"),
    ("[log]\nlevel = \"verbose\"\n", "larder.toml:2: log.level: ", "debug"),
    (
        "[traces]\nprotocol = \"grpc\"\n",
        "larder.toml:2: traces.protocol: ",
        "gRPC is not supported",
    ),
    ("[traces]\nsample = 2\n", "larder.toml:2: traces.sample: ", "from 0 to 1"),
    ("[prices]\nown = [\"gpt\"]\n", "larder.toml:2: prices.own: ", "MODEL=INPUT"),
    ("[server]\nlisten = 2026-01-01\n", "larder.toml:2: server.listen: ", "got a date"),
];

const SERVER: [Case; 14] = [
    (
        "[server]\nlisten = \"0.0.0.0:5274\"\n",
        "larder.toml:2: server.listen: ",
        "server.admin_listen (127.0.0.1:5274)",
    ),
    (
        "[server]\ndefault_provider = \"opnai\"\n",
        "larder.toml:2: server.default_provider: ",
        "did you mean \"openai\"",
    ),
    (
        "[server]\nadmin_listen = \"0.0.0.0:1\"\n",
        "larder.toml:2: server.admin_listen: ",
        "LARDER_ADMIN_TOKEN",
    ),
    (
        "[server]\nadmin_listen = \"127.0.0.1:5273\"\n",
        "larder.toml:2: server.admin_listen: ",
        "choose another",
    ),
    (
        "[server]\nunix_socket = \"/run/larder-upgrade.sock\"\n",
        "larder.toml:2: server.unix_socket: ",
        "choose another path",
    ),
    ("[server]\nmode = \"record\"\n", "larder.toml:1: server.recordings: ", "--recordings"),
    ("[server]\nmax_connections = 0\n", "larder.toml:2: server.max_connections: ", "at least 1"),
    ("[server]\nhead_timeout = 0\n", "larder.toml:2: server.head_timeout: ", "fail every time"),
    ("[server]\nmax_body = 0\n", "larder.toml:2: server.max_body: ", "more than 0"),
    (
        "[server]\nmax_body = \"2MiB\"\nmax_in_flight = \"1MiB\"\n",
        "larder.toml:3: server.max_in_flight: ",
        "less than server.max_body",
    ),
    (
        "[cache]\nmax_transcript = \"2MiB\"\n[server]\nmax_answers = \"1MiB\"\n",
        "larder.toml:4: server.max_answers: ",
        "less than cache.max_transcript",
    ),
    ("[redis]\ntimeout = \"1ms\"\n", "larder.toml:2: redis.timeout: ", "at least 2ms"),
    ("[server]\ntls_cert = \"/dev/null\"\n", "larder.toml:1: server.tls_key: ", "TLS needs both"),
    ("[server]\ntls_key = \"/no/such\"\n", "larder.toml:2: server.tls_key: ", "/no/such"),
];

const ACCESS: [Case; 4] = [
    ("[access]\nauth = \"allowlist\"\n", "larder.toml:2: access.auth: ", "LARDER_KEYS"),
    ("[access]\nkeys = [\"canary\"]\n", "larder.toml:1: access.auth: ", "remove the keys"),
    ("[access]\nkeys_file = \"/no/such\"\n", "larder.toml:2: access.keys_file: ", "/no/such"),
    ("[traces]\nendpoint = \"here\"\n", "larder.toml:2: traces.endpoint: ", "http"),
];

const PROVIDERS: [Case; 14] = [
    ("\n[providers.mine]\n", "larder.toml:2: providers.mine.base_url: ", "not a built-in provider"),
    (
        "[providers.openai]\nbase_url = \"ftp://a\"\n",
        "larder.toml:2: providers.openai.base_url: ",
        "http(s)://HOST",
    ),
    (
        "[providers.openai]\nbase_url = \"https://user:canary@a\"\n",
        "larder.toml:2: providers.openai.base_url: ",
        "without credentials",
    ),
    (
        "[providers.openai]\ndialect = \"opanai\"\n",
        "larder.toml:2: providers.openai.dialect: ",
        "did you mean \"openai\"",
    ),
    (
        "[providers.openai]\nfallback = [\"cohre\"]\n",
        "larder.toml:2: providers.openai.fallback: ",
        "did you mean \"cohere\"",
    ),
    (
        "[providers.openai]\nfallback = [\"cohere\"]\n",
        "larder.toml:2: providers.openai.fallback: ",
        "another dialect",
    ),
    (
        "[providers.openai]\napi_key_env = \"LARDER_NO_SUCH_KEY\"\n",
        "larder.toml:2: providers.openai.api_key_env: ",
        "is not set",
    ),
    (
        "[providers.openai]\napi_key_env = \"sk-canary\"\n",
        "larder.toml:2: providers.openai.api_key_env: ",
        "in capitals",
    ),
    (
        "[providers.openai]\nmax_connections = 0\n",
        "larder.toml:2: providers.openai.max_connections: ",
        "at least 1",
    ),
    (
        "[providers.openai]\ntotal_timeout = 0\n",
        "larder.toml:2: providers.openai.total_timeout: ",
        "fail every time",
    ),
    (
        "[providers.openai]\nretry_percent = 101\n",
        "larder.toml:2: providers.openai.retry_percent: ",
        "100 percent",
    ),
    (
        "[providers.openai]\nfirst_byte_timeout = \"2s\"\ntotal_timeout = \"1s\"\n",
        "larder.toml:3: providers.openai.total_timeout: ",
        "less than providers.openai.first_byte_timeout",
    ),
    (
        "[providers.openai]\nwarm_connections = 30\n",
        "larder.toml:2: providers.openai.warm_connections: ",
        "more than max_connections",
    ),
    (
        "[providers.openai]\ncache_routes = [\"rerank\", \"chat\"]\n",
        "larder.toml:2: providers.openai.cache_routes: ",
        "moderations",
    ),
];

const LISTS: [Case; 7] = [
    ("\n[[rules]]\nthen.cache = \"off\"\n", "larder.toml:2: rules[0].name: ", "is missing"),
    ("[[rules]]\nname = \"a\"\n", "larder.toml:1: rules[0].then: ", "exactly one of"),
    (
        "[[rules]]\nname = \"a\"\nthen.provider = \"cohre\"\n",
        "larder.toml:3: rules[0].then.provider: ",
        "did you mean \"cohere\"",
    ),
    (
        "[[rules]]\nname = \"a\"\n[rules.then]\ncache = \"off\"\nttl = \"1s\"\n[rules.when]\n\
         words_at_least = 3\nfewer_words_than = 3\n",
        "larder.toml:8: rules[0].when.fewer_words_than: ",
        "more than words_at_least",
    ),
    (
        "[providers.openai]\nroutes = [1]\n",
        "larder.toml:2: providers.openai.routes[0]: ",
        "[[providers.openai.routes]]",
    ),
    (
        "[[providers.openai.routes]]\nkind = \"read\"\npath = \"/a\"\n",
        "larder.toml:1: providers.openai.routes[0].ttl: ",
        "is missing",
    ),
    (
        "[providers.s]\nbase_url = \"http://a\"\n[[providers.s.routes]]\nkind = \"write\"\npath = \"/a\"\n",
        "larder.toml:3: providers.s.routes: ",
        "generic",
    ),
];

#[test]
fn every_error_has_the_file_the_line_and_the_key() {
    let all = [&SYNTAX[..], &NAMES, &VALUES, &SERVER, &ACCESS, &PROVIDERS, &LISTS];
    let cases: Vec<&Case> = all.into_iter().flatten().collect();
    assert!(cases.len() >= 60, "{}", cases.len());
    let mut wrong = Vec::new();
    for (text, beginning, part) in cases {
        let problems = match Config::read("larder.toml", text, &[]) {
            Ok(_) => Vec::new(),
            Err(problems) => problems.iter().map(ToString::to_string).collect(),
        };
        let is_right = problems.len() == 1
            && problems.iter().all(|problem| {
                problem.starts_with(beginning)
                    && problem.contains(part)
                    && !problem.contains("canary")
            });
        if !is_right {
            wrong.push(format!("{text}\n  expected {beginning}…{part}…\n  got {problems:#?}\n"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_key_of_a_variable_names_the_variable() {
    let over = |key: &str, text: &str, place: &str| Override {
        key: key.to_owned(),
        text: text.to_owned(),
        place: place.to_owned(),
    };
    for (set, right) in [
        (over("cache.memory", "1", "LARDER_CACHE_MEMORY"), "LARDER_CACHE_MEMORY: cache.memory: "),
        (
            over("providers.new.max_inputs", "1", "LARDER_PROVIDERS_NEW_MAX_INPUTS"),
            "LARDER_PROVIDERS_NEW_MAX_INPUTS: providers.new.base_url: ",
        ),
        (over("access.keys", "canary", "LARDER_KEYS"), "LARDER_KEYS: access.auth: "),
    ] {
        let problems = Config::read("defaults", "", &[set]).unwrap_err();
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert!(problems.len() == 1 && problems[0].starts_with(right), "{problems:?}");
        assert!(!problems[0].contains("canary"), "{problems:?}");
    }
}

use super::*;

fn problems(text: &str) -> Vec<String> {
    let problems = Config::read("larder.toml", text, &[]).unwrap_err();
    problems.iter().map(ToString::to_string).collect()
}

#[test]
fn nothing_at_all_is_a_valid_configuration() {
    let config = Config::read("none", "", &[]).unwrap();
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:5273");
    assert_eq!(config.providers["openai"].base_url, "https://api.openai.com/v1");
    assert_eq!(config.providers["cohere"].dialect, "cohere");
    let built_in: Vec<&str> = BUILT_IN.iter().map(|built_in| built_in.name).collect();
    assert_eq!(config.providers.keys().map(String::as_str).collect::<Vec<_>>(), built_in);
    assert_eq!(built_in.len(), 16);
}

#[test]
fn an_override_may_bring_a_provider_that_is_not_built_in() {
    let over = Override {
        key: "providers.azure.base_url".to_owned(),
        text: "https://mine.openai.azure.com".to_owned(),
        place: "AZURE_OPENAI_ENDPOINT".to_owned(),
    };
    let config = Config::read("none", "", &[over]).unwrap();
    assert_eq!(config.providers["azure"].dialect, "azure");
}

#[test]
fn every_default_is_valid() {
    let config = Config::read("none", &reference::defaults(), &[]);
    assert!(config.is_ok(), "{config:?}");
}

#[test]
fn all_problems_come_at_once_with_their_lines_and_the_nearest_key() {
    let text =
        "[server]\nlisen = \"127.0.0.1:1\"\ndrain = \"30\"\n\n[cashe]\n[cache]\nmemory = true\n";
    assert_eq!(
        problems(text),
        [
            "larder.toml:2: server.lisen: unknown key; did you mean `listen`?",
            "larder.toml:3: server.drain: 30 has no unit; did you mean \"30s\"?",
            "larder.toml:5: cashe: unknown section; did you mean `cache`?",
            "larder.toml:7: cache.memory: expected a size such as \"64KiB\" or \"1GiB\", got \"true\"",
        ]
    );
}

#[test]
fn broken_toml_is_one_problem_with_its_line() {
    let found = problems("[server]\nlisten = \n");
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("larder.toml:2: "), "{found:?}");
}

#[test]
fn providers_need_an_address_and_a_known_dialect() {
    let text =
        "[providers.mine]\n[providers.other]\nbase_url = \"ftp://x\"\ndialect = \"opanai\"\n";
    let found = problems(text);
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found[2].contains("did you mean \"openai\"?"), "{found:?}");
}

#[test]
fn what_cannot_be_told_apart_is_refused() {
    for text in [
        "[providers.\"a/b\"]\nbase_url = \"http://a\"\n",
        "[providers.\"\"]\nbase_url = \"http://a\"\n",
        "[cache]\nharmless_headers = [\"one,two\"]\n",
        "[cache]\nharmless_headers = [\" one\"]\n",
        "[server]\nmax_connections = 0\n",
        "[redis]\ntimeout = \"1ms\"\n",
        "[server]\ndrain = \"1000000000000d\"\n",
        "[providers.openai]\nfallback = [\"openai\"]\n",
    ] {
        assert_eq!(problems(text).len(), 1, "{text}: {:?}", problems(text));
    }
    let other = |url: &str| {
        format!(
            "[providers.a]\nbase_url = \"https://one.example/v1\"\nfallback = [\"b\"]\n\
             [providers.b]\nbase_url = \"{url}\"\n"
        )
    };
    for url in ["https://one.example:8443/v2", "https://ONE.example"] {
        assert!(Config::read("", &other(url), &[]).is_ok(), "{url}");
    }
    for (url, why) in
        [("http://one.example", "without TLS"), ("https://two.example", "another host")]
    {
        let found = problems(&other(url));
        assert!(found.len() == 1 && found[0].contains(why), "{url}: {found:?}");
    }
}

#[test]
fn a_credential_in_the_wrong_place_is_not_printed() {
    for (key, value) in [
        ("base_url", "https://user:canary@host/v1"),
        ("base_url", "https://host/v1?key=canary"),
        ("base_url", "user:canary@host"),
        ("api_key_env", "sk-canary"),
    ] {
        let found = problems(&format!("[providers.openai]\n{key} = \"{value}\"\n"));
        assert!(!format!("{found:?}").contains("canary"), "{found:?}");
    }
}

#[test]
fn a_provider_speaks_the_dialect_of_its_name_unless_told_otherwise() {
    let text = "[providers.azure]\nbase_url = \"https://mine.openai.azure.com\"\n\
                [providers.mine]\nbase_url = \"http://a\"\n\
                [providers.tei]\ndialect = \"vllm\"\n";
    let config = Config::read("larder.toml", text, &[]).unwrap();
    let dialect = |name: &str| config.providers[name].dialect.clone();
    assert_eq!([dialect("azure"), dialect("mine"), dialect("tei")], ["azure", "openai", "vllm"]);
}

#[test]
fn a_flag_stands_above_the_file() {
    let over = Override {
        key: "server.listen".to_owned(),
        text: "127.0.0.1:9".to_owned(),
        place: "--listen".to_owned(),
    };
    let file = "[server]\nlisten = \"127.0.0.1:8\"\n";
    let config = Config::read("larder.toml", file, &[over]).unwrap();
    assert_eq!(config.server.listen.port(), 9);
}

#[test]
fn an_admin_listener_off_loopback_is_refused() {
    let found = problems("[server]\nadmin_listen = \"0.0.0.0:5274\"\n");
    assert!(found[0].contains("needs server.admin_token"), "{found:?}");
}

#[test]
fn what_differs_from_the_defaults_is_printed_as_toml_and_read_again() {
    let text = "[server]\nlisten = \"127.0.0.1:7\"\ndrain = \"30s\"\n[cache]\nsecret = \"canary\"\n\
                memory = 1_000_000\nharmless_headers = [\"a\", \"b\"]\n[redis]\n\
                url = \"redis://:canary@db\"\n[[rules]]\nname = \"a\"\nwhen.words_at_least = 3\n\
                then.answer = 'say \"hi\"'\n[[rules]]\nname = \"b\"\nthen.cache = \"off\"\n\
                [providers.\"a.b\"]\nbase_url = \"http://a\"\ndialect = \"generic\"\n\
                [[providers.\"a.b\".routes]]\nkind = \"write\"\npath = \"/a\"\n\
                [[providers.\"a.b\".routes]]\nkind = \"read\"\npath = \"/b\"\nttl = \"1s\"\n";
    let over = Override {
        key: "log.level".to_owned(),
        text: "debug".to_owned(),
        place: "LARDER_LOG_LEVEL".to_owned(),
    };
    let config = Config::read("larder.toml", text, &[over]).unwrap();
    let printed = config.differences();
    assert!(!printed.contains("canary") && !printed.contains("drain"), "{printed}");
    assert!(printed.contains("level = \"debug\" # LARDER_LOG_LEVEL\n"), "{printed}");
    assert!(printed.contains("url = \"redis://***@db\"\n"), "{printed}");
    let again = Config::read("printed", &printed, &[]).unwrap();
    let rest = |text: String| text.replace(" # LARDER_LOG_LEVEL", "");
    assert_eq!(again.differences(), rest(printed));
    assert_eq!((again.rules.len(), again.providers["a.b"].routes.0.len()), (2, 2));
    assert_eq!(Config::read("none", "", &[]).unwrap().differences(), "");
}

#[test]
fn an_open_listener_without_authentication_is_a_warning() {
    let open = "[server]\nlisten = \"0.0.0.0:1\"\n";
    let config = Config::read("larder.toml", open, &[]).unwrap();
    assert!(config.warnings()[0].contains("access.auth"), "{:?}", config.warnings());
    let with_keys = format!("{open}[access]\nauth = \"verify\"\n");
    for text in ["", &with_keys] {
        let config = Config::read("larder.toml", text, &[]).unwrap();
        assert!(config.warnings().is_empty(), "{:?}", config.warnings());
    }
}

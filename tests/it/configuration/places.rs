//! Errors that are found after the file was read have its line too.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::harness::{complaints, path};

#[test]
fn an_error_of_the_build_has_the_line_of_its_key() {
    for (text, right) in [
        ("[cache]\nharmless_headers = [\"a b\"]\n", ":2: cache.harmless_headers: \"a b\""),
        ("[cache]\nscope = \"header:authorization\"\n", ":2: cache.scope: authorization"),
        ("[disk]\nsize = \"1GiB\"\ndir = \"/dev/null\"\n", ":3: disk.dir: "),
        ("[redis]\nurl = \"http://:canary@a\"\n", ":2: redis.url: expected redis://"),
        (
            "[redis]\nurl = \"rediss://a\"\nca_file = \"/no/such\"\n",
            ":3: redis.ca_file: /no/such: ",
        ),
        (
            "[providers.openai]\nca_file = \"/no/such\"\n",
            ":2: providers.openai.ca_file: /no/such: ",
        ),
    ] {
        let said = complaints(text);
        let is_right = said.len() == 1 && said[0].starts_with(right) && !said[0].contains("canary");
        assert!(is_right, "{right}\nin {said:#?}");
    }
}

#[test]
fn a_file_of_keys_that_every_user_may_read_is_refused() {
    let file = path("open-keys");
    fs::write(&file, "canary\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let said = complaints(&format!("[access]\nauth = \"allowlist\"\nkeys_file = {file:?}\n"));
    fs::remove_file(&file).unwrap();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].starts_with(":3: access.keys_file: "), "{said:?}");
    assert!(said[0].contains("chmod 600") && !said[0].contains("canary"), "{said:?}");
}

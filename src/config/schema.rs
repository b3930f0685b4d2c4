//! The JSON schema of the file (draft-07, which Taplo and Even Better TOML read): `larder config --schema`.

use serde_json::{Map, Value, json};

use super::reference::{Described, sections};
use super::{DIALECTS, Key};

/// The schema, as JSON.
pub fn schema() -> Value {
    let all = sections();
    let of = |name: &str| all.iter().find(|section| section.name == name).map(table);
    let mut properties: Map<String, Value> = Map::new();
    for section in all.iter().filter(|section| !section.name.contains('.') && !section.is_list()) {
        properties.insert(section.name.to_owned(), table(section));
    }
    properties.insert(
        "providers".to_owned(),
        json!({
            "type": "object",
            "description": "The providers by name.",
            "propertyNames": { "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]*$" },
            "additionalProperties": { "$ref": "#/definitions/provider" },
        }),
    );
    properties.insert(
        "rules".to_owned(),
        json!({ "type": "array", "items": { "$ref": "#/definitions/rule" } }),
    );
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "larder",
        "description": "The configuration file of larder.",
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
        "definitions": {
            "provider": with(of("providers.openai"), "routes", &json!({
                "type": "array",
                "items": { "$ref": "#/definitions/route" },
            })),
            "route": of("providers.NAME.routes"),
            "rule": rule(of("rules"), of("rules.when"), of("rules.then")),
        },
    })
}

/// A rule, with its two parts.
fn rule(rule: Option<Value>, when: Option<Value>, then: Option<Value>) -> Value {
    let with_when = with(rule, "when", &when.unwrap_or_default());
    with(Some(with_when), "then", &then.unwrap_or_default())
}

/// A table with another property.
fn with(table: Option<Value>, name: &str, property: &Value) -> Value {
    let mut table = table.unwrap_or_default();
    if let Some(properties) = table.get_mut("properties").and_then(Value::as_object_mut) {
        properties.insert(name.to_owned(), property.clone());
    }
    table
}

fn table(section: &Described) -> Value {
    let has_defaults = !section.is_list();
    let keys = section.keys.iter().map(|key| (key.name.to_owned(), property(key, has_defaults)));
    json!({
        "type": "object",
        "description": paragraph(section.doc),
        "properties": keys.collect::<Map<_, _>>(),
        "additionalProperties": false,
    })
}

fn property(key: &Key, has_default: bool) -> Value {
    let mut property = (key.schema)();
    if key.name == "dialect" {
        let mut dialects = DIALECTS.to_vec();
        dialects.push("");
        property = json!({ "type": "string", "enum": dialects });
    }
    if let Some(property) = property.as_object_mut() {
        property.insert("description".to_owned(), paragraph(key.doc).into());
        if has_default {
            property.insert("default".to_owned(), default(key));
        }
    }
    property
}

/// The default of a key as JSON.
fn default(key: &Key) -> Value {
    if key.kind.starts_with("list of") {
        let items = key.default.split(',').map(str::trim).filter(|item| !item.is_empty());
        return items.collect();
    }
    let text = || Value::from(key.default);
    if key.quoted { text() } else { serde_json::from_str(key.default).unwrap_or_else(|_| text()) }
}

fn paragraph(doc: &str) -> String {
    doc.lines().map(str::trim).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_in_the_schema_with_its_default() {
        let schema = schema();
        let server = &schema["properties"]["server"]["properties"];
        assert_eq!(server["max_connections"]["default"], 16_384);
        assert_eq!(server["listen"]["default"], "127.0.0.1:5273");
        assert_eq!(
            schema["properties"]["cache"]["properties"]["harmless_headers"]["default"],
            json!([])
        );
        let provider = &schema["definitions"]["provider"];
        assert_eq!(provider["properties"]["oversize"]["enum"], json!(["split", "forward"]));
        assert_eq!(provider["additionalProperties"], false);
        let rule = &schema["definitions"]["rule"]["properties"];
        assert!(rule["when"]["properties"]["model"].is_object(), "{rule}");
        assert!(rule["then"]["properties"]["answer"].is_object(), "{rule}");
    }
}

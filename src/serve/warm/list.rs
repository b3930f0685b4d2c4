//! What is to be embedded, as it was sent: `inputs`, and beside them what every request for them says.

use std::collections::{BTreeMap, VecDeque};

use serde_json::value::RawValue;

use super::portion::Portion;

/// A list of inputs.
#[derive(Debug)]
pub struct List {
    /// Whose they are to be, where that is said.
    pub provider: Option<String>,
    /// How many there are.
    pub total: usize,
    /// What every request begins with: members of its body as JSON text, each with its comma.
    pub(super) members: String,
    pub(super) portions: VecDeque<Portion>,
}

impl List {
    /// Reads the body of a request; an error says what is wrong with it.
    pub fn read(body: &[u8]) -> Result<Self, String> {
        let mut all: BTreeMap<String, &RawValue> = serde_json::from_slice(body)
            .map_err(|error| format!("expected a JSON object: {error}"))?;
        let provider = all.remove("provider").map(|name| text("provider", name)).transpose()?;
        let model = all.get("model").ok_or("model: missing")?;
        text("model", model)?;
        let inputs = all.remove("inputs").ok_or("inputs: missing")?;
        let inputs: Vec<&RawValue> = serde_json::from_str(inputs.get())
            .map_err(|_| "inputs: expected a list of strings or of token lists")?;
        if inputs.is_empty() || all.contains_key("input") {
            return Err("inputs: expected at least one, and no `input` field".to_owned());
        }
        let members = all.iter().map(|(name, value)| {
            let name = serde_json::Value::from(name.as_str());
            format!("{name}:{},", value.get())
        });
        let members = members.collect();
        let total = inputs.len();
        Ok(Self { provider, total, members, portions: portions(&inputs) })
    }
}

fn text(name: &str, value: &RawValue) -> Result<String, String> {
    let text: Option<String> = serde_json::from_str(value.get()).ok();
    text.filter(|text| !text.is_empty())
        .ok_or_else(|| format!("{name}: expected a non-empty string"))
}

fn portions(inputs: &[&RawValue]) -> VecDeque<Portion> {
    let mut portions = VecDeque::new();
    let mut open = Portion::default();
    for input in inputs {
        if open.is_full_for(input.get().len()) {
            portions.push_back(std::mem::take(&mut open));
        }
        open.add(input.get());
    }
    portions.push_back(open);
    portions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_beside_the_inputs_is_in_every_request() {
        let inputs: Vec<String> = (0..300).map(|n| format!("\"{n}\"")).collect();
        let body = format!(
            r#"{{"provider":"p","model":"m","inputs":[{}],"dimensions": 8}}"#,
            inputs.join(",")
        );
        let read = List::read(body.as_bytes()).expect("a list");
        assert_eq!((read.provider.as_deref(), read.total), (Some("p"), 300));
        let counts: Vec<usize> = read.portions.iter().map(Portion::count).collect();
        assert_eq!(counts, [128, 128, 44]);
        let last = read.portions[2].body(&read.members);
        assert!(last.starts_with(r#"{"dimensions":8,"model":"m","input":["256","#), "{last}");
    }

    #[test]
    fn what_is_no_list_is_told_so() {
        for (body, complaint) in [
            ("", "expected a JSON object"),
            ("[]", "expected a JSON object"),
            (r#"{"inputs":["a"]}"#, "model"),
            (r#"{"model":7,"inputs":["a"]}"#, "model"),
            (r#"{"model":"m"}"#, "inputs"),
            (r#"{"model":"m","inputs":"a"}"#, "inputs"),
            (r#"{"model":"m","inputs":[]}"#, "inputs"),
            (r#"{"model":"m","inputs":["a"],"input":"b"}"#, "inputs"),
            (r#"{"model":"m","inputs":["a"],"provider":""}"#, "provider"),
        ] {
            let said = List::read(body.as_bytes()).expect_err(body);
            assert!(said.contains(complaint), "{body}: {said}");
        }
    }
}

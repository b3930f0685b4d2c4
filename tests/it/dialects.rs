//! Every dialect reads and writes what its provider does: one folder of recorded exchanges each.
//!
//! A fixture is one exchange with an endpoint. `request` is what a client sends to `path`; `inputs`
//! and `unity` are what is understood of it; `call` is what larder sends for those inputs;
//! `reply` is what the provider answers to the request, and `call_reply` to the call where that
//! differs; `refusals` are answers that are none; `error` is what larder says in this shape when it
//! is full. A fixture that is `relayed` is of an endpoint that is not understood.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::{Method, StatusCode};
use larder::dialect::{
    ALL, Asked, Dialect, EmbedCall, EmbedReply, EmbedShape, Endpoint, Item, Portion, Refusal,
};
use larder::error::{Error, Kind};
use larder::gate::route::endpoint;
use larder::request::{EmbedRequest, Encoding, Input, Unity};
use larder::vector::{Numbers, Parts, Vector};
use serde_json::{Value, json};

/// One exchange.
pub(crate) struct Fixture {
    pub(crate) name: String,
    pub(crate) dialect: &'static dyn Dialect,
    said: Value,
}

impl Fixture {
    /// The fixtures of a dialect; there must be some.
    pub(crate) fn all(dialect: &'static dyn Dialect) -> Vec<Self> {
        let folder =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(dialect.name());
        let files = fs::read_dir(&folder).unwrap_or_else(|_| {
            panic!("{} has no fixtures in {}", dialect.name(), folder.display())
        });
        let mut paths: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
        paths.sort();
        assert!(!paths.is_empty(), "{} has no fixtures", dialect.name());
        let read = |path: &PathBuf| {
            let said = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
            let name = path.file_stem().unwrap().to_str().unwrap();
            Self { name: format!("{}/{name}", dialect.name()), dialect, said }
        };
        paths.iter().map(read).collect()
    }

    pub(crate) fn path(&self) -> &str {
        self.said["path"].as_str().unwrap()
    }

    /// The endpoint's shape, where it is understood.
    pub(crate) fn shape(&self) -> Option<&'static dyn EmbedShape> {
        match self.dialect.endpoint(&Method::POST, endpoint(self.path())) {
            Endpoint::Embed(shape) => Some(shape),
            _ => None,
        }
    }

    /// The bytes of a part of it; of none where it has no such part.
    pub(crate) fn bytes(&self, part: &str) -> Vec<u8> {
        self.said.get(part).map(|part| part.to_string().into_bytes()).unwrap_or_default()
    }

    fn check(&self) {
        assert_eq!(self.said["relayed"] == true, self.shape().is_none(), "{}", self.name);
        self.check_error();
        let Some(shape) = self.shape() else { return };
        let body = self.bytes("request");
        let request =
            shape.read(self.path(), &body).unwrap_or_else(|e| panic!("{}: {e:?}", self.name));
        let inputs: Vec<Value> = request.inputs.iter().map(as_json).collect();
        assert_eq!(Value::from(inputs), self.said["inputs"], "{}", self.name);
        assert_eq!(format!("{:?}", request.unity), self.said["unity"], "{}", self.name);
        self.check_call(shape, &request);
        self.check_reply(shape, &request);
        self.check_refusals();
    }

    fn check_call(&self, shape: &dyn EmbedShape, request: &EmbedRequest<'_>) {
        if request.unity != Unity::Free {
            assert!(self.said.get("call").is_none(), "{} is never merged", self.name);
            return;
        }
        let call = &self.said["call"];
        assert_eq!(shape.call_path(self.path()), call["path"].as_str().unwrap(), "{}", self.name);
        let kept = request.encoding == Encoding::Kept;
        let float = if kept { Encoding::Kept } else { Encoding::Float };
        let base64 = if kept { Encoding::Kept } else { Encoding::Base64 };
        assert_eq!(written(shape, request, float), call["body"], "{}", self.name);
        let call = self.said.get("call_base64").unwrap_or(&call["body"]);
        assert_eq!(written(shape, request, base64), *call, "{}", self.name);
    }

    fn check_reply(&self, shape: &dyn EmbedShape, request: &EmbedRequest<'_>) {
        let asked = Asked { inputs: request.inputs.len(), encoding: request.encoding };
        let reply = shape.read_reply(&self.bytes("reply"), asked);
        let mut replies = vec![reply];
        if self.said.get("call_reply").is_some() {
            replies.push(shape.read_call_reply(&self.bytes("call_reply"), asked));
        }
        for reply in replies {
            let reply = reply.unwrap_or_else(|e| panic!("{}: {e:?}", self.name));
            let written = shape.write_reply(request, &vectors(&reply));
            let written: Value = serde_json::from_slice(&written).unwrap();
            assert_eq!(written, self.said["reply"], "{}", self.name);
        }
        let fewer = Asked { inputs: asked.inputs + 1, ..asked };
        assert!(shape.read_reply(&self.bytes("reply"), fewer).is_err(), "{}", self.name);
    }

    fn check_refusals(&self) {
        for refusal in self.said["refusals"].as_array().unwrap() {
            let status = u16::try_from(refusal["status"].as_u64().unwrap()).unwrap();
            let status = StatusCode::from_u16(status).unwrap();
            let body = refusal["body"].to_string();
            let is: Refusal = self.dialect.classify(status, body.as_bytes());
            assert_eq!(format!("{is:?}"), refusal["is"], "{}: {body}", self.name);
        }
    }

    fn check_error(&self) {
        let error = Error::new(Kind::Overloaded, "full");
        let written = self.dialect.write_error(self.path(), &error);
        let written: Value = serde_json::from_slice(&written).unwrap();
        assert_eq!(written, self.said["error"], "{}", self.name);
    }
}

fn as_json(input: &Input<'_>) -> Value {
    match input {
        Input::Text(text) | Input::Json(text) => json!(text),
        Input::Tokens(tokens) => json!(tokens),
    }
}

fn written(shape: &dyn EmbedShape, request: &EmbedRequest<'_>, encoding: Encoding) -> Value {
    let inputs: Vec<Input<'static>> =
        request.inputs.iter().cloned().map(Input::into_owned).collect();
    let call = EmbedCall {
        model: &request.model,
        inputs: &inputs.iter().collect::<Vec<_>>(),
        params: &request.params,
        user: request.user.as_deref(),
        encoding,
    };
    serde_json::from_slice(&shape.write_call(&call)).unwrap()
}

/// The vectors of a response as they would be stored.
pub(crate) fn vectors(reply: &EmbedReply) -> Vec<Vector> {
    let portions = reply.portions(&vec![1; reply.items.len()]);
    let pack = |(portion, item): (&Portion<'_>, &Item)| {
        let parts = Parts {
            components: &item.components,
            numbers: item.numbers.unwrap_or(Numbers::Shortest),
            tokens: portion.tokens,
            is_estimate: portion.is_estimate,
            has_both_forms: false,
            usage: reply.usage.with(&portion.usage),
            indexed: item.indexed,
            envelope: &portion.envelope,
            item: &item.item,
        };
        let bytes = Arc::clone(Vector::pack(&parts).unwrap().bytes());
        Vector::view(bytes).unwrap()
    };
    portions.iter().zip(&reply.items).map(pack).collect()
}

#[test]
fn every_dialect_reads_and_writes_what_its_provider_does() {
    for dialect in ALL {
        Fixture::all(*dialect).iter().for_each(Fixture::check);
    }
}

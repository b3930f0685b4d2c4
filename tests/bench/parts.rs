//! What the parts of a hit and of a call cost: `cargo bench --bench parts`.
//!
//! All of it is in this process and on one thread. A hit is an exchange over a pipe in memory, through
//! the gate's door and a proxy of what the server builds: without the kernel. A call goes to the simulated provider on loopback, which answers at once
//! and computes its vectors on the same thread; the call by itself stands beside it. The digests of a
//! family and of an envelope are made in private: the first is built here of fields like its own, the
//! second is taken with what `Service::familiar` puts around it. Texts have 500 bytes, vectors 1,536
//! dimensions.

#![expect(clippy::panic, reason = "what goes wrong in a bench may well end it")]

mod inside;
mod submission;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use criterion::Criterion;
use http::{HeaderMap, HeaderValue, Method, header};
use inside::question::{MODEL, Question, body, text};
use inside::{Sidecar, Way, parrot};
use larder::clock::Moment;
use larder::dialect::{self, EmbedShape, Endpoint};
use larder::key::{CacheKey, Digest, Framer, Place};
use larder::ledger::Credit;
use larder::metrics::Operation;
use larder::request::Input;
use larder::serve::{Ask, Target};
use larder::simulate::oracle;
use larder::tier::{Freshness, Stored};
use larder::vector::{Numbers, Parts, Usage, Vector};
use submission::Request;
use tokio::runtime::{Builder, Runtime};

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let sidecar = runtime.block_on(Sidecar::start());
    keys(&mut criterion, &sidecar);
    vectors(&mut criterion);
    bodies(&mut criterion);
    memory(&mut criterion, &sidecar);
    batcher(&mut criterion, (&runtime, &sidecar));
    hits(&mut criterion, (&runtime, &sidecar));
    criterion.final_summary();
}

fn keys(criterion: &mut Criterion, sidecar: &Sidecar) {
    let mut group = criterion.benchmark_group("key");
    let (family, input) = (Digest::of(b"family"), Input::Text(text(0).into()));
    group.bench_function("CacheKey::of a text", |bencher| {
        bencher.iter(|| CacheKey::of(&family, black_box(&input), Place::Anywhere));
    });
    let upstream = sidecar.upstream.identity;
    group.bench_function("Framer with the fields of a family", |bencher| {
        bencher.iter(|| {
            let mut framer = Framer::new("larder embedding 1");
            framer.field(b'e', family.as_bytes()).field(b'u', upstream.as_bytes());
            framer.field(b'c', b"").field(b'm', black_box(MODEL).as_bytes()).field(b'p', b"");
            framer.finish()
        });
    });
    let (ask, service) = (ask(sidecar), &sidecar.built.service);
    group.bench_function("Service::familiar, an envelope and its frame", |bencher| {
        bencher.iter(|| service.familiar(black_box(&ask)).expect("it asks nothing of the cache"));
    });
    group.finish();
}

/// A request whose head has been read.
fn ask(sidecar: &Sidecar) -> Ask {
    let fields = [
        (header::HOST, "127.0.0.1:5273"),
        (header::ACCEPT, "application/json"),
        (header::CONTENT_TYPE, "application/json"),
        (header::USER_AGENT, "bench"),
        (header::AUTHORIZATION, "Bearer bench"),
        (header::CONTENT_LENGTH, "600"),
    ];
    let fields = fields.map(|(name, value)| (name, HeaderValue::from_static(value)));
    let target = Target {
        upstream: Arc::clone(&sidecar.upstream),
        endpoint: Endpoint::Embed(shape()),
        method: Method::POST,
        path_and_query: "/embeddings".to_owned(),
        received: Instant::now(),
        trace: None,
    };
    let (headers, group) = (HeaderMap::from_iter(fields), Vec::new());
    Ask { target, headers, group, body: Bytes::new(), rule: None, taping: None }
}

fn shape() -> &'static dyn EmbedShape {
    let dialect = dialect::named("openai").expect("known");
    dialect.embed(&Method::POST, "/embeddings").expect("it embeds")
}

fn vectors(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("vector");
    let vector = vector(0);
    let mut out = Vec::with_capacity(64 << 10);
    group.bench_function("as base64", |bencher| {
        bencher.iter(|| {
            out.clear();
            vector.write_base64(black_box(&mut out));
        });
    });
    group.bench_function("as numbers", |bencher| {
        bencher.iter(|| {
            out.clear();
            vector.write_floats(black_box(&mut out));
        });
    });
    group.finish();
}

/// The vector of a text, as a provider's answer is kept.
fn vector(number: u32) -> Vector {
    let floats = oracle::vector(MODEL, 1_536, oracle::Input::Text(&text(number)));
    let components: Vec<u8> = floats.iter().flat_map(|float| float.to_le_bytes()).collect();
    let parts = Parts {
        components: &components,
        numbers: Numbers::Shortest,
        tokens: 125,
        is_estimate: false,
        has_both_forms: false,
        usage: Usage { prompt: true, total: true, rest: "" },
        indexed: true,
        envelope: r#""object":"list","model":"text-embedding-3-small""#,
        item: r#""object":"embedding""#,
    };
    Vector::pack(&parts).expect("it fits")
}

fn bodies(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("dialect");
    for inputs in [1, 32] {
        let (body, shape) = (body(inputs, "base64").into_bytes(), shape());
        group.bench_function(format!("read a request of {inputs}"), |bencher| {
            bencher.iter(|| shape.read("/embeddings", black_box(&body)).expect("it is readable"));
        });
        let request = shape.read("/embeddings", &body).expect("it is readable");
        let vectors: Vec<Vector> = (0..inputs).map(vector).collect();
        group.bench_function(format!("write a reply of {inputs}, base64"), |bencher| {
            bencher.iter(|| shape.write_reply(&request, black_box(&vectors)));
        });
    }
    group.finish();
}

fn memory(criterion: &mut Criterion, sidecar: &Sidecar) {
    let mut group = criterion.benchmark_group("memory");
    let (service, question) = (&sidecar.built.service, body(1, "base64").into_bytes());
    let (memory, now) = (&service.tiers.memory, service.clock.now());
    let key = CacheKey::of(&Digest::of(b"kept"), &Input::Text(text(0).into()), Place::Anywhere);
    let (value, mark) =
        (Arc::clone(vector(0).bytes()), service.tiers.purges.scope("openai", MODEL).mark());
    let account = sidecar.upstream.accounts.of(Operation::Embed, MODEL);
    let credit = Credit::none(account);
    memory.remember(
        &question,
        vec![(key, Arc::clone(&value))],
        (Bytes::from(vec![b'x'; 8_400]), credit),
    );
    memory.put(key, Stored { value, stored: now, expires: Moment::NEVER, mark });
    let fresh = Freshness::at(now);
    group.bench_function("get", |bencher| {
        bencher.iter(|| memory.get(black_box(&key), &fresh).expect("it is there"));
    });
    group.bench_function("recall of an answer with 1 vector", |bencher| {
        bencher.iter(|| memory.recall(black_box(&question), &fresh).expect("it is there"));
    });
    group.finish();
}

fn batcher(criterion: &mut Criterion, (runtime, sidecar): (&Runtime, &Sidecar)) {
    let mut group = criterion.benchmark_group("batcher");
    for inputs in [1, 64] {
        let request = Request::of(inputs, sidecar, shape());
        group.bench_function(format!("{inputs} from a simulated provider"), |bencher| {
            bencher.iter(|| runtime.block_on(request.land()));
        });
        group.bench_function(format!("{inputs}, only the call"), |bencher| {
            bencher.iter(|| runtime.block_on(request.call()));
        });
    }
    group.finish();
}

fn hits(criterion: &mut Criterion, (runtime, sidecar): (&Runtime, &Sidecar)) {
    let mut group = criterion.benchmark_group("hit");
    let mut question = Question::of(1);
    let mut through = runtime.block_on(async { sidecar.connect(Way::Hyper) });
    let mut past = runtime.block_on(async { sidecar.connect(Way::Express) });
    runtime.block_on(through.ask(question.again()));
    let answer = runtime.block_on(through.ask(question.again())).to_vec();
    let mut alone = runtime.block_on(async { parrot(&answer) });
    group.bench_function("only the client", |bencher| {
        bencher.iter(|| runtime.block_on(alone.ask(question.again())).len());
    });
    group.bench_function("first on a connection, through hyper", |bencher| {
        bencher.iter(|| {
            runtime.block_on(async {
                let mut client = sidecar.connect(Way::Express);
                client.ask(question.again()).await;
                client.leave().await;
            });
        });
    });
    group.bench_function("another on a connection, through hyper", |bencher| {
        bencher.iter(|| runtime.block_on(through.ask(question.again())).len());
    });
    group.bench_function("the same head again, past hyper", |bencher| {
        bencher.iter(|| runtime.block_on(past.ask(question.again())).len());
    });
    group.bench_function("in new bytes, through hyper", |bencher| {
        bencher.iter(|| runtime.block_on(through.ask(question.anew())).len());
    });
    group.finish();
}

//! Any sequence of operations, against a model.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

const LIMIT: u64 = 32 << 10;

#[derive(Debug, Clone)]
enum Op {
    Put(u64, usize),
    Get(u64),
    Forget(u64),
    Flush,
    Clear,
    Reopen,
    /// The process dies, and so much of the newest file is missing.
    Crash(prop::sample::Index),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let key = 0..24_u64;
    let op = prop_oneof![
        30 => (key.clone(), 0..3_000_usize).prop_map(|(key, length)| Op::Put(key, length)),
        30 => key.clone().prop_map(Op::Get),
        3 => key.prop_map(Op::Forget),
        2 => Just(Op::Flush),
        1 => Just(Op::Clear),
        2 => Just(Op::Reopen),
        2 => any::<prop::sample::Index>().prop_map(Op::Crash),
    ];
    prop::collection::vec(op, 1..300)
}

/// What may be found under each key.
#[derive(Default)]
struct Model {
    /// All that was put since the last clearing. The newest is the last.
    put: HashMap<u64, Vec<Vec<u8>>>,
    /// The keys under which an earlier record than the last may be found: the last was forgotten or
    /// lost, and the log has been opened again.
    earlier: bool,
    forgotten: bool,
}

impl Model {
    fn allows(&self, key: u64, found: &[u8]) -> bool {
        let Some(put) = self.put.get(&key) else { return false };
        let last = put.last().is_some_and(|last| last == found);
        last || (self.earlier && put.iter().any(|put| put == found))
    }

    fn reopened(&mut self, lost: bool) {
        self.earlier |= lost || self.forgotten;
    }
}

struct Run {
    scratch: Scratch,
    log: Option<Log>,
    model: Model,
    puts: u64,
}

impl Run {
    fn new() -> Self {
        let scratch = Scratch::new();
        let log = Some(scratch.open(LIMIT));
        Self { scratch, log, model: Model::default(), puts: 0 }
    }

    fn log(&self) -> &Log {
        self.log.as_ref().expect("open")
    }

    fn apply(&mut self, op: &Op) {
        match op {
            Op::Put(n, length) => self.put(*n, *length),
            Op::Get(n) => self.get(*n),
            Op::Forget(n) => {
                self.log().forget(&key(*n));
                self.model.forgotten = true;
                assert_eq!(self.log().get(&key(*n)).expect("read"), None);
            }
            Op::Flush => self.log().flush().expect("flushed"),
            Op::Clear => {
                let entries = self.log().entries();
                assert_eq!(self.log().clear().expect("cleared"), entries);
                self.model = Model::default();
            }
            Op::Reopen => self.reopen(None),
            Op::Crash(cut) => self.reopen(Some(cut)),
        }
        assert!(self.scratch.bytes() <= LIMIT + SEGMENT);
        assert_eq!(self.scratch.bytes(), self.log().bytes());
    }

    fn put(&mut self, n: u64, length: usize) {
        self.puts += 1;
        let record = record(self.puts, length);
        self.log().put(&key(n), &record).expect("put");
        assert_eq!(self.log().get(&key(n)).expect("read").as_ref(), Some(&record));
        self.model.put.entry(n).or_default().push(record);
    }

    fn get(&mut self, n: u64) {
        if let Some(found) = self.log().get(&key(n)).expect("read") {
            assert!(self.model.allows(n, &found), "a wrong record under {n}");
        }
    }

    fn reopen(&mut self, cut: Option<&prop::sample::Index>) {
        self.log = None;
        if let (Some(cut), Some(newest)) = (cut, self.scratch.files(".log").pop()) {
            let file = fs::File::options().write(true).open(&newest).expect("opened");
            let length = file.metadata().expect("there").len();
            file.set_len(cut.index(usize::try_from(length).expect("small") + 1) as u64)
                .expect("cut");
        }
        self.log = Some(self.scratch.open(LIMIT));
        self.model.reopened(cut.is_some());
        for n in 0..24 {
            self.get(n);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..Default::default() })]

    #[test]
    fn only_what_was_put_is_found(ops in ops()) {
        let mut run = Run::new();
        for op in &ops {
            run.apply(op);
        }
    }
}

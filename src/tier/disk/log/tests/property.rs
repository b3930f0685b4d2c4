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
    Remove(u64),
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
        3 => key.clone().prop_map(Op::Forget),
        5 => key.prop_map(Op::Remove),
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
    /// What was removed, which only a process that died with the note of it brings back.
    removed: HashMap<u64, Vec<Vec<u8>>>,
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
        if lost {
            for (key, removed) in self.removed.drain() {
                self.put.entry(key).or_default().splice(..0, removed);
            }
        }
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
            Op::Remove(n) => self.remove(*n),
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

    fn remove(&mut self, n: u64) {
        let there = self.log().get(&key(n)).expect("read").is_some();
        let removed = self.log().remove(&[key(n)]).expect("removed");
        // Making room for the note may have evicted it.
        assert!(removed <= u64::from(there));
        assert_eq!(self.log().get(&key(n)).expect("read"), None);
        self.pages();
        let put = self.model.put.remove(&n).unwrap_or_default();
        self.model.removed.entry(n).or_default().extend(put);
    }

    fn get(&mut self, n: u64) {
        if let Some(found) = self.log().get(&key(n)).expect("read") {
            assert!(self.model.allows(n, &found), "a wrong record under {n}");
        }
    }

    /// All entries are seen once, in the order of their keys, whatever the size of a page.
    fn pages(&self) {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let next = self.log().next(after.as_ref(), 5, |key, _| {
                seen.push(*key);
                ControlFlow::Continue(())
            });
            let Some(next) = next else { break };
            after = Some(next);
        }
        assert!(seen.is_sorted() && seen.len() as u64 == self.log().entries());
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

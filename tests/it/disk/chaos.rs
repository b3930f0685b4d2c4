//! Whatever befalls the files of a cache directory: a sidecar starts, and answers right.

use std::fs;
use std::os::unix::fs::{FileExt, symlink};
use std::path::{Path, PathBuf};

use super::{CacheDir, ended, written};
use crate::harness::{Ask, Chance, Sidecar, Simulated};

/// What a sidecar says of files that it does not understand, and of a damaged entry.
const USELESS: &str = "unreadable files in the cache directory";
const DAMAGED: &str = "damaged entry on disk";

/// Four hundred vectors in groups.
fn asks(name: &str) -> Vec<Ask> {
    let text = |number| format!("{name} {number:06}");
    let groups = (0..40).map(|group| Ask::of((0..10).map(|n| text(group * 10 + n))));
    groups.map(|ask| ask.base64().dimensions(64)).collect()
}

/// Asks everything; how much of it was there.
async fn ask_all(sidecar: &Sidecar, asks: &[Ask]) -> usize {
    let (client, mut hits) = (sidecar.client(), 0);
    for ask in asks {
        hits += client.right(ask).await.hits();
    }
    hits
}

async fn corrupt(sidecar: &Sidecar) -> f64 {
    sidecar.metric("larder_cache_errors_total", "kind=\"corrupt\",tier=\"disk\"").await
}

/// The segments and hints.
fn files(directory: &CacheDir) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory.0.join("v1")).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|end| end == "log" || end == "hint"));
    files.sort();
    files
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).unwrap().len()
}

/// A directory with all the vectors in two segments.
async fn filled(provider: &Simulated, asks: &[Ask]) -> CacheDir {
    let directory = CacheDir::new();
    for half in [&asks[..20], asks] {
        let sidecar = Sidecar::with(provider.address, &directory.config(""));
        ask_all(&sidecar, half).await;
        written(&sidecar, 200.0).await;
        ended(sidecar).await;
    }
    assert_eq!(files(&directory).len(), 4);
    directory
}

/// Changes so many bytes, anywhere in the files.
fn flip(directory: &CacheDir, count: u64, chance: &mut Chance) {
    let files = files(directory);
    for _ in 0..count {
        let mut at = chance.below(files.iter().map(|path| length(path)).sum());
        let path = files.iter().find(|path| {
            let here = at < length(path);
            at -= if here { 0 } else { length(path) };
            here
        });
        let file = fs::OpenOptions::new().read(true).write(true).open(path.unwrap()).unwrap();
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).unwrap();
        byte[0] ^= 1 << chance.below(8);
        file.write_all_at(&byte, at).unwrap();
    }
}

/// How often a line is in the log, which has it once at the most.
fn told(sidecar: &Sidecar, line: &str) -> usize {
    let (log, times) = (sidecar.log(), sidecar.log().matches(line).count());
    assert!(times <= 1, "{times} times {line:?} in {log}");
    assert!(!log.contains("disk tier disabled: cannot open") && !log.contains("panicked"), "{log}");
    times
}

#[tokio::test]
async fn changed_bytes_are_misses_and_told_once() {
    let (provider, mut chance) = (Simulated::instant(), Chance::new());
    let asks = asks("changed");
    let directory = filled(&provider, &asks).await;
    let (mut errors, mut lines) = (0.0, 0);
    for flips in [5, 10, 25, 60, 100, 200, 250, 350] {
        flip(&directory, flips, &mut chance);
        let sidecar = Sidecar::with(provider.address, &directory.config(""));
        let hits = ask_all(&sidecar, &asks).await;
        let (damaged, useless) = (told(&sidecar, DAMAGED), told(&sidecar, USELESS));
        let counted = corrupt(&sidecar).await;
        assert_eq!(counted > 0.5, damaged + useless > 0, "{counted}: {}", sidecar.log());
        eprintln!("{flips} bytes changed: {hits} of 400 hit, {counted} counted as corrupt");
        assert!(hits < 400, "nothing was changed");
        assert_eq!(ask_all(&sidecar, &asks).await, 400);
        (errors, lines) = (errors + counted, lines + damaged);
        ended(sidecar).await;
    }
    assert!(errors > 20.0 && lines > 0, "{errors} errors, {lines} lines");
}

type Harm = fn(&CacheDir, &mut Chance);

/// What can be done to a directory: its name, how often files of no use are told of (`None`: as it
/// happens), and how.
const HARMS: [(&str, Option<usize>, Harm); 9] = [
    ("cut off", None, |directory, chance| {
        for path in files(directory) {
            let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
            file.set_len(chance.below(length(&path))).unwrap();
        }
    }),
    ("emptied", Some(1), |directory, _| {
        for path in files(directory) {
            fs::write(path, "").unwrap();
        }
    }),
    ("some deleted", Some(1), |directory, _| fs::remove_file(&files(directory)[1]).unwrap()),
    ("hints deleted", Some(0), |directory, _| {
        for path in files(directory).iter().step_by(2) {
            fs::remove_file(path).unwrap();
        }
    }),
    ("another magic", Some(1), |directory, chance| head(directory, chance.below(7))),
    ("another version", Some(1), |directory, _| head(directory, 7)),
    ("grown", Some(0), |directory, chance| {
        for path in files(directory).iter().skip(1).step_by(2) {
            let more = vec![0; chance.index(10_000)];
            fs::write(path, [fs::read(path).unwrap(), more].concat()).unwrap();
        }
    }),
    ("strange company", Some(1), strangers),
    ("small files", Some(0), |directory, chance| {
        for name in ["clock", "purged"] {
            let byte = u8::try_from(chance.below(256)).unwrap();
            fs::write(directory.file(name), vec![byte; chance.index(1_000)]).unwrap();
        }
        fs::remove_file(directory.file("lock")).unwrap();
    }),
];

/// Turns one byte at the beginning of every file.
fn head(directory: &CacheDir, at: u64) {
    for path in files(directory) {
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.write_all_at(b"\xff", at).unwrap();
    }
}

/// Files and folders that no sidecar has put there.
fn strangers(directory: &CacheDir, _: &mut Chance) {
    let bystander = directory.0.join("bystander");
    fs::write(&bystander, "untouched").unwrap();
    for name in ["0000000000.log", "9999999999.log", "0000000099.hint", "0000000098.log"] {
        fs::write(directory.file(name), "odd").unwrap();
    }
    for name in ["1.log", "ünï côdé.log", ".log", "0000000097.log.bak", &"x".repeat(255)] {
        fs::write(directory.file(name), "left alone").unwrap();
    }
    fs::write(directory.file("0000000096.hint.tmp"), "unfinished").unwrap();
    symlink(&bystander, directory.file("0000000095.log")).unwrap();
    fs::create_dir(directory.file("0000000094.log")).unwrap();
    fs::create_dir(directory.file("0000000093.hint.tmp")).unwrap();
}

#[tokio::test]
async fn no_harm_to_the_files_keeps_it_from_starting_and_answering_right() {
    let (provider, mut chance) = (Simulated::instant(), Chance::new());
    for (name, useless, harm) in HARMS {
        let asks = asks(name);
        let directory = filled(&provider, &asks).await;
        harm(&directory, &mut chance);
        let sidecar = Sidecar::with(provider.address, &directory.config(""));
        let hits = ask_all(&sidecar, &asks).await;
        let told = (told(&sidecar, USELESS), told(&sidecar, DAMAGED));
        eprintln!("{name}: {hits} of 400 hit, told {told:?}");
        if let Some(useless) = useless {
            assert_eq!(told.0, useless, "{name}: {}", sidecar.log());
            assert_eq!(corrupt(&sidecar).await >= 1.0, useless == 1, "{name}");
        }
        ended(sidecar).await;
        // Afterwards all is well again.
        let next = Sidecar::with(provider.address, &directory.config(""));
        assert!(ask_all(&next, &asks).await >= 399, "{name}: {}", next.log());
        if name == "strange company" {
            assert_eq!(fs::read(directory.0.join("bystander")).unwrap(), b"untouched");
            assert_eq!(fs::read(directory.file("1.log")).unwrap(), b"left alone");
            assert_eq!(hits, 400);
        }
        ended(next).await;
    }
}

#[tokio::test]
async fn another_secret_finds_nothing_and_breaks_nothing() {
    let provider = Simulated::instant();
    let asks = asks("under a secret");
    let directory = filled(&provider, &asks).await;
    let file = directory.file("secret");
    let secret = fs::read(&file).unwrap();
    let wrong = [vec![], vec![7; 31], vec![7; 33], vec![7; (64 << 10) + 1]];
    for other in [None, Some(vec![7; 32])].into_iter().chain(wrong.map(Some)) {
        let odd = other.as_ref().is_some_and(|bytes| bytes.len() != 32);
        fs::remove_file(&file).unwrap();
        if let Some(bytes) = &other {
            fs::write(&file, bytes).unwrap();
        }
        let sidecar = Sidecar::with(provider.address, &directory.config(""));
        assert_eq!(ask_all(&sidecar, &asks).await, 0);
        assert_eq!(ask_all(&sidecar, &asks).await, 400);
        assert_eq!(told(&sidecar, "the secret of the cache directory is not to be had") > 0, odd);
        ended(sidecar).await;
        // Whatever was wrong is left to whoever put it there.
        assert_eq!(fs::read(&file).unwrap().len(), other.map_or(32, |bytes| bytes.len()));
    }
    fs::write(&file, secret).unwrap();
    let sidecar = Sidecar::with(provider.address, &directory.config(""));
    assert_eq!(ask_all(&sidecar, &asks).await, 400);
    ended(sidecar).await;
}

//! What `larder run` is told goes to its command.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::{ASK, ended, run};
use crate::harness::{PATIENCE, Simulated};

/// A terminal of its own for a command, at which Ctrl-C is typed once the command has said something.
const TERMINAL: &str = r#"
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
said = b""
while True:
    try:
        piece = os.read(terminal, 4096)
    except OSError:
        break
    if not piece:
        break
    if b"ready" in piece and b"ready" not in said:
        os.write(terminal, b"\x03")
    said += piece
print(said.decode())
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"#;

/// Counts how often it is interrupted, for a moment.
const COUNT: &str = r#"
import signal, time
told = 0
def tell(*_):
    global told
    told += 1
signal.signal(signal.SIGINT, tell)
print("ready", flush=True)
end = time.monotonic() + 0.7
while time.monotonic() < end:
    time.sleep(0.01)
print("told", told)
raise SystemExit(5)
"#;

/// A run whose command has said a line, and what it says from then on.
struct Started {
    process: Child,
    lines: mpsc::Receiver<String>,
}

impl Started {
    fn of(mut command: Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (said, lines) = mpsc::channel();
        let out = BufReader::new(process.stdout.take().unwrap());
        thread::spawn(move || {
            out.lines().map_while(Result::ok).try_for_each(|line| said.send(line))
        });
        Self { process, lines }
    }

    fn says(&self, expected: &str) {
        assert_eq!(self.lines.recv_timeout(PATIENCE).as_deref(), Ok(expected));
    }

    fn signal(&self, name: &str) {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    fn code(mut self) -> Option<i32> {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status.code();
            }
            thread::sleep(Duration::from_millis(5));
        }
        self.process.kill().unwrap();
        panic!("it never ended");
    }
}

#[test]
fn signals_are_the_command_s() {
    for signal in ["HUP", "INT", "QUIT", "TERM", "USR1", "USR2"] {
        let script =
            format!("trap 'echo told; exit 9' {signal}; echo ready; while :; do sleep 0.02; done");
        let started = Started::of(run(&[], &["sh", "-c", &script]));
        started.says("ready");
        started.signal(signal);
        started.says("told");
        assert_eq!(started.code(), Some(9), "{signal}");
    }
}

/// The terminal tells everybody in front; a second time would mean: now, at once.
#[test]
fn ctrl_c_is_told_once() {
    let mut terminal = Command::new("python3");
    terminal.args([
        "-c",
        TERMINAL,
        env!("CARGO_BIN_EXE_larder"),
        "run",
        "--",
        "python3",
        "-c",
        COUNT,
    ]);
    let (code, out, err) = ended(terminal);
    assert!(out.contains("told 1"), "{out}{err}");
    assert_eq!(code, Some(5), "{out}{err}");
}

#[tokio::test]
async fn a_command_that_takes_its_time_after_a_signal_still_has_its_sidecar() {
    let provider = Simulated::instant();
    let upstream = format!("http://{}/v1", provider.address);
    let script = "trap 'sleep 0.3; python3 -c \"$ASK\" OPENAI_BASE_URL late; exit 0' TERM; echo ready; \
         while :; do sleep 0.02; done";
    let last = move || {
        let mut run = run(&["--upstream", &upstream], &["sh", "-c", script]);
        run.env("ASK", ASK);
        let started = Started::of(run);
        started.says("ready");
        started.signal("TERM");
        started.says("200 larder; fwd=miss; stored hit=0, collapsed=0, miss=1");
        started.code()
    };
    assert_eq!(tokio::task::spawn_blocking(last).await.unwrap(), Some(0));
}

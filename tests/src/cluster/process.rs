//! Servers that never outlive the test.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};

/// Runs a program and sends it the signals that it reads, one on a line. At the
/// end of its input it kills the program: the kernel closes a pipe however the
/// process at its other end dies. Only the keeper knows the process id, and
/// knows that it is still the program's.
///
/// A terminal or `timeout` signals all processes of a group: the program ends by
/// that, and its keepers not before it.
const KEEPER: &str = r#"
trap : HUP INT TERM
exec 3<&0
"$@" </dev/null 3<&- &
program=$!
(
    trap : HUP INT TERM
    while read -r signal; do kill -s "$signal" "$program"; done
    kill -s KILL "$program"
) <&3 >/dev/null 2>&1 &
signals=$!
exec 3<&-
while
    wait "$program"
    code=$?
    kill -0 "$program" 2>/dev/null
do :; done
kill -s KILL "$signals" 2>/dev/null
exit "$code"
"#;

/// A program that runs until it is dropped, unless it ends by itself.
#[derive(Debug)]
pub struct Process {
    name: String,
    keeper: Child,
    signals: Option<ChildStdin>,
    log: PathBuf,
}

impl Process {
    /// Starts a program; what it prints is added to `<name>.log` in the folder.
    ///
    /// # Panics
    /// When it can't be started.
    #[must_use]
    pub fn start(name: &str, command: &Command, folder: &Path) -> Self {
        let log = folder.join(format!("{name}.log"));
        let output = File::options().create(true).append(true).open(&log).expect("a log");
        let mut keeper = Command::new("/bin/sh");
        keeper.args(["-c", KEEPER, "sh"]).arg(command.get_program()).args(command.get_args());
        for (key, value) in command.get_envs() {
            match value {
                Some(value) => keeper.env(key, value),
                None => keeper.env_remove(key),
            };
        }
        if let Some(folder) = command.get_current_dir() {
            keeper.current_dir(folder);
        }
        keeper.stdin(Stdio::piped()).stderr(output.try_clone().expect("a log")).stdout(output);
        let mut keeper = keeper.spawn().expect("a shell");
        let signals = keeper.stdin.take();
        Self { name: name.to_owned(), keeper, signals, log }
    }

    /// Sends a signal, such as `TERM`.
    ///
    /// # Panics
    /// When the program has ended.
    pub fn signal(&mut self, signal: &str) {
        let signals = self.signals.as_mut().expect("it hasn't been killed");
        writeln!(signals, "{signal}").unwrap_or_else(|_| panic!("{} has ended", self.name));
    }

    /// Waits for the program's end. A signal gives 128 and its number.
    ///
    /// # Panics
    /// When the system can't tell.
    pub fn wait(&mut self) -> ExitStatus {
        super::until(&format!("{} to end", self.name), || {
            self.keeper.try_wait().expect("it is our child")
        })
    }

    /// Whether the program has not ended.
    ///
    /// # Panics
    /// When the system can't tell.
    pub fn is_running(&mut self) -> bool {
        self.keeper.try_wait().expect("it is our child").is_none()
    }

    /// What the program printed so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read(&self.log)
            .map(|log| String::from_utf8_lossy(&log).into_owned())
            .unwrap_or_default()
    }

    /// Tells what the program printed when it has ended too soon.
    ///
    /// # Panics
    /// When it has ended.
    #[track_caller]
    pub fn assert_running(&mut self) {
        assert!(self.is_running(), "{} has ended:\n{}", self.name, self.log());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signals = None;
        let _ = self.keeper.wait();
    }
}

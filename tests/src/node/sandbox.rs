//! Namespaces for this test program: a network without uplink, mounts and
//! processes of its own. What is started or mounted inside ends with it, however
//! it ends.

use std::env;
use std::fs;
use std::io::{self, Read};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio, exit};

use crate::cases::root;
use crate::cluster::until;

/// Tells the program inside where its folder is.
const FOLDER: &str = "HEADLINT_SANDBOX";
const ADDRESS: &str = "HEADLINT_SANDBOX_ADDRESS";

/// Where this program is, once it is inside.
#[derive(Debug)]
pub struct Sandbox {
    folder: PathBuf,
}

impl Sandbox {
    /// Its one address but those of loopback: of a network for documentation,
    /// which is nobody's.
    pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

    /// Inside, where that is. Outside, this program runs once more, inside, with
    /// the same arguments.
    ///
    /// # Errors
    /// How it ended inside.
    ///
    /// # Panics
    /// When there can be no namespaces: one has to be root.
    pub fn enter() -> Result<Self, ExitCode> {
        match env::var_os(FOLDER) {
            Some(folder) => {
                // Whoever is outside holds the other end, and never writes.
                std::thread::spawn(|| {
                    let _ = io::stdin().read(&mut [0]);
                    exit(1);
                });
                Ok(Self { folder: folder.into() })
            }
            None => Err(run_inside()),
        }
    }

    /// Where files of the node may be. It is removed from outside when nothing of
    /// it is mounted any more, and stays when a test failed.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A control group that is there in each hierarchy.
    #[must_use]
    pub fn cgroup(&self) -> String {
        cgroup(&self.folder)
    }
}

fn cgroup(folder: &Path) -> String {
    let name = folder.file_name().expect("it is a folder").to_string_lossy();
    format!("/{name}")
}

#[allow(clippy::print_stderr, reason = "it is for whoever runs the test")]
fn run_inside() -> ExitCode {
    let folder = tempfile::Builder::new().prefix("headlint-node-").tempdir();
    let mut folder = folder.expect("a temporary folder");
    let cgroups = Cgroups::make(&cgroup(folder.path()));
    let program = env::current_exe().expect("it has a path");
    let mut inside = Command::new("unshare")
        .args(["--net", "--mount", "--ipc", "--pid", "--fork", "--mount-proc"])
        .arg("/bin/sh")
        .arg(root().join("tests/src/node/sandbox.sh"))
        .arg(program)
        .args(env::args_os().skip(1))
        .env(FOLDER, folder.path())
        .env(ADDRESS, Sandbox::ADDRESS.to_string())
        .env("TMPDIR", folder.path())
        .stdin(Stdio::piped())
        .spawn()
        .expect("unshare can be started");
    let input = inside.stdin.take();
    let status = inside.wait().expect("it was started");
    drop(input);
    drop(cgroups);
    if status.success() {
        return ExitCode::SUCCESS;
    }
    folder.disable_cleanup(true);
    // All but what is large, and what no log tells.
    let _ = fs::remove_dir_all(folder.path().join("containerd"));
    eprintln!("the servers' logs are in {}", folder.path().display());
    ExitCode::FAILURE
}

/// One control group in each hierarchy, until it is dropped. Its processes have
/// ended by then.
struct Cgroups {
    folders: Vec<PathBuf>,
}

impl Cgroups {
    fn make(name: &str) -> Self {
        let mounts = fs::read_to_string("/proc/self/mounts").expect("it can be read");
        let mounts = mounts.lines().filter_map(|line| {
            let mut fields = line.split(' ').skip(1);
            let (place, kind) = (fields.next()?, fields.next()?);
            matches!(kind, "cgroup" | "cgroup2").then(|| PathBuf::from(format!("{place}{name}")))
        });
        let folders: Vec<_> = mounts.collect();
        for folder in &folders {
            fs::create_dir(folder).unwrap_or_else(|error| {
                panic!("this machine can't host a node: {}: {error}", folder.display())
            });
        }
        Self { folders }
    }
}

impl Drop for Cgroups {
    fn drop(&mut self) {
        for folder in &self.folders {
            // The kernel needs a moment after the last process.
            until("the control groups to be empty", || remove(folder).ok());
        }
    }
}

/// Removes a control group and those in it; its files go by themselves.
fn remove(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove(&entry.path())?;
        }
    }
    fs::remove_dir(folder)
}

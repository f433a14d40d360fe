//! Files that are read again when their content changes.
//!
//! Kubernetes swaps a mounted Secret or ConfigMap by a symlink, and a watch on
//! the file would die with the first swap. So the files are read every few
//! seconds, and their contents compared by digest.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use sha2::{Digest, Sha256};

/// How often files are looked at. Kubernetes itself takes up to a minute to
/// bring a change to them.
pub const INTERVAL: Duration = Duration::from_secs(2);

/// How often to read again while the files change under the reader's hands.
const ATTEMPTS: usize = 5;

/// A set of files, and what they held when they were last read.
#[derive(Clone, Debug)]
pub struct Watched {
    files: Vec<PathBuf>,
    /// All `*.wasm` in it.
    folder: Option<PathBuf>,
    seen: Option<[u8; 32]>,
}

/// What files held, or why they can't be read, by path.
#[derive(Debug, Default)]
pub struct Contents(BTreeMap<PathBuf, io::Result<Vec<u8>>>);

impl Watched {
    /// These files.
    #[must_use]
    pub fn files(files: impl IntoIterator<Item = PathBuf>) -> Self {
        Self { files: files.into_iter().collect(), folder: None, seen: None }
    }

    /// The policies (`*.wasm`) in a folder.
    #[must_use]
    pub fn policies(folder: PathBuf) -> Self {
        Self { files: Vec::new(), folder: Some(folder), seen: None }
    }

    /// What the files hold, if it isn't what they held at the last call.
    /// Blocks on the filesystem.
    pub fn changed(&mut self) -> Option<Contents> {
        let (mut contents, mut digest) = self.read();
        // A certificate from before a swap and a key from after it are no pair.
        for _ in 0..ATTEMPTS {
            if self.seen == Some(digest) {
                return None;
            }
            let again = self.read();
            if again.1 == digest {
                break;
            }
            (contents, digest) = again;
        }
        self.seen = Some(digest);
        Some(contents)
    }

    fn read(&self) -> (Contents, [u8; 32]) {
        let mut contents = Contents::default();
        let listed = self.folder.iter().flat_map(|folder| match policies_in(folder) {
            Ok(files) => files,
            Err(error) => {
                contents.0.insert(folder.clone(), Err(error));
                Vec::new()
            }
        });
        let files: Vec<_> = self.files.iter().cloned().chain(listed).collect();
        contents.0.extend(files.into_iter().map(|file| {
            let bytes = fs::read(&file);
            (file, bytes)
        }));
        let digest = contents.digest();
        (contents, digest)
    }
}

impl Contents {
    /// The bytes of a file that is watched.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn read(&self, path: &Path) -> io::Result<&[u8]> {
        match self.0.get(path) {
            Some(Ok(bytes)) => Ok(bytes),
            Some(Err(error)) => Err(match error.raw_os_error() {
                Some(code) => io::Error::from_raw_os_error(code),
                None => error.kind().into(),
            }),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// All of them, ordered by path.
    pub fn iter(&self) -> impl Iterator<Item = (&Path, Result<&[u8], &io::Error>)> {
        self.0.iter().map(|(path, bytes)| (path.as_path(), bytes.as_deref()))
    }

    fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for (path, bytes) in &self.0 {
            hash.update(path.as_os_str().as_encoded_bytes());
            match bytes {
                Ok(bytes) => hash.update(Sha256::digest(bytes)),
                Err(error) => hash.update(error.kind().to_string()),
            }
        }
        hash.finalize().into()
    }
}

/// The policies in a folder, in order of name. Kubernetes' own folders in a
/// mounted volume begin with `..`.
fn policies_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "wasm") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

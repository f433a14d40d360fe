//! Files that are never half-written.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::error::Error;

/// Gives files another content, each at once. What interrupts the program waits
/// until a file is there, and the others stay as they are. A file that has
/// changed since it was read stays as it is; so does one that can't be written,
/// and the others go on.
///
/// # Errors
/// The first failure, with how many files were written.
pub(crate) fn replace_all(files: &[(&Path, &[u8], &[u8])]) -> Result<(), Error> {
    let interrupted = Arc::new(AtomicUsize::new(0));
    let signals = [SIGHUP, SIGINT, SIGTERM];
    let held = signals.map(|signal| {
        let (flag, number) = (Arc::clone(&interrupted), signal.unsigned_abs() as usize);
        signal_hook::flag::register_usize(signal, flag, number)
    });
    // Each file waits for the disk; all at once, they wait together.
    let outcomes: Vec<_> = files
        .par_iter()
        .filter(|_| interrupted.load(Ordering::Relaxed) == 0)
        .map(|(path, old, new)| {
            if fs::read(path).is_ok_and(|content| content == *old) {
                return replace(path, new);
            }
            let source = io::Error::other("it has changed since it was read");
            Err(Error::WriteFile { path: path.to_path_buf(), source })
        })
        .collect();
    let all = outcomes.len();
    let mut failures: Vec<_> = outcomes.into_iter().filter_map(Result::err).collect();
    for id in held.into_iter().flatten() {
        signal_hook::low_level::unregister(id);
    }
    if let Ok(signal) = i32::try_from(interrupted.load(Ordering::Relaxed))
        && signal != 0
    {
        // As if nothing had been waited for.
        let _ = signal_hook::low_level::emulate_default_handler(signal);
    }
    let written = all - failures.len();
    failures.truncate(1);
    match failures.pop() {
        None => Ok(()),
        Some(first) => Err(Error::NotAll { written, all, first: Box::new(first) }),
    }
}

/// Gives a file another content at once, whatever interrupts it: what is new is
/// written beside it, and takes its name. Its permissions and its owner stay,
/// and a link still leads to it.
///
/// # Errors
/// When it can't be written. Then it is as it was.
pub(crate) fn replace(path: &Path, content: &[u8]) -> Result<(), Error> {
    let written = || -> io::Result<()> {
        let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let old = fs::metadata(&target).ok();
        if old.as_ref().is_some_and(|metadata| !metadata.is_file()) {
            // A pipe or a device takes it as it comes.
            return fs::write(&target, content);
        }
        let folder = target.parent().filter(|it| !it.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        let mut builder = tempfile::Builder::new();
        builder.prefix(".headlint-");
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        // The name of the file beside it is nobody's business.
        let mut file =
            builder.tempfile_in(folder).map_err(|error| io::Error::from(error.kind()))?;
        file.write_all(content)?;
        if let Some(old) = old {
            #[cfg(unix)]
            keep_owner(file.as_file(), &old)?;
            file.as_file().set_permissions(old.permissions())?;
        }
        file.as_file().sync_all()?;
        file.persist(&target)?;
        Ok(())
    };
    written().map_err(|source| Error::WriteFile { path: path.to_owned(), source })
}

/// Where somebody else's file may be written, it remains theirs if the system
/// lets it.
#[cfg(unix)]
fn keep_owner(file: &fs::File, old: &fs::Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, fchown};
    let new = file.metadata()?;
    if (new.uid(), new.gid()) == (old.uid(), old.gid()) {
        return Ok(());
    }
    match fchown(file, Some(old.uid()), Some(old.gid())) {
        Err(error) if error.kind() != io::ErrorKind::PermissionDenied => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn permissions_and_links_stay_and_nothing_is_left_beside() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("a.yaml"), folder.path().join("b.yaml"));
        fs::write(&file, "old").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        symlink("a.yaml", &link).unwrap();
        replace(&link, b"new").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        replace(&folder.path().join("c.yaml"), b"new").unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
        assert!(replace(&folder.path().join("gone/d.yaml"), b"").is_err());
    }
}

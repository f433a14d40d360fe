//! Files that are never half-written.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use tempfile::NamedTempFile;

use crate::error::Error;

/// Gives a file another content at once, whatever interrupts it: what is new is
/// written beside it, and takes its name. Its permissions stay, and a link
/// still leads to it.
///
/// # Errors
/// When it can't be written. Then it is as it was.
pub(crate) fn replace(path: &Path, content: &[u8]) -> Result<(), Error> {
    let written = || -> io::Result<()> {
        // A new file has no links, and only the umask for permissions.
        let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        if fs::metadata(&target).is_ok_and(|metadata| !metadata.is_file()) {
            // A pipe or a device takes it as it comes.
            return fs::write(&target, content);
        }
        let folder = target.parent().filter(|it| !it.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        // The name of the file beside it is nobody's business.
        let mut file = NamedTempFile::with_prefix_in(".headlint-", folder)
            .map_err(|error| io::Error::from(error.kind()))?;
        file.write_all(content)?;
        let permissions = match fs::metadata(&target) {
            Ok(metadata) => metadata.permissions(),
            Err(_) => new_file()?,
        };
        file.as_file().set_permissions(permissions)?;
        file.as_file().sync_all()?;
        file.persist(&target)?;
        Ok(())
    };
    written().map_err(|source| Error::WriteFile { path: path.to_owned(), source })
}

/// What the umask leaves of the permissions of a new file.
fn new_file() -> io::Result<fs::Permissions> {
    let folder = tempfile::tempdir()?;
    Ok(fs::File::create(folder.path().join("new"))?.metadata()?.permissions())
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

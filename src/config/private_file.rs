//! Files of keys, which other users of the machine must not be able to read.

use std::fs;
use std::os::unix::fs::PermissionsExt;

/// The permission of all other users to read.
const OTHERS_READ: u32 = 0o004;

/// An error if every user may read a file. Its group may: Kubernetes and systemd pass files that way.
/// A file that cannot be looked at is an error elsewhere.
pub(super) fn check(path: &str) -> Result<(), String> {
    let Ok(metadata) = fs::metadata(path) else { return Ok(()) };
    let mode = metadata.permissions().mode() & 0o777;
    if mode & OTHERS_READ == 0 {
        return Ok(());
    }
    Err(format!("{path} can be read by every user (mode {mode:04o}); run `chmod 600 {path}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_every_user_may_read_is_refused() {
        let path = std::env::temp_dir().join(format!("larder-private-{}", std::process::id()));
        fs::write(&path, "key").unwrap();
        let name = path.to_str().unwrap();
        for (mode, is_private) in [(0o600, true), (0o640, true), (0o644, false), (0o604, false)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(check(name).is_ok(), is_private, "{mode:o}");
        }
        fs::remove_file(&path).unwrap();
        assert!(check(name).is_ok());
    }
}

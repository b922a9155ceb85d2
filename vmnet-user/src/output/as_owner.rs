//! Files are made and opened as the person does for whom they are: the kernel then refuses what it would refuse them, and what is made is theirs.
//! What root could write and they could not, vmnet does not write for them.

use std::io;

use nix::errno::Errno;
use nix::unistd::{Gid, Uid, getgroups, setfsgid, setfsuid};

use super::Owner;

/// While it is there, this thread looks at files as the person (`setfsuid(2)`; leaving root's takes the rights over files along). To be
/// ended by the thread that began it.
#[derive(Debug)]
pub(super) struct AsOwner(Option<Before>);

#[derive(Debug)]
struct Before {
    uid: Uid,
    gid: Gid,
    groups: Vec<Gid>,
}

impl AsOwner {
    /// # Errors
    /// It may not: EPERM.
    pub(super) fn begin(owner: Option<&Owner>) -> io::Result<Self> {
        let Some(owner) = owner else { return Ok(Self(None)) };
        let groups = getgroups()?;
        let theirs: Vec<Gid> = owner.groups.iter().copied().map(Gid::from_raw).collect();
        set_groups(&theirs)?;
        let (uid, gid) = (Uid::from_raw(owner.uid), Gid::from_raw(owner.gid));
        let before = Before { gid: setfsgid(gid), uid: setfsuid(uid), groups };
        let entered = Self(Some(before));
        // They answer with what was before, whatever came of it.
        if setfsuid(uid) == uid && setfsgid(gid) == gid { Ok(entered) } else { Err(Errno::EPERM.into()) }
    }
}

impl Drop for AsOwner {
    fn drop(&mut self) {
        let Some(Before { uid, gid, groups }) = self.0.take() else { return };
        setfsuid(uid);
        setfsgid(gid);
        if let Err(error) = set_groups(&groups) {
            log::warn!("the groups of this process are not as they were: {error}");
        }
    }
}

/// Of this thread alone, as are the others; the C library's `setgroups` is for all threads.
fn set_groups(groups: &[Gid]) -> io::Result<()> {
    let groups: Vec<libc::gid_t> = groups.iter().map(|group| group.as_raw()).collect();
    // SAFETY: the kernel reads as many groups as it is told of.
    let answer = unsafe { libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()) };
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// A kernel's answer, with whom it was given to.
pub(super) fn answered(owner: Option<&Owner>, error: io::Error) -> io::Error {
    match (owner, error.kind()) {
        (Some(owner), io::ErrorKind::PermissionDenied) => {
            let said = format!(
                "{error} (for user {}, who called: what only root may write is not written for them)",
                owner.uid
            );
            io::Error::new(io::ErrorKind::PermissionDenied, said)
        }
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    use super::*;

    #[test]
    fn root_writes_nothing_for_a_person_that_they_could_not_write_and_is_root_again_after() {
        if !Uid::effective().is_root() {
            eprintln!("skipped: this takes root");
            return;
        }
        let place = tempfile::tempdir().unwrap();
        fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let owner = Owner { uid: 54_321, gid: 54_321, groups: vec![54_321] };
        let groups = getgroups().unwrap();
        {
            let _as_owner = AsOwner::begin(Some(&owner)).unwrap();
            let refused = fs::write(place.path().join("file"), "x").unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
            assert_eq!(getgroups().unwrap(), [Gid::from_raw(54_321)]);
        }
        fs::write(place.path().join("file"), "x").unwrap();
        assert_eq!(getgroups().unwrap(), groups);
        std::os::unix::fs::chown(place.path(), Some(54_321), Some(54_321)).unwrap();
        let theirs = place.path().join("theirs");
        {
            let _as_owner = AsOwner::begin(Some(&owner)).unwrap();
            fs::write(&theirs, "x").unwrap();
        }
        let made = fs::metadata(&theirs).unwrap();
        assert_eq!((made.uid(), made.gid()), (54_321, 54_321));
    }
}

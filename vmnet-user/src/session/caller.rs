//! On whose behalf this runs: under sudo, COMMAND runs as that person and the outputs are theirs.

use nix::unistd::{Gid, Uid};

use super::person;
use crate::kernel::permissions;
use crate::output::Owner;

/// The person who called.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    /// None where this runs as whoever called.
    person: Option<Person>,
}

#[derive(Clone, Debug)]
struct Person {
    uid: Uid,
    gid: Gid,
    name: String,
    home: String,
}

impl Caller {
    /// From what sudo leaves in the environment, believed only when this runs as root: then the caller could have
    /// become anyone anyway.
    #[must_use]
    pub fn from_environment() -> Self {
        if !Uid::effective().is_root() {
            return Self::default();
        }
        let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u32>().ok());
        let (Some(uid), Some(gid)) = (number("SUDO_UID"), number("SUDO_GID")) else { return Self::default() };
        // The last number is no id: the kernel takes it for "leave it as it is".
        if uid == 0 || uid == u32::MAX || gid == u32::MAX {
            return Self::default();
        }
        let uid = Uid::from_raw(uid);
        let (name, home) = match person::account(uid) {
            Some(account) => (account.name, account.home),
            None => (uid.to_string(), "/".to_owned()),
        };
        Self { person: Some(Person { uid, gid: Gid::from_raw(gid), name, home }) }
    }

    /// Whether this person would put `sudo` before a command that takes root: not in a shell that is root's own.
    #[must_use]
    pub fn needs_sudo() -> bool {
        !Uid::effective().is_root() || std::env::var_os("SUDO_UID").is_some()
    }

    /// Who the outputs belong to.
    #[must_use]
    pub fn owner(&self) -> Option<Owner> {
        self.person.as_ref().map(|person| Owner { uid: person.uid.as_raw(), gid: person.gid.as_raw() })
    }

    /// Makes this process the person's, for good, and drops every capability: for those who need no more than the person may, before threads are
    /// started.
    ///
    /// # Errors
    /// What the kernel answered.
    pub fn become_for_good(&self) -> Result<(), nix::Error> {
        if let Some(person) = &self.person {
            nix::unistd::setgroups(&person::groups(&person.name, person.gid))?;
            nix::unistd::setgid(person.gid)?;
            nix::unistd::setuid(person.uid)?;
        }
        permissions::drop_all();
        Ok(())
    }

    /// Whether a command runs as root.
    pub(super) fn stays_root(&self) -> bool {
        self.person.is_none() && Uid::effective().is_root()
    }

    /// Makes a command run as the person.
    pub(super) fn become_of(&self, command: &mut tokio::process::Command) {
        let Some(person) = self.person.clone() else { return };
        command.env("USER", &person.name).env("LOGNAME", &person.name).env("HOME", &person.home);
        let groups = person::groups(&person.name, person.gid);
        // SAFETY: between fork and exec only system calls are made.
        unsafe {
            command.pre_exec(move || {
                nix::unistd::setgroups(&groups)?;
                nix::unistd::setgid(person.gid)?;
                nix::unistd::setuid(person.uid)?;
                Ok(())
            });
        }
    }
}

//! On whose behalf this runs: under sudo, COMMAND runs as that person and the outputs are theirs.

use std::ffi::OsString;

use nix::unistd::{Gid, Uid};

use super::person::{self, Account};
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

impl From<Account> for Person {
    fn from(account: Account) -> Self {
        let Account { name, uid, gid, home } = account;
        Self { uid, gid, name, home }
    }
}

/// Why it is not known on whose behalf this runs.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallerError {
    /// Something else than sudo wrote it.
    #[error(
        "{0} is {1:?}, which is no user or group, so that it is not known on whose behalf this runs; start it with sudo itself, or as root without SUDO_UID and SUDO_GID"
    )]
    Malformed(&'static str, String),
    /// One without the other.
    #[error(
        "{0} is set and {1} is not, so that it is not known on whose behalf this runs; start it with sudo itself, or as root without SUDO_UID and SUDO_GID"
    )]
    HalfGiven(&'static str, &'static str),
    /// An account that this machine does not know.
    #[error(
        "{0} is {1}, and this machine knows no such account, so that it is not known on whose behalf this runs; start it with sudo"
    )]
    Unknown(&'static str, String),
}

/// Who is named, by whom.
#[derive(Debug, PartialEq, Eq)]
enum Named {
    Sudo(Uid, Gid),
    Pkexec(Uid),
    Doas(String),
}

impl Named {
    fn of(variable: impl Fn(&str) -> Option<OsString>) -> Result<Option<Self>, CallerError> {
        let number = |name: &'static str| {
            let Some(text) = variable(name) else { return Ok(None) };
            let number = text.to_str().and_then(|text| text.parse().ok());
            // The last number is no id: the kernel takes it for "leave it as it is".
            match number.filter(|number| *number != u32::MAX) {
                Some(number) => Ok(Some(number)),
                None => Err(CallerError::Malformed(name, text.to_string_lossy().into_owned())),
            }
        };
        match (number("SUDO_UID")?, number("SUDO_GID")?) {
            (Some(uid), Some(gid)) => return Ok(Some(Self::Sudo(Uid::from_raw(uid), Gid::from_raw(gid)))),
            (Some(_), None) => return Err(CallerError::HalfGiven("SUDO_UID", "SUDO_GID")),
            (None, Some(_)) => return Err(CallerError::HalfGiven("SUDO_GID", "SUDO_UID")),
            (None, None) => {}
        }
        if let Some(uid) = number("PKEXEC_UID")? {
            return Ok(Some(Self::Pkexec(Uid::from_raw(uid))));
        }
        let doas = variable("DOAS_USER").map(|name| name.to_string_lossy().into_owned());
        Ok(doas.filter(|name| !name.is_empty()).map(Self::Doas))
    }
}

impl Caller {
    /// From what sudo, pkexec or doas leave in the environment, believed only when this runs as root: then the caller could have become anyone
    /// anyway.
    ///
    /// # Errors
    /// What they leave is not whole: who it is that a command would run as, and files belong to, must not be a guess.
    pub fn from_environment() -> Result<Self, CallerError> {
        if !Uid::effective().is_root() {
            return Ok(Self::default());
        }
        let person = match Named::of(|name| std::env::var_os(name))? {
            None => None,
            Some(Named::Sudo(uid, gid)) => Some(match person::account(uid) {
                Some(Account { name, home, .. }) => Person { uid, gid, name, home },
                None => Person { uid, gid, name: uid.to_string(), home: "/".to_owned() },
            }),
            Some(Named::Pkexec(uid)) => {
                Some(person::account(uid).ok_or(CallerError::Unknown("PKEXEC_UID", uid.to_string()))?.into())
            }
            Some(Named::Doas(name)) => {
                Some(person::account_called(&name).ok_or(CallerError::Unknown("DOAS_USER", name))?.into())
            }
        };
        // Root who called root is root.
        Ok(Self { person: person.filter(|person: &Person| !person.uid.is_root()) })
    }

    /// Whether this person would put `sudo` before a command that takes root: not in a shell that is root's own.
    #[must_use]
    pub fn needs_sudo() -> bool {
        !Uid::effective().is_root() || std::env::var_os("SUDO_UID").is_some()
    }

    /// Who the outputs belong to.
    #[must_use]
    pub fn owner(&self) -> Option<Owner> {
        self.person.as_ref().map(|person| Owner {
            uid: person.uid.as_raw(),
            gid: person.gid.as_raw(),
            groups: person::groups(&person.name, person.gid).into_iter().map(Gid::as_raw).collect(),
        })
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

#[cfg(test)]
mod tests {
    use super::*;

    fn named(variables: &[(&str, &str)]) -> Result<Option<Named>, CallerError> {
        let value =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into());
        Named::of(value)
    }

    #[test]
    fn the_caller_is_who_sudo_pkexec_or_doas_names() {
        let ada = Uid::from_raw(1000);
        assert_eq!(named(&[]), Ok(None));
        let sudo = named(&[("SUDO_UID", "1000"), ("SUDO_GID", "100"), ("PKEXEC_UID", "7")]);
        assert_eq!(sudo, Ok(Some(Named::Sudo(ada, Gid::from_raw(100)))));
        assert_eq!(named(&[("PKEXEC_UID", "1000")]), Ok(Some(Named::Pkexec(ada))));
        assert_eq!(named(&[("DOAS_USER", "ada")]), Ok(Some(Named::Doas("ada".to_owned()))));
    }

    #[test]
    fn a_caller_who_is_half_named_is_nobody_and_not_root() {
        for variables in [
            [("SUDO_UID", "1000")].as_slice(),
            &[("SUDO_GID", "1000")],
            &[("SUDO_UID", "ada"), ("SUDO_GID", "1000")],
            &[("SUDO_UID", "-1"), ("SUDO_GID", "1000")],
            &[("SUDO_UID", "1000"), ("SUDO_GID", "4294967295")],
            &[("SUDO_UID", ""), ("SUDO_GID", "")],
            &[("PKEXEC_UID", "x")],
        ] {
            assert!(named(variables).is_err(), "{variables:?}");
        }
    }
}

//! What this machine knows of a person: read from its files, else asked of its own programs. The C library's way would load the
//! machine's name service modules, which a static program must not: they are of another C library.

use std::process::Stdio;

use nix::unistd::{Gid, Uid};

use crate::device::programs;

const ACCOUNTS: &str = "/etc/passwd";

/// An account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) name: String,
    pub(super) uid: Uid,
    pub(super) gid: Gid,
    pub(super) home: String,
}

/// None where neither `/etc/passwd` nor the directories that `getent` asks know the number.
pub(super) fn account(uid: Uid) -> Option<Account> {
    known(&uid.to_string(), |account| account.uid == uid)
}

/// The same by its name.
pub(super) fn account_called(name: &str) -> Option<Account> {
    known(name, |account| account.name == name)
}

fn known(key: &str, is_it: impl Fn(&Account) -> bool) -> Option<Account> {
    let local = std::fs::read_to_string(ACCOUNTS).ok();
    local
        .and_then(|text| account_in(&text, &is_it))
        .or_else(|| account_in(&answer("getent", &["passwd", "--", key])?, &is_it))
}

/// The person's groups, `primary` first; that one alone where `id` is not here, or does not know the person.
pub(super) fn groups(name: &str, primary: Gid) -> Vec<Gid> {
    let said = answer("id", &["-G", "--", name]).unwrap_or_default();
    let named = said.split_whitespace().filter_map(|number| number.parse().ok()).map(Gid::from_raw);
    let mut groups = vec![primary];
    groups.extend(named.filter(|group| *group != primary));
    groups
}

/// Lines are `name:password:uid:gid:comment:home:shell`.
fn account_in(text: &str, is_it: impl Fn(&Account) -> bool) -> Option<Account> {
    let account = |line: &str| {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, uid, gid, _, home, ..] = fields[..] else { return None };
        let uid = uid.parse().ok().map(Uid::from_raw)?;
        let gid = gid.parse().ok().map(Gid::from_raw)?;
        (!name.is_empty()).then(|| Account { name: name.to_owned(), uid, gid, home: home.to_owned() })
    };
    text.lines().filter_map(account).find(is_it)
}

fn answer(program: &str, arguments: &[&str]) -> Option<String> {
    let output = programs::system(program).args(arguments).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_found_by_its_number_among_lines_that_are_none() {
        let text = "root:x:0:0:root:/root:/bin/sh\n# a remark\n+::::::\nbroken:x:1000\nada:x:1000:1000:Ada,,,:/home/ada:/bin/sh\n\
                    late:x:1000:1000::/home/late:/bin/sh\n";
        let ada = Account {
            name: "ada".to_owned(),
            uid: Uid::from_raw(1000),
            gid: Gid::from_raw(1000),
            home: "/home/ada".to_owned(),
        };
        let with = |uid| move |account: &Account| account.uid == Uid::from_raw(uid);
        assert_eq!(account_in(text, with(1000)), Some(ada.clone()));
        assert_eq!(account_in(text, |account| account.name == "ada"), Some(ada));
        assert_eq!(account_in(text, with(7)), None);
        assert_eq!(account_in("", with(0)), None);
    }

    #[test]
    fn nobody_has_no_groups_but_the_primary_one() {
        let primary = Gid::from_raw(4_000_000_123);
        assert_eq!(groups("no-such-person-here", primary), [primary]);
    }

    #[test]
    fn the_groups_of_root_are_those_that_id_prints() {
        let groups = groups("root", Gid::from_raw(0));
        assert_eq!(groups.first(), Some(&Gid::from_raw(0)));
        assert_eq!(groups.iter().filter(|group| group.as_raw() == 0).count(), 1);
    }
}

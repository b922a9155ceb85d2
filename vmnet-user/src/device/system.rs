//! Settings of the machine and of its network namespace: CPUs, ECN, forwarding, nfqueue.

use crate::model::fact::{Fact, Why};
use std::{io, path::Path};

use super::{cpu_list::parse_list, small_file};

/// The namespace of this thread, which is not always the process's: `/proc/net` would be the latter's.
const OWN_NET: &str = "proc/thread-self/net";

/// CPUs online.
pub fn cpus_online() -> Fact<u32> {
    cpus_online_in(Path::new("/"))
}

/// `net.ipv4.tcp_ecn` of this thread's namespace: 0 off, 1 asked for and accepted, 2 accepted.
pub fn tcp_ecn() -> Fact<u32> {
    Ok(small_file::read_number(Path::new("/proc/sys/net/ipv4/tcp_ecn"))?)
}

/// `net.ipv4.tcp_congestion_control` of this thread's namespace.
pub fn congestion_control() -> Fact<String> {
    let name = small_file::read_setting(Path::new("/proc/sys/net/ipv4/tcp_congestion_control"))?;
    Ok(name.trim().to_owned())
}

/// Whether IPv4 packets (between any interfaces) or IPv6 packets are forwarded in this thread's namespace.
pub fn forwarding() -> Fact<bool> {
    forwarding_in(Path::new("/"))
}

/// Netfilter queues that programs are bound to in this thread's namespace.
pub fn nfqueues() -> Fact<u32> {
    nfqueues_in(Path::new("/"))
}

fn cpus_online_in(root: &Path) -> Fact<u32> {
    let path = root.join("sys/devices/system/cpu/online");
    let cpus = parse_list(&small_file::read_setting(&path)?).filter(|cpus| !cpus.is_empty());
    let count = cpus.and_then(|cpus| u32::try_from(cpus.len()).ok());
    count.ok_or_else(|| format!("{} holds no list of CPUs", path.display()).into())
}

fn forwarding_in(root: &Path) -> Fact<bool> {
    let ipv4 = root.join("proc/sys/net/ipv4/conf");
    // Each interface has its own switch, `all` among them, and `ip_forward` is `all`'s.
    let entries = std::fs::read_dir(&ipv4).map_err(|error| small_file::unreadable(&ipv4, &error))?;
    for entry in entries.flatten().filter(|entry| entry.file_name() != "default") {
        // An interface may go away meanwhile.
        if small_file::read_number(&entry.path().join("forwarding")).is_ok_and(|on| on != 0) {
            return Ok(true);
        }
    }
    // A kernel without IPv6 forwards none of it.
    Ok(small_file::read_number(&root.join("proc/sys/net/ipv6/conf/all/forwarding")).is_ok_and(|on| on != 0))
}

fn nfqueues_in(root: &Path) -> Fact<u32> {
    let net = root.join(OWN_NET);
    let path = net.join("netfilter/nfnetlink_queue");
    match small_file::read(&path, 1 << 20) {
        Ok(text) => u32::try_from(text.lines().count()).map_err(Why::said),
        // Without the module nothing can be bound.
        Err(error) if error.kind() == io::ErrorKind::NotFound && net.is_dir() => Ok(0),
        Err(error) => Err(small_file::unreadable(&path, &error).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (file, content) in files {
            let path = root.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        root
    }

    #[test]
    fn the_cpus_online_are_counted_from_their_list() {
        let path = "sys/devices/system/cpu/online";
        assert_eq!(cpus_online_in(machine(&[(path, "0-3,8\n")]).path()), Ok(5));
        assert!(cpus_online_in(machine(&[(path, "\n")]).path()).is_err(), "no CPU is not an answer");
    }

    #[test]
    fn one_interface_that_forwards_is_enough_and_the_default_of_new_ones_is_none() {
        let off = [
            ("proc/sys/net/ipv4/conf/all/forwarding", "0\n"),
            ("proc/sys/net/ipv4/conf/default/forwarding", "1\n"),
        ];
        let with = |file| forwarding_in(machine(&[off.as_slice(), &[(file, "1\n")]].concat()).path());
        assert_eq!(forwarding_in(machine(&off).path()), Ok(false));
        assert_eq!(with("proc/sys/net/ipv4/conf/ens4/forwarding"), Ok(true));
        assert_eq!(with("proc/sys/net/ipv6/conf/all/forwarding"), Ok(true));
        assert!(forwarding_in(machine(&[]).path()).is_err());
    }

    #[test]
    fn without_the_module_no_queue_is_bound_but_without_proc_it_is_not_known() {
        let bound = ("proc/thread-self/net/netfilter/nfnetlink_queue", "    0  31621 0 2 65531 0 0 0 1\n");
        assert_eq!(nfqueues_in(machine(&[bound]).path()), Ok(1));
        assert_eq!(nfqueues_in(machine(&[("proc/thread-self/net/dev", "")]).path()), Ok(0));
        assert!(nfqueues_in(machine(&[]).path()).is_err());
    }

    #[test]
    fn this_machine_has_cpus_and_settings() {
        assert!(cpus_online().unwrap() >= 1);
        assert!(tcp_ecn().unwrap() <= 5);
        forwarding().unwrap();
    }
}

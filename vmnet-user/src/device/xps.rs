//! Which CPUs transmit on which queue (XPS), and to which CPUs received packets are spread (RPS).

use std::{io, path::Path};

use super::{
    cpu_list::parse_mask,
    interface_files::{Identity, InterfaceFiles},
    small_file,
};
use crate::model::{fact::Fact, fix::QueueCpus};

/// Longer than any mask.
const MOST_BYTES: u64 = 64 * 1024;

/// For each transmit queue in use, the CPUs that are sent to it; none of them where XPS is not set.
/// `/sys` must be that of the namespace.
pub fn xps(interface: &str, tx_queues: u32) -> Fact<Vec<Vec<u32>>> {
    xps_in(Path::new("/sys/class/net"), interface, tx_queues)
}

/// The same of that very interface, whatever `/sys` shows, for as many queues as it has in use.
///
/// # Errors
/// In words, where `/sys` does not show it, as with devices that can have one queue only.
pub(super) fn xps_of(interface: Identity<'_>) -> Fact<Vec<Vec<u32>>> {
    let name = interface.name;
    let files = InterfaceFiles::open(interface)
        .map_err(|error| format!("cannot read /sys/class/net/{name}: {error}"))?;
    xps_from(&files, name)
}

/// For each receive queue in use, the CPUs that its packets are spread to; none of them where RPS is off.
pub fn rps(interface: &str) -> Fact<Vec<Vec<u32>>> {
    rps_in(Path::new("/sys/class/net"), interface)
}

fn xps_from(files: &InterfaceFiles, name: &str) -> Fact<Vec<Vec<u32>>> {
    let mut queues = Vec::new();
    for queue in 0.. {
        let file = QueueCpus { queue, cpus: Vec::new() }.file();
        let path = Path::new("/sys/class/net").join(name).join(&file);
        match files.read(&file, MOST_BYTES) {
            // Only queues in use have a directory (`netdev_queue_update_kobjects`).
            Err(error) if error.kind() == io::ErrorKind::NotFound && queue > 0 => break,
            Err(error) => return Err(small_file::unreadable(&path, &error).into()),
            Ok(text) => queues.push(mask(&path, &text)?),
        }
    }
    Ok(queues)
}

fn xps_in(class_net: &Path, interface: &str, tx_queues: u32) -> Fact<Vec<Vec<u32>>> {
    let queues = class_net.join(interface).join("queues");
    (0..tx_queues)
        .map(|queue| {
            let path = queues.join(format!("tx-{queue}/xps_cpus"));
            match small_file::read(&path, MOST_BYTES) {
                // `xps_cpus_show`: ENOENT unless `netif_is_multiqueue`.
                Err(error) if error.kind() == io::ErrorKind::NotFound && tx_queues == 1 => {
                    Err("with a single transmit queue there is nothing to steer".into())
                }
                Err(error) => Err(small_file::unreadable(&path, &error).into()),
                Ok(text) => mask(&path, &text),
            }
        })
        .collect()
}

fn rps_in(class_net: &Path, interface: &str) -> Fact<Vec<Vec<u32>>> {
    let queues = class_net.join(interface).join("queues");
    let entries = std::fs::read_dir(&queues).map_err(|error| small_file::unreadable(&queues, &error))?;
    let mut numbers: Vec<u32> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.strip_prefix("rx-")?.parse().ok())
        .collect();
    numbers.sort_unstable();
    numbers
        .into_iter()
        .map(|queue| {
            let path = queues.join(format!("rx-{queue}/rps_cpus"));
            mask(&path, &small_file::read_setting(&path)?)
        })
        .collect()
}

fn mask(path: &Path, text: &str) -> Fact<Vec<u32>> {
    parse_mask(text).ok_or_else(|| {
        let found: String = text.chars().take(32).collect();
        format!("{} holds {found:?}, not a mask of CPUs", path.display()).into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queues(files: &[(&str, &str)]) -> tempfile::TempDir {
        let sys = tempfile::tempdir().unwrap();
        for (file, content) in files {
            let path = sys.path().join("ens4/queues").join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        sys
    }

    #[test]
    fn each_queue_has_its_cpus_in_the_order_of_the_queues() {
        let sys = queues(&[
            ("tx-0/xps_cpus", "03\n"),
            ("tx-1/xps_cpus", "0c\n"),
            ("tx-2/xps_cpus", "00000001,00000030\n"),
            ("rx-10/rps_cpus", "2\n"),
            ("rx-2/rps_cpus", "0\n"),
        ]);
        assert_eq!(xps_in(sys.path(), "ens4", 3), Ok(vec![vec![0, 1], vec![2, 3], vec![4, 5, 32]]));
        assert_eq!(rps_in(sys.path(), "ens4"), Ok(vec![vec![], vec![1]]));
    }

    #[test]
    fn the_queues_in_use_are_those_that_have_a_directory() {
        let sys = queues(&[
            ("../ifindex", "7\n"),
            ("../address", "\n"),
            ("tx-0/xps_cpus", "03\n"),
            ("tx-1/xps_cpus", "00\n"),
            ("tx-3/xps_cpus", "01\n"),
        ]);
        let ens4 = Identity { ifindex: 7, name: "ens4", hardware_address: &[] };
        let files = InterfaceFiles::open_in(sys.path(), ens4).unwrap();
        assert_eq!(xps_from(&files, "ens4"), Ok(vec![vec![0, 1], vec![]]));
        std::fs::remove_file(sys.path().join("ens4/queues/tx-0/xps_cpus")).unwrap();
        assert!(xps_from(&files, "ens4").unwrap_err().to_string().contains("tx-0/xps_cpus"));
    }

    #[test]
    fn a_single_queue_has_no_xps_and_that_is_the_reason() {
        let sys = queues(&[("rx-0/rps_cpus", "0\n")]);
        assert!(xps_in(sys.path(), "ens4", 1).unwrap_err().to_string().contains("single"));
        let lost = xps_in(sys.path(), "ens4", 2).unwrap_err().to_string();
        assert!(lost.contains("tx-0/xps_cpus"), "{lost}");
    }

    #[test]
    fn what_is_not_a_mask_is_an_error_and_not_an_empty_one() {
        let sys = queues(&[("tx-0/xps_cpus", "none\n"), ("rx-0/rps_cpus", "\n")]);
        assert!(xps_in(sys.path(), "ens4", 1).unwrap_err().to_string().contains("none"));
        assert!(rps_in(sys.path(), "ens4").is_err());
    }
}

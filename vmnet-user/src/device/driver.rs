//! Who drives the interface, on which kernel, in which namespace.

use std::{
    collections::BTreeMap,
    io,
    os::{fd::AsRawFd, unix::fs::MetadataExt},
    path::{Path, PathBuf},
};

use super::small_file;

/// Why something of `/sys` or `/proc` could not be read.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// The file cannot be read.
    #[error("cannot read {}: {cause}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        cause: io::Error,
    },
    /// The kernel does not tell its release.
    #[error("the kernel does not tell its release")]
    NoRelease,
    /// Not what virtio writes.
    #[error("{} holds {found:?}, not a row of 0 and 1", path.display())]
    NotBits {
        /// The file.
        path: PathBuf,
        /// Its first characters.
        found: String,
    },
}

/// The driver's name (`virtio_net`), or None where no bus device stands behind the interface.
#[must_use]
pub fn driver_name(interface: &str) -> Option<String> {
    driver_name_in(Path::new("/sys/class/net"), interface)
}

fn driver_name_in(class_net: &Path, interface: &str) -> Option<String> {
    let driver = std::fs::read_link(class_net.join(interface).join("device/driver")).ok()?;
    Some(driver.file_name()?.to_string_lossy().into_owned())
}

/// The kernel's release (`uname -r`).
///
/// # Errors
/// When the kernel does not tell.
pub fn kernel_release() -> Result<String, DriverError> {
    let names = nix::sys::utsname::uname().map_err(|_| DriverError::NoRelease)?;
    Ok(names.release().to_string_lossy().into_owned())
}

/// Inode number of the network namespace of this thread.
///
/// # Errors
/// When `/proc` is not there.
pub fn netns_inode() -> Result<u64, DriverError> {
    // Not /proc/self: that is the first thread, which setns() of another thread leaves where it was.
    let path = Path::new("/proc/thread-self/ns/net");
    let metadata =
        std::fs::metadata(path).map_err(|cause| DriverError::Read { path: path.to_owned(), cause })?;
    Ok(metadata.ino())
}

/// The number of the network namespace of this thread that no other has until the next boot, unlike its inode's. None before 5.14.
#[must_use]
pub fn netns_cookie() -> Option<u64> {
    let socket = nix::sys::socket::socket(
        nix::sys::socket::AddressFamily::Unix,
        nix::sys::socket::SockType::Datagram,
        nix::sys::socket::SockFlag::SOCK_CLOEXEC,
        None,
    )
    .ok()?;
    let mut cookie = 0_u64;
    let mut length = libc::socklen_t::try_from(size_of_val(&cookie)).ok()?;
    // SAFETY: the kernel writes at most `length` bytes, which `cookie` has, and the count of them into `length`; both outlive the call.
    let answer = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_NETNS_COOKIE,
            (&raw mut cookie).cast(),
            &raw mut length,
        )
    };
    (answer == 0).then_some(cookie)
}

/// Whether this thread is in the network namespace of process 1: it lives as long as the machine, or the container, and udevd and
/// NetworkManager see its interfaces.
#[must_use]
pub fn netns_is_of_process_1() -> bool {
    match std::fs::metadata("/proc/1/ns/net") {
        Ok(of_first) => netns_inode().is_ok_and(|here| here == of_first.ino()),
        // For root to look at, and not for every root. The kernel's first namespace alone shows what is the same for all
        // (`net_core_table` in net/core/sysctl_net_core.c, 5.10 to 6.18).
        Err(_) => Path::new("/proc/sys/net/core/netdev_budget").exists(),
    }
}

/// A feature of virtio-net, by its bit (virtio 1.3, section 5.1.3; `linux/virtio_net.h`). Those that decide about transmit offloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum VirtioBit {
    /// The host takes packets with partial checksum. Without it there is no scatter-gather and no TSO.
    Csum = 0,
    /// Receive offloads can be switched while running.
    CtrlGuestOffloads = 2,
    /// Legacy: any GSO type.
    Gso = 6,
    /// The host takes TSO, IPv4.
    HostTso4 = 11,
    /// The host takes TSO, IPv6.
    HostTso6 = 12,
    /// The host takes TSO of packets with ECN bits.
    HostEcn = 13,
    /// The host takes UDP fragmentation offload.
    HostUfo = 14,
    /// Receive buffers can be merged.
    MrgRxbuf = 15,
    /// There is a control queue.
    CtrlVq = 17,
    /// Several queues.
    Mq = 22,
    /// Notifications can be thinned out.
    EventIdx = 29,
    /// virtio 1.0 or later.
    Version1 = 32,
    /// The device keeps statistics.
    DeviceStats = 50,
    /// The host takes UDP segmentation offload.
    HostUso = 56,
    /// The host takes GSO inside UDP tunnels (kernel 6.17).
    HostUdpTunnelGso = 67,
    /// The same with outer checksum.
    HostUdpTunnelGsoCsum = 68,
}

impl VirtioBit {
    /// All of them, in order.
    pub const ALL: [Self; 16] = [
        Self::Csum,
        Self::CtrlGuestOffloads,
        Self::Gso,
        Self::HostTso4,
        Self::HostTso6,
        Self::HostEcn,
        Self::HostUfo,
        Self::MrgRxbuf,
        Self::CtrlVq,
        Self::Mq,
        Self::EventIdx,
        Self::Version1,
        Self::DeviceStats,
        Self::HostUso,
        Self::HostUdpTunnelGso,
        Self::HostUdpTunnelGsoCsum,
    ];

    /// As the specification writes it, without the prefix `VIRTIO_NET_F_`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Csum => "CSUM",
            Self::CtrlGuestOffloads => "CTRL_GUEST_OFFLOADS",
            Self::Gso => "GSO",
            Self::HostTso4 => "HOST_TSO4",
            Self::HostTso6 => "HOST_TSO6",
            Self::HostEcn => "HOST_ECN",
            Self::HostUfo => "HOST_UFO",
            Self::MrgRxbuf => "MRG_RXBUF",
            Self::CtrlVq => "CTRL_VQ",
            Self::Mq => "MQ",
            Self::EventIdx => "EVENT_IDX",
            Self::Version1 => "VERSION_1",
            Self::DeviceStats => "DEVICE_STATS",
            Self::HostUso => "HOST_USO",
            Self::HostUdpTunnelGso => "HOST_UDP_TUNNEL_GSO",
            Self::HostUdpTunnelGsoCsum => "HOST_UDP_TUNNEL_GSO_CSUM",
        }
    }
}

/// The bits that driver and host agreed on. What the host offered is not in here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VirtioFeatures {
    bits: Vec<bool>,
}

impl VirtioFeatures {
    /// Whether the bit was negotiated. None where this kernel does not show bits so high (64 shown before 6.18).
    #[must_use]
    pub fn negotiated(&self, bit: VirtioBit) -> Option<bool> {
        self.bits.get(usize::from(bit as u8)).copied()
    }

    /// Names of the negotiated bits that [`VirtioBit`] knows.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        VirtioBit::ALL.into_iter().filter(|bit| self.negotiated(*bit) == Some(true)).map(VirtioBit::name)
    }

    /// Character *i* is bit *i*.
    fn parse(text: &str) -> Option<Self> {
        let bits: Option<Vec<bool>> = text
            .trim_end()
            .chars()
            .map(|character| match character {
                '0' => Some(false),
                '1' => Some(true),
                _ => None,
            })
            .collect();
        bits.filter(|bits| !bits.is_empty()).map(|bits| Self { bits })
    }
}

/// What the host offers, whether or not the driver took it: bits by number, from debugfs. Needs root, debugfs and `CONFIG_VIRTIO_DEBUG` (6.5).
///
/// # Errors
/// The reason why it is not known: mostly, that the kernel was built without.
pub fn virtio_offered(interface: &str) -> Result<Vec<u32>, String> {
    virtio_offered_in(Path::new("/sys"), interface)
}

fn virtio_offered_in(sys: &Path, interface: &str) -> Result<Vec<u32>, String> {
    let device = sys.join("class/net").join(interface).join("device");
    let name = std::fs::canonicalize(&device)
        .ok()
        .and_then(|device| device.file_name().map(ToOwned::to_owned))
        .ok_or_else(|| format!("{} leads nowhere", device.display()))?;
    let path = sys.join("kernel/debug/virtio").join(name).join("device_features");
    let text = small_file::read(&path, 64 * 1024).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            "this kernel does not tell what the host offers (no CONFIG_VIRTIO_DEBUG, or debugfs is not mounted)"
                .to_owned()
        }
        io::ErrorKind::PermissionDenied => format!("reading {} takes root", path.display()),
        _ => small_file::unreadable(&path, &error),
    })?;
    // `virtio_debug_device_features_show`: one bit's number a line.
    let bits: Option<Vec<u32>> = text.split_whitespace().map(|word| word.parse().ok()).collect();
    bits.ok_or_else(|| format!("{} holds something else than numbers of bits", path.display()))
}

/// The parameters of the module of the interface's driver (`virtio_net`) that can be read: name → value. Empty where there is no
/// driver, or its module has none.
#[must_use]
pub fn module_parameters(interface: &str) -> BTreeMap<String, String> {
    module_parameters_in(Path::new("/sys"), interface)
}

fn module_parameters_in(sys: &Path, interface: &str) -> BTreeMap<String, String> {
    let driver = sys.join("class/net").join(interface).join("device/driver");
    // A driver that is built in has no link to its module, which is then named like the driver.
    let module = std::fs::read_link(driver.join("module"))
        .or_else(|_| std::fs::read_link(&driver))
        .ok()
        .and_then(|target| target.file_name().map(|name| name.to_string_lossy().replace('-', "_")));
    let Some(module) = module else { return BTreeMap::new() };
    let Ok(entries) = std::fs::read_dir(sys.join("module").join(module).join("parameters")) else {
        return BTreeMap::new();
    };
    let value = |entry: std::fs::DirEntry| {
        let text = small_file::read(&entry.path(), 4096).ok()?;
        Some((entry.file_name().to_string_lossy().into_owned(), text.trim_end().to_owned()))
    };
    entries.flatten().filter_map(value).collect()
}

/// The negotiated bits of a virtio interface; None where the interface is not a virtio one.
///
/// # Errors
/// When it is one, and its bits cannot be read.
pub fn virtio_features(interface: &str) -> Result<Option<VirtioFeatures>, DriverError> {
    virtio_features_in(Path::new("/sys/class/net"), interface)
}

fn virtio_features_in(class_net: &Path, interface: &str) -> Result<Option<VirtioFeatures>, DriverError> {
    if driver_name_in(class_net, interface).as_deref() != Some("virtio_net") {
        return Ok(None);
    }
    let path = class_net.join(interface).join("device/features");
    match std::fs::read_to_string(&path) {
        Err(cause) => Err(DriverError::Read { path, cause }),
        Ok(text) => VirtioFeatures::parse(&text)
            .map(Some)
            .ok_or_else(|| DriverError::NotBits { path, found: text.chars().take(32).collect() }),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// As read in a virtio-net guest with TSO, kernel 6.18.
    const WITH_TSO: &str = "1100010110111011000000000000010010000000000000000000000000000000\
                            0000000000000000000000000000000000000000000000000000000000000000";

    fn virtio_interface(features: &str) -> tempfile::TempDir {
        let sys = tempfile::tempdir().unwrap();
        let device = sys.path().join("ens4/device");
        std::fs::create_dir_all(&device).unwrap();
        symlink("../../../../bus/virtio/drivers/virtio_net", device.join("driver")).unwrap();
        std::fs::write(device.join("features"), features).unwrap();
        sys
    }

    #[test]
    fn bits_are_read_from_left_to_right() {
        let sys = virtio_interface(&format!("{WITH_TSO}\n"));
        let features = virtio_features_in(sys.path(), "ens4").unwrap().unwrap();
        assert_eq!(features.negotiated(VirtioBit::Csum), Some(true));
        assert_eq!(features.negotiated(VirtioBit::HostTso4), Some(true));
        assert_eq!(features.negotiated(VirtioBit::HostEcn), Some(false));
        assert!(features.names().any(|name| name == "HOST_TSO6"));
    }

    #[test]
    fn a_bit_beyond_what_the_kernel_shows_is_unknown_not_off() {
        let features = VirtioFeatures::parse(&"0".repeat(64)).unwrap();
        assert_eq!(features.negotiated(VirtioBit::HostUso), Some(false));
        assert_eq!(features.negotiated(VirtioBit::HostUdpTunnelGso), None);
    }

    #[test]
    fn anything_but_bits_is_an_error_that_shows_what_was_found() {
        let sys = virtio_interface("0xff");
        let error = virtio_features_in(sys.path(), "ens4").unwrap_err().to_string();
        assert!(error.contains("0xff"), "{error}");
        let empty = virtio_interface("\n");
        assert!(virtio_features_in(empty.path(), "ens4").is_err());
    }

    fn whole_machine() -> tempfile::TempDir {
        let sys = tempfile::tempdir().unwrap();
        let at = |path: &str| sys.path().join(path);
        for directory in [
            "class/net/ens4",
            "devices/virtio3",
            "bus/virtio/drivers/virtio_net",
            "module/virtio_net/parameters",
            "kernel/debug/virtio/virtio3",
        ] {
            std::fs::create_dir_all(at(directory)).unwrap();
        }
        symlink(at("devices/virtio3"), at("class/net/ens4/device")).unwrap();
        symlink(at("bus/virtio/drivers/virtio_net"), at("devices/virtio3/driver")).unwrap();
        symlink(at("module/virtio_net"), at("bus/virtio/drivers/virtio_net/module")).unwrap();
        std::fs::write(at("module/virtio_net/parameters/gso"), "N\n").unwrap();
        std::fs::write(at("kernel/debug/virtio/virtio3/device_features"), "0\n11\n32\n").unwrap();
        sys
    }

    #[test]
    fn the_parameters_of_the_drivers_module_are_read_by_name() {
        let sys = whole_machine();
        let expected = BTreeMap::from([("gso".to_owned(), "N".to_owned())]);
        assert_eq!(module_parameters_in(sys.path(), "ens4"), expected);
        std::fs::remove_file(sys.path().join("bus/virtio/drivers/virtio_net/module")).unwrap();
        assert_eq!(module_parameters_in(sys.path(), "ens4"), expected, "built in");
        assert_eq!(module_parameters_in(sys.path(), "veth0"), BTreeMap::new());
    }

    #[test]
    fn what_the_host_offers_is_a_list_of_bits_or_a_reason() {
        let sys = whole_machine();
        assert_eq!(virtio_offered_in(sys.path(), "ens4"), Ok(vec![0, 11, 32]));
        let file = sys.path().join("kernel/debug/virtio/virtio3/device_features");
        std::fs::write(&file, "0x23\n").unwrap();
        assert!(virtio_offered_in(sys.path(), "ens4").is_err());
        std::fs::remove_file(file).unwrap();
        assert!(virtio_offered_in(sys.path(), "ens4").unwrap_err().contains("CONFIG_VIRTIO_DEBUG"));
    }

    #[test]
    fn an_interface_without_a_bus_device_has_no_driver_and_no_virtio_bits() {
        let sys = virtio_interface("01");
        assert_eq!(driver_name_in(sys.path(), "ens4").as_deref(), Some("virtio_net"));
        assert_eq!(driver_name_in(sys.path(), "veth0"), None);
        assert_eq!(virtio_features_in(sys.path(), "veth0").unwrap(), None);
        assert_eq!(driver_name("lo"), None);
    }

    #[test]
    fn every_virtio_bit_is_listed_once_in_order() {
        assert!(VirtioBit::ALL.is_sorted_by_key(|bit| *bit as u8));
    }

    #[test]
    fn the_namespace_of_this_thread_has_an_inode_and_the_kernel_a_release() {
        let of_self = std::fs::metadata("/proc/self/ns/net").unwrap().ino();
        assert_eq!(netns_inode().unwrap(), of_self);
        assert!(kernel_release().unwrap().starts_with(|first: char| first.is_ascii_digit()));
    }
}

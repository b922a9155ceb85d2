//! Changing a device: features, GSO limits, channels, XPS, options of its qdiscs. The only module that writes to the kernel's network state.
//!
//! Reading needs no privilege; each change needs CAP_NET_ADMIN in the network namespace of the calling thread.

mod cake;
mod channels;
mod features;
mod limits;
mod qdisc;
mod tbf;
mod xps;

use std::path::Path;

use netlink_sys::protocols::NETLINK_ROUTE;

use super::{
    channels as channel_reader,
    driver_info::{ethtool_driver, permanent_address},
    ethtool::{Ethtool, EthtoolError},
    features::FeatureReader,
    interface_files::Identity,
    links::{Link, LinkError, LinkReader},
    netlink::{Netlink, NetlinkError},
    xps as xps_reader,
};
use crate::model::fix::{DeviceIdentity, DeviceState, Step};

/// Why a device could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The interface.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// Its features.
    #[error("its features cannot be read: {0}")]
    Features(#[from] EthtoolError),
    /// The kernel refused, or could not be asked.
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
    /// The options of a qdisc are not understood, so that they cannot be sent back with one of them changed.
    #[error("the options of this {0} are not understood")]
    Options(&'static str),
    /// There is no such interface any more.
    #[error("the interface is gone")]
    Gone,
    /// A file of `/sys` cannot be written, or is another interface's.
    #[error("cannot write {path}: {cause}")]
    File {
        /// Which.
        path: String,
        /// What the kernel answered.
        cause: std::io::Error,
    },
}

/// Reads and changes devices of the network namespace that the thread was in when it was opened.
#[derive(Debug)]
pub struct Changer {
    links: LinkReader,
    features: FeatureReader,
    ethtool: Ethtool,
    route: Netlink,
}

impl Changer {
    /// Opens the sockets.
    ///
    /// # Errors
    /// When the kernel refuses them, or has no ethtool netlink (before 5.6).
    pub fn open() -> Result<Self, ChangeError> {
        Ok(Self {
            links: LinkReader::open()?,
            features: FeatureReader::open()?,
            ethtool: Ethtool::open()?,
            route: Netlink::open(NETLINK_ROUTE)?,
        })
    }

    /// A device by its name, or another name it answers to. XPS takes a `/sys` of the namespace.
    ///
    /// # Errors
    /// When there is none, or the kernel cannot be asked. Channels and XPS that cannot be read are no error, but not in the state.
    pub fn read(&mut self, name: &str) -> Result<DeviceState, ChangeError> {
        let link = self.links.link(name)?;
        let identity =
            Identity { ifindex: link.ifindex, name: &link.name, hardware_address: &link.hardware_address };
        let xps = xps_reader::xps_of(identity).unwrap_or_default();
        let lasting = identity_of(&link);
        Ok(DeviceState {
            ifindex: link.ifindex,
            features: self.features.read(link.ifindex)?,
            limits: link.limits(),
            name: link.name,
            qdiscs: qdisc::read(&mut self.route, link.ifindex)?,
            channels: channel_reader::read(&mut self.ethtool, link.ifindex).ok(),
            xps,
            identity: Some(lasting),
        })
    }

    /// What the interface with that index is called now; None where there is none.
    ///
    /// # Errors
    /// When the kernel cannot be asked.
    pub fn name_of(&mut self, ifindex: u32) -> Result<Option<String>, ChangeError> {
        let links = self.links.list()?;
        Ok(links.into_iter().find(|link| link.ifindex == ifindex).map(|link| link.name))
    }

    /// Carries out one step. By index: a name may mean another device by now.
    ///
    /// # Errors
    /// What the kernel answered; then nothing of the step was done (but see `do_setlink` for limits, which sets them one
    /// after the other, and XPS, which is a file a queue).
    pub fn carry_out(&mut self, step: &Step) -> Result<(), ChangeError> {
        match step {
            Step::Features { device, requests } => {
                features::set(&mut self.ethtool, device.ifindex, requests)?;
            }
            Step::Limits { device, request } => limits::set(&mut self.route, device.ifindex, request)?,
            Step::TbfBurst { device, qdisc, burst_bytes } => {
                let (ifindex, route) = (device.ifindex, &mut self.route);
                for options in
                    tbf::options_for(&qdisc.options, *burst_bytes).ok_or(ChangeError::Options("tbf"))?
                {
                    qdisc::change(route, ifindex, qdisc.handle, qdisc.parent, &qdisc.kind, &options)?;
                    let current = qdisc::read(route, ifindex)?;
                    let now = current.iter().find(|now| now.handle == qdisc.handle);
                    if burst_bytes.is_some() || now.is_none_or(|now| now.options == qdisc.options) {
                        break;
                    }
                }
            }
            Step::CakeSplitGso { device, handle, parent, on } => {
                qdisc::change(
                    &mut self.route,
                    device.ifindex,
                    *handle,
                    *parent,
                    "cake",
                    &cake::split_gso(*on),
                )?;
            }
            Step::Channels { device, request } => {
                channels::set(&mut self.ethtool, device.ifindex, request)?;
            }
            Step::Xps { device, queues } => {
                let links = self.links.all()?;
                let link = links.iter().find(|link| link.ifindex == device.ifindex);
                let link = link.ok_or(ChangeError::Gone)?;
                let identity = Identity {
                    ifindex: link.ifindex,
                    name: &link.name,
                    hardware_address: &link.hardware_address,
                };
                xps::set(identity, queues).map_err(|(path, cause)| ChangeError::File { path, cause })?;
            }
        }
        Ok(())
    }
}

/// What would be sent to put a listed qdisc back is the qdisc that was listed, whatever the kernel listed.
#[cfg(any(test, feature = "fuzzing"))]
pub(super) fn qdisc_goes_back(message: &[u8], ifindex: u32) {
    let Some(listed) = qdisc::parse(message, ifindex) else { return };
    for options in tbf::options_for(&listed.options, None).into_iter().flatten() {
        assert_eq!(tbf::splits(&options), tbf::splits(&listed.options));
    }
    if let crate::model::fix::Splits::SplitGso { on: Some(on) } = listed.splits {
        assert_eq!(cake::splits_gso(&cake::split_gso(on)), Some(on));
    }
}

/// What lasts as long as the device. The current address may be set by anybody, and a bond's ports all get the bond's, so the one that the
/// device came with counts where it has one.
fn identity_of(link: &Link) -> DeviceIdentity {
    let permanent = permanent_address(&link.name).ok().flatten();
    let address = permanent.as_ref().unwrap_or(&link.hardware_address);
    let parent = std::fs::canonicalize(Path::new("/sys/class/net").join(&link.name).join("device"));
    DeviceIdentity {
        hardware_address: address.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":"),
        driver: ethtool_driver(&link.name).ok().flatten(),
        kind: link.kind.clone(),
        parent: parent.ok().map(|path| path.to_string_lossy().into_owned()),
        link: link.below_ifindex,
    }
}

#[cfg(test)]
mod there_and_back_tests;

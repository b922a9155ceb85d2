use std::fmt::{self, Display, Formatter};

use serde::{Deserialize, Serialize};

use super::{Form, nm};
use crate::model::cause::{Action, FeatureChange};

/// What is to hold on one interface after a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// By the kernel's names, each once, in the order in which they depend on each other.
    pub features: Vec<FeatureChange>,
    /// Bytes.
    pub gso_max_size: Option<u32>,
    /// Bytes (6.3).
    pub gso_ipv4_max_size: Option<u32>,
    /// Segments.
    pub gso_max_segs: Option<u32>,
    /// What was asked for and no configuration of an interface can hold, such as a qdisc's options; each with its reason.
    pub beyond_files: Vec<String>,
}

impl Settings {
    /// What these actions ask for on `interface`; those on other interfaces are left aside. Later ones win.
    pub fn of(actions: &[Action], interface: &str) -> Self {
        let mut settings = Self::default();
        for action in actions {
            match action {
                Action::Features { interface: on, changes } if on == interface => {
                    changes.iter().for_each(|change| settings.set(change));
                }
                Action::GsoLimits { interface: on, gso_max_size, gso_ipv4_max_size, gso_max_segs }
                    if on == interface =>
                {
                    settings.gso_max_size = gso_max_size.or(settings.gso_max_size);
                    settings.gso_ipv4_max_size = gso_ipv4_max_size.or(settings.gso_ipv4_max_size);
                    settings.gso_max_segs = gso_max_segs.or(settings.gso_max_segs);
                }
                Action::TbfBurst { interface: on, .. } if on == interface => {
                    settings.beyond_files.push(
                        "tbf's burst: keep it where the qdisc is set up; no interface file holds it"
                            .to_owned(),
                    );
                }
                Action::CakeNoSplit { interface: on, .. } if on == interface => {
                    settings.beyond_files.push(
                        "cake's no-split-gso: keep it where the qdisc is set up; no interface file holds it"
                            .to_owned(),
                    );
                }
                _ => {}
            }
        }
        settings
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.features.is_empty()
            && self.gso_max_size.is_none()
            && self.gso_ipv4_max_size.is_none()
            && self.gso_max_segs.is_none()
    }

    /// `over` where it says something, and what is here where it does not.
    pub(super) fn merged_with(&self, over: &Self) -> Self {
        let mut merged = self.clone();
        over.features.iter().for_each(|change| merged.set(change));
        merged.gso_max_size = over.gso_max_size.or(merged.gso_max_size);
        merged.gso_ipv4_max_size = over.gso_ipv4_max_size.or(merged.gso_ipv4_max_size);
        merged.gso_max_segs = over.gso_max_segs.or(merged.gso_max_segs);
        merged
    }

    /// What the form has words for, and the rest by name.
    pub(super) fn split_for(&self, form: Form) -> (Self, Vec<String>) {
        let mut kept = Self { beyond_files: Vec::new(), ..self.clone() };
        let mut left_out = Vec::new();
        let holder = match form {
            Form::Networkd => "systemd's .link files have",
            Form::Netplan => "netplan has",
            Form::Nm => "NetworkManager has",
            Form::Udev | Form::CloudInit => return (kept, left_out),
        };
        kept.features.retain(|change| {
            let known = match form {
                Form::Nm => nm::key(&change.feature).is_some(),
                _ => link_key(&change.feature).is_some(),
            };
            if !known {
                left_out.push(format!("{}: {holder} no key for it", change.feature));
            }
            known
        });
        if form != Form::Networkd {
            for (name, value) in
                [("gso_max_size", kept.gso_max_size.take()), ("gso_max_segs", kept.gso_max_segs.take())]
            {
                // NetworkManager 1.44 and later have one in [link]; earlier ones drop the section without a word.
                let why = if form == Form::Nm {
                    "NetworkManager has a key for it only since 1.44".to_owned()
                } else {
                    format!("{holder} no key for it")
                };
                left_out.extend(value.map(|_| format!("{name}: {why}")));
            }
        }
        left_out.extend(
            kept.gso_ipv4_max_size.take().map(|_| format!("gso_ipv4_max_size: {holder} no key for it")),
        );
        (kept, left_out)
    }

    /// The limits as `ip link set` takes them.
    pub(super) fn limits(&self) -> impl Iterator<Item = (&'static str, u32)> {
        [
            ("gso_max_size", self.gso_max_size),
            ("gso_ipv4_max_size", self.gso_ipv4_max_size),
            ("gso_max_segs", self.gso_max_segs),
        ]
        .into_iter()
        .filter_map(|(name, value)| value.map(|value| (name, value)))
    }

    /// From words as [`Display`] writes them. None where any is not such a word.
    pub(super) fn parse(words: &str) -> Option<Self> {
        let mut settings = Self::default();
        for word in words.split_whitespace() {
            let (name, value) = word.split_once('=')?;
            match (name, value) {
                ("gso_max_size", bytes) => settings.gso_max_size = Some(bytes.parse().ok()?),
                ("gso_ipv4_max_size", bytes) => settings.gso_ipv4_max_size = Some(bytes.parse().ok()?),
                ("gso_max_segs", segments) => settings.gso_max_segs = Some(segments.parse().ok()?),
                (feature, "on" | "off") => {
                    settings.set(&FeatureChange { feature: feature.to_owned(), on: value == "on" });
                }
                _ => return None,
            }
        }
        Some(settings)
    }

    fn set(&mut self, change: &FeatureChange) {
        match self.features.iter_mut().find(|known| known.feature == change.feature) {
            Some(known) => known.on = change.on,
            None => self.features.push(change.clone()),
        }
    }
}

impl Display for Settings {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let features = self.features.iter().map(|change| format!("{}={}", change.feature, on_off(change.on)));
        let limits = self.limits().map(|(name, value)| format!("{name}={value}"));
        f.write_str(&features.chain(limits).collect::<Vec<_>>().join(" "))
    }
}

pub(super) fn on_off(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

/// What sets a feature in a `.link` file (systemd.link(5)) and in netplan, which makes such files.
pub(super) struct LinkKey {
    pub(super) systemd: &'static str,
    pub(super) netplan: &'static str,
}

/// None for the many features that neither knows. One key stands for all kinds of transmit checksum.
pub(super) fn link_key(feature: &str) -> Option<LinkKey> {
    let (systemd, netplan) = match feature {
        "tx-tcp-segmentation" => ("TCPSegmentationOffload", "tcp-segmentation-offload"),
        "tx-tcp6-segmentation" => ("TCP6SegmentationOffload", "tcp6-segmentation-offload"),
        "tx-generic-segmentation" => ("GenericSegmentationOffload", "generic-segmentation-offload"),
        "rx-gro" => ("GenericReceiveOffload", "generic-receive-offload"),
        checksum if checksum.starts_with("tx-checksum-") => {
            ("TransmitChecksumOffload", "transmit-checksum-offload")
        }
        _ => return None,
    };
    Some(LinkKey { systemd, netplan })
}

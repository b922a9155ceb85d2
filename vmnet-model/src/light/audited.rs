//! Windows in which every segment was counted too: the audit of the light ledger, hook against hook.

use super::LightView;
use crate::audit::Audit;
use crate::audited::Audited;
use crate::audited::OF_WINDOWS;
use crate::identity::IdentityId;
use crate::ledger::{Entry, Protocol};
use crate::sample::{Counting, Window};
use crate::units::share;

/// How far the two ledgers' shares of software may be apart.
const MOST_APART: f64 = 0.001;

impl Audited {
    /// Of a window in which every hook counted. `segmentation` is whether the light ledger has the hook on `__skb_gso_segment`.
    /// None where the window is not exact, and where no programs counted.
    #[must_use]
    pub fn of(window: &Window<'_>, segmentation: bool) -> Option<Self> {
        if window.conditions.counting != Counting::Exact {
            return None;
        }
        let counted = window.delta()?.traced?;
        let audit = Audit::of(window)?;
        let exact = [Protocol::tcp(&counted), Protocol::udp(&counted)];
        let view = LightView::unaudited(window, segmentation);
        let light = match view.window().delta()?.light? {
            Ok(light) => [light.tcp(&counted), light.udp(&counted)],
            Err(why) => return Some(Self::new(&exact, &audit, Some(why))),
        };
        let under_way = under_way_bytes(&audit);
        let disagreement = exact.iter().zip(&light).find_map(|(exact, light)| {
            let families = [(&exact.ipv4, &light.ipv4, "IPv4"), (&exact.ipv6, &light.ipv6, "IPv6")];
            families.into_iter().find_map(|(exact, light, family)| differ(exact, light, family, under_way))
        });
        Some(Self::new(&exact, &audit, disagreement))
    }

    fn new(exact: &[Protocol; 2], audit: &Audit, disagreement: Option<String>) -> Self {
        let packets = exact.iter().fold(0_u64, |sum, each| sum.saturating_add(each.total.packets_to_driver));
        let identities = OF_WINDOWS.iter().filter_map(|name| audit.identity(*name).cloned()).collect();
        Self { packets, disagreement, identities }
    }
}

/// What was on its way at the edges of a window, and so is counted at one end of it and not at the other.
pub(super) fn under_way_bytes(audit: &Audit) -> u64 {
    let slack = |name| audit.identity(name).and_then(|identity| identity.slack);
    slack(IdentityId::WireBytes).max(slack(IdentityId::DeviceBytes)).unwrap_or(0)
}

/// Whether two ledgers of one lane are apart, in words.
fn differ(exact: &Entry, light: &Entry, family: &str, under_way_bytes: u64) -> Option<String> {
    let (least, most) = (light.software_bytes_at_least, light.software_bytes_at_most);
    let beyond = exact.software_bytes.saturating_sub(most).max(least.saturating_sub(exact.software_bytes));
    let beyond = beyond.saturating_sub(under_way_bytes);
    let apart = share(beyond, exact.built_bytes().max(light.built_bytes())).unwrap_or(0.0);
    (apart > MOST_APART).then(|| {
        format!(
            "in a window with every hook {} bytes of {family} were segmented, and by the light ledger {least} to {most}",
            exact.software_bytes
        )
    })
}

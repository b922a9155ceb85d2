//! Whether a run with the exact hooks, seen as a light one, comes to the same.

use super::LightView;
use super::audited::under_way_bytes;
use crate::audit::Audit;
use crate::ledger::{Entry, Method};
use crate::ledgers::Ledgers;
use crate::sample::Window;
use crate::units::share;
use crate::verdict::{Confidence, FEWEST_AUDITED_PACKETS, Verdict};

/// How far a lane's share of software may be from the exact one where it is counted or allotted.
const MOST_APART: f64 = 0.001;

/// Where the light ledger of an exact run differs from the exact one, in words; without `segmentation`, as on the tracepoint rung.
///
/// State and confidence are the same, and so is each lane's share of software; where the light ledger has only bounds, the exact
/// share is within them. `None` where the run is no ground to compare on: no programs counted, or light refuses and says why.
#[must_use]
pub fn beside(window: &Window<'_>, segmentation: bool) -> Option<Result<(), String>> {
    let (exact, mut exact_verdict) = judged(window)?;
    let under_way = under_way_bytes(&Audit::of(window)?);
    let view = LightView::of(window, segmentation);
    view.window().delta()?.light?.ok()?;
    let (light, light_verdict) = judged(&view.window())?;
    let lanes = [
        ("TCP/IPv4", &exact.tcp.ipv4, &light.tcp.ipv4),
        ("TCP/IPv6", &exact.tcp.ipv6, &light.tcp.ipv6),
        ("UDP/IPv4", &exact.udp.ipv4, &light.udp.ipv4),
        ("UDP/IPv6", &exact.udp.ipv6, &light.udp.ipv6),
    ];
    let apart = lanes.iter().find_map(|(name, exact, light)| differ(name, exact, light, under_way));
    if let Some(apart) = apart {
        return Some(Err(apart));
    }
    // A proof by the light ledger takes a window with so many packets; here the whole run is the window.
    let most = match view.window().audited {
        Some(audited) if audited.packets >= FEWEST_AUDITED_PACKETS => Confidence::Proven,
        _ => Confidence::Supported,
    };
    if exact_verdict.confidence == Confidence::Proven {
        exact_verdict.confidence = most;
    }
    let judged = |verdict: &Verdict| (verdict.state, verdict.confidence);
    if light.tcp.total.method != Method::Bounds && judged(&exact_verdict) != judged(&light_verdict) {
        return Some(Err(format!(
            "{:?} by every packet ({}), {:?} by the light ledger ({})",
            judged(&exact_verdict),
            exact_verdict.summary,
            judged(&light_verdict),
            light_verdict.summary
        )));
    }
    Some(Ok(()))
}

fn judged(window: &Window<'_>) -> Option<(Ledgers, Verdict)> {
    let delta = window.delta()?;
    let ledgers = Ledgers::of(&delta, delta.traced.as_deref()?);
    let verdict = Verdict::of("", window, Some(&ledgers.tcp.total), Audit::of(window).as_ref());
    Some((ledgers, verdict))
}

fn differ(lane: &str, exact: &Entry, light: &Entry, under_way_bytes: u64) -> Option<String> {
    let truth = exact.software_bytes;
    if light.method == Method::Bounds {
        let (least, most) = (light.software_bytes_at_least, light.software_bytes_at_most);
        return (!(least.saturating_sub(under_way_bytes)..=most.saturating_add(under_way_bytes))
            .contains(&truth))
        .then(|| {
            format!("{lane}: {truth} bytes were segmented, and the light ledger says {least} to {most}")
        });
    }
    let beyond = truth.abs_diff(light.software_bytes).saturating_sub(under_way_bytes);
    let apart = share(beyond, exact.built_bytes().max(light.built_bytes()));
    apart.is_some_and(|apart| apart > MOST_APART).then(|| {
        format!("{lane}: {truth} bytes were segmented, and {} by the light ledger", light.software_bytes)
    })
}

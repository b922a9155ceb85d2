//! What the driver took, in the counters' own shape.

use vmnet_common::{Cell, Class, LaneCounts};

use super::solve::Segmented;
use super::terms::{Amount, Terms};

/// One lane at the driver.
pub(super) fn taken(terms: &Terms, segmented: &Segmented) -> LaneCounts {
    let (all, cut) = (&terms.supers, &segmented.supers);
    let mut counts = LaneCounts::default();
    for class in [Class::Full, Class::Small, Class::Control, Class::LooseFull, Class::LooseSmall] {
        counts.cells[class as usize] = singles(&terms.single(class));
    }
    let untagged = cut.header_bytes.saturating_sub(terms.tag_bytes_in_headers(cut));
    let own = headers(cut.packets, untagged, cut.added_packets());
    let cut_bytes = cut.payload_bytes.saturating_add(own);
    let (above, dropped) = (terms.single(Class::Made), &terms.made_and_dropped);
    let made = Amount {
        packets: cut.segs.saturating_add(above.packets).saturating_sub(dropped.packets),
        bytes: cut_bytes
            .saturating_add(cut.header_bytes)
            .saturating_add(terms.tag_bytes(cut))
            .saturating_add(above.bytes)
            .saturating_sub(dropped.bytes),
        payload_bytes: cut
            .payload_bytes
            .saturating_add(above.payload_bytes)
            .saturating_sub(dropped.payload_bytes),
    };
    counts.cells[Class::Made as usize] = singles(&made);
    counts.cells[Class::Super as usize] = Cell {
        packets: all.packets.saturating_sub(cut.packets),
        bytes: terms.supers_bytes.saturating_sub(cut_bytes),
        payload_bytes: all.payload_bytes.saturating_sub(cut.payload_bytes),
        segs: all.segs.saturating_sub(cut.segs),
    };
    counts.unsent_header_bytes = all.header_bytes.saturating_sub(untagged);
    counts
}

fn singles(amount: &Amount) -> Cell {
    Cell {
        packets: amount.packets,
        bytes: amount.bytes,
        payload_bytes: amount.payload_bytes,
        segs: amount.packets,
    }
}

/// Headers of so many packets, where `added` of them have so many bytes.
fn headers(packets: u64, header_bytes: u64, added: u64) -> u64 {
    let product = u128::from(packets) * u128::from(header_bytes);
    product.checked_div(u128::from(added)).and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0)
}

//! A run with the exact hooks, seen as a light one would have seen it: the same counters, without those of hooks per segment.

use vmnet_common::{Counters, Stage};

use super::semantics;
use crate::audited::Audited;
use crate::driver_semantics::DriverRow;
use crate::hook::{Hook, HookState};
use crate::sample::{Conditions, Counting, Sample, Window};

/// The samples and conditions of an exact run, as a light one would have them.
#[derive(Clone, Debug)]
pub struct LightView {
    samples: Vec<Sample>,
    conditions: Conditions,
    drained: bool,
    rested_at_start: bool,
    audited: Option<Audited>,
}

impl LightView {
    /// Of a window in which every hook counted. Without `segmentation`, the hook on `__skb_gso_segment` is left out as well, as
    /// on the tracepoint rung. The exact run itself is the window that audits it. What the device's counters count was decided by its driver, if that has no row: the exact run
    /// is the first window.
    #[must_use]
    pub fn of(window: &Window<'_>, segmentation: bool) -> Self {
        Self { audited: Audited::of(window, segmentation), ..Self::unaudited(window, segmentation) }
    }

    /// The same, before any window with every hook was held against it.
    #[must_use]
    pub(crate) fn unaudited(window: &Window<'_>, segmentation: bool) -> Self {
        let mut samples = window.samples.to_vec();
        for counted in samples.iter_mut().filter_map(|sample| sample.traced.as_deref_mut()) {
            mask(counted, segmentation);
        }
        let mut conditions = window.conditions.clone();
        conditions.counting = Counting::Light;
        let absent = [Hook::NetDevStartXmit, Hook::NetDevXmit, Hook::SkbSegment, Hook::TcpSendmsg];
        for hook in absent.into_iter().chain((!segmentation).then_some(Hook::SkbGsoSegment)) {
            conditions.hooks[hook] = HookState::Absent;
        }
        if let Some(Ok(semantics)) = window.delta().map(|delta| semantics(window, &delta)) {
            conditions.driver = DriverRow::Known(semantics);
        }
        Self {
            samples,
            conditions,
            drained: window.drained,
            rested_at_start: window.rested_at_start,
            audited: None,
        }
    }

    /// As a window.
    #[must_use]
    pub fn window(&self) -> Window<'_> {
        Window {
            samples: &self.samples,
            conditions: &self.conditions,
            drained: self.drained,
            rested_at_start: self.rested_at_start,
            cut_short: None,
            audited: self.audited.as_ref(),
        }
    }
}

fn mask(counted: &mut Counters, segmentation: bool) {
    let nothing = Counters::default();
    counted.stages[Stage::Driver as usize] = nothing.stages[Stage::Driver as usize];
    counted.skb_segment = nothing.skb_segment;
    counted.tcp_sendmsg = nothing.tcp_sendmsg;
    counted.driver_len = nothing.driver_len;
    if !segmentation {
        counted.segmentation = nothing.segmentation;
    }
}

//! The machine around the interface, before and after, and what it says about the traffic between.

use crate::{
    device::facts,
    model::{
        cause::{self, Cause, Elsewhere, Evidence, QueueUse, Traffic},
        chain::Answers,
        machine::{Machine, QueueCounters},
        reasons,
        sample::Window,
        senders::SenderLimits,
        throughput::CpuShare,
    },
    report::schema::RunReport,
};

/// Read once before and once after the window, not in it: it takes some milliseconds.
pub(super) struct Around {
    before: Option<Machine>,
    after: Option<Machine>,
    senders: Option<SenderLimits>,
    /// Why one of them is not known.
    pub(super) unread: Option<String>,
}

impl Around {
    /// Before the first sample.
    pub(super) fn before(interface: &str) -> Self {
        let (before, unread) = split(facts::read(interface));
        Self { before, after: None, senders: None, unread }
    }

    /// After the last. `interface` is what it is called now.
    pub(super) fn after(&mut self, interface: &str, senders: Option<SenderLimits>) {
        self.senders = senders;
        let (after, unread) = split(facts::read(interface));
        self.after = after;
        self.unread = self.unread.take().or(unread);
    }

    /// The machine as it was last read.
    pub(super) fn at_the_end(&self) -> Option<&Machine> {
        self.after.as_ref().or(self.before.as_ref())
    }

    /// Why the bytes went as they did. None where nothing of the machine could be read.
    pub(super) fn causes(&self, window: &Window<'_>, report: &RunReport) -> Option<Vec<Cause>> {
        let machine = self.at_the_end()?;
        let elsewhere = self.elsewhere(window, report);
        let traffic = Traffic {
            state: report.verdict.state,
            tcp: report.ledger.tcp.as_ref(),
            reasons: report.reasons.as_deref(),
            forwarded_and_cut_bytes: window
                .delta()
                .and_then(|delta| delta.traced)
                .map_or(0, |counted| reasons::forwarded_and_cut_bytes(&counted)),
            elsewhere: &elsewhere,
        };
        let evidence = Evidence {
            machine,
            before: self.before.as_ref(),
            traffic: Some(traffic),
            answers: Answers::NONE,
        };
        Some(cause::find(&evidence))
    }

    /// What else could have been the limit.
    fn elsewhere(&self, window: &Window<'_>, report: &RunReport) -> Elsewhere {
        let speed = self.after.as_ref().and_then(|machine| machine.device.speed_mbps.as_ref().ok());
        Elsewhere {
            queues: self.queues().unwrap_or_default(),
            cpus: cpus(window),
            senders: self.senders.clone(),
            wire_gbps: report.throughput.wire_gbps,
            link_gbps: speed.map(|mbps| f64::from(*mbps) / 1e3),
        }
    }

    /// Each queue's bytes between the two readings; None where either does not tell, or their number changed.
    fn queues(&self) -> Option<Vec<QueueUse>> {
        let statistics = |machine: &Option<Machine>| machine.as_ref()?.queues.statistics.clone().ok();
        let (before, after) = (statistics(&self.before)?, statistics(&self.after)?);
        if before.len() != after.len() {
            return None;
        }
        let used = |(before, after): (&QueueCounters, &QueueCounters)| {
            Some(QueueUse { bytes: after.bytes?.saturating_sub(before.bytes?) })
        };
        before.iter().zip(&after).map(used).collect()
    }
}

fn split(read: Result<Machine, crate::device::links::LinkError>) -> (Option<Machine>, Option<String>) {
    match read {
        Ok(machine) => (Some(machine), None),
        Err(error) => (None, Some(error.to_string())),
    }
}

/// Each CPU's part in the whole window.
fn cpus(window: &Window<'_>) -> Vec<CpuShare> {
    window.delta().map(|delta| delta.cpus.iter().filter_map(CpuShare::of).collect()).unwrap_or_default()
}

//! `nstat`: what TCP counted on the whole machine.

/// Segments that TCP sent, and those among them that it retransmitted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::explain) struct Tcp {
    pub(in crate::explain) sent_segments: Option<u64>,
    pub(in crate::explain) retransmitted_segments: Option<u64>,
}

impl Tcp {
    /// `TcpOutSegs                      1234               0.0`. False where it is no such line.
    pub(super) fn take(&mut self, line: &str) -> bool {
        let mut words = line.split_whitespace();
        let (Some(name), Some(value)) = (words.next(), words.next().and_then(|value| value.parse().ok()))
        else {
            return false;
        };
        match name {
            "TcpOutSegs" => self.sent_segments = Some(value),
            "TcpRetransSegs" => self.retransmitted_segments = Some(value),
            _ => {}
        }
        true
    }

    /// Retransmitted of all that was sent; None where little was.
    pub(in crate::explain) fn retransmitted_share(&self) -> Option<f64> {
        const FEWEST: u64 = 10_000;
        let sent = self.sent_segments.filter(|sent| *sent >= FEWEST)?;
        Some(self.retransmitted_segments? as f64 / sent as f64)
    }
}

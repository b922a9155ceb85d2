//! What makes a trial void. The limits are fixed before the first one, so that nothing is left out for what it shows.

use serde::{Deserialize, Serialize};

use crate::bound::UNSEEN_ONE_IN;
use crate::state::State;
use crate::units::percent;

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Guard {
    /// The ledger does not show what the arm should have brought about.
    Treatment,
    /// Somebody else changed the device meanwhile.
    Settings,
    /// The identities that the counting is audited by do not hold.
    Audit,
    /// The hypervisor took CPU time away.
    Steal,
    /// Too much was retransmitted.
    Retransmits,
    /// The queueing discipline dropped too much.
    QdiscDrops,
    /// The benchmark failed.
    Benchmark,
    /// A figure that the others have is not there.
    Figures,
}

/// Why a trial does not count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Rejection {
    /// By which guard.
    pub guard: Guard,
    /// What it saw.
    pub detail: String,
}

/// The limits.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Guards {
    /// Of the time in which CPUs had work: the mean over all would hide one busy CPU among idle ones.
    pub most_steal_share: f64,
    /// Of TCP payload.
    pub most_retransmitted_share: f64,
    /// Of the packets that the queueing discipline was given.
    pub most_qdisc_drop_share: f64,
    /// Of what an identity is about: what of it is left unexplained. No more than what a proof may leave unseen.
    pub most_unaccounted_share: f64,
}

impl Default for Guards {
    fn default() -> Self {
        Self {
            most_steal_share: 0.05,
            most_retransmitted_share: 0.05,
            most_qdisc_drop_share: 0.01,
            most_unaccounted_share: 1.0 / UNSEEN_ONE_IN as f64,
        }
    }
}

/// What the guards look at; None where it is not known, which rejects nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Signs {
    /// What the ledger has to say, and what it says.
    pub expected: Option<State>,
    /// What it says; None without programs.
    pub state: Option<State>,
    /// What is not set as the arm had it, one line each.
    pub drift: Vec<String>,
    /// Identities that failed, with how much of what they are about is left unexplained.
    pub failed_identities: Vec<(String, f64)>,
    /// Of the time in which CPUs had work.
    pub steal_share: Option<f64>,
    /// Of TCP payload.
    pub retransmitted_share: Option<f64>,
    /// Of the packets that the queueing discipline was given.
    pub qdisc_drop_share: Option<f64>,
    /// Why the benchmark failed.
    pub benchmark_failed: Option<String>,
}

impl Guards {
    /// Why a trial with those signs does not count; empty where it does.
    #[must_use]
    pub fn rejections(&self, signs: &Signs) -> Vec<Rejection> {
        let mut rejections = Vec::new();
        let mut reject = |guard, detail| rejections.push(Rejection { guard, detail });
        if let Some(why) = &signs.benchmark_failed {
            reject(Guard::Benchmark, why.clone());
        }
        if let (Some(expected), Some(state)) = (signs.expected, signs.state)
            && expected != state
        {
            reject(
                Guard::Treatment,
                format!("the ledger says {}, and the arm is there for {}", state.name(), expected.name()),
            );
        }
        if !signs.drift.is_empty() {
            reject(
                Guard::Settings,
                format!("changed meanwhile, and not by vmnet: {}", signs.drift.join("; ")),
            );
        }
        let unaccounted: Vec<String> = signs
            .failed_identities
            .iter()
            .filter(|(_, share)| *share > self.most_unaccounted_share)
            .map(|(name, share)| format!("{} of {name}", of_thousandths(*share)))
            .collect();
        if !unaccounted.is_empty() {
            let most = of_thousandths(self.most_unaccounted_share);
            let what = unaccounted.join(", ");
            reject(Guard::Audit, format!("not accounted for: {what}, and {most} is the limit"));
        }
        let shares = [
            (Guard::Steal, signs.steal_share, self.most_steal_share, "of CPU time taken by the hypervisor"),
            (
                Guard::Retransmits,
                signs.retransmitted_share,
                self.most_retransmitted_share,
                "of the payload retransmitted",
            ),
            (
                Guard::QdiscDrops,
                signs.qdisc_drop_share,
                self.most_qdisc_drop_share,
                "of the packets dropped by the queueing discipline",
            ),
        ];
        for (guard, share, most, what) in shares {
            if let Some(share) = share.filter(|share| *share > most) {
                let [share, most] = [share, most].map(percent);
                reject(guard, format!("{share} {what}, and {most} is the limit"));
            }
        }
        rejections
    }
}

/// A share that is looked at more closely than others: what is just beyond the limit has not to read as the limit.
fn of_thousandths(share: f64) -> String {
    format!("{:.3} %", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guards_of(signs: &Signs) -> Vec<Guard> {
        Guards::default().rejections(signs).iter().map(|rejection| rejection.guard).collect()
    }

    #[test]
    fn each_sign_rejects_by_its_own_guard_and_what_is_not_known_by_none() {
        assert_eq!(guards_of(&Signs::default()), []);
        let fine = Signs {
            expected: Some(State::Engaged),
            state: Some(State::Engaged),
            steal_share: Some(0.05),
            retransmitted_share: Some(0.0),
            qdisc_drop_share: Some(0.01),
            failed_identities: vec![("segments".to_owned(), 0.001)],
            ..Signs::default()
        };
        assert_eq!(guards_of(&fine), []);
        let cases = [
            (Signs { state: Some(State::Software), ..fine.clone() }, Guard::Treatment),
            (Signs { state: Some(State::Inconclusive), ..fine.clone() }, Guard::Treatment),
            (
                Signs { drift: vec!["tx-tcp-segmentation was on, is off".to_owned()], ..fine.clone() },
                Guard::Settings,
            ),
            (Signs { failed_identities: vec![("segments".to_owned(), 0.011)], ..fine.clone() }, Guard::Audit),
            (Signs { steal_share: Some(0.051), ..fine.clone() }, Guard::Steal),
            (Signs { retransmitted_share: Some(0.06), ..fine.clone() }, Guard::Retransmits),
            (Signs { qdisc_drop_share: Some(0.02), ..fine.clone() }, Guard::QdiscDrops),
            (Signs { benchmark_failed: Some("exit code 1".to_owned()), ..fine.clone() }, Guard::Benchmark),
        ];
        for (signs, guard) in cases {
            assert_eq!(guards_of(&signs), [guard], "{signs:?}");
        }
    }

    #[test]
    fn a_rejection_says_what_was_seen_and_what_the_limit_is() {
        let signs = Signs { steal_share: Some(0.2), ..Signs::default() };
        assert_eq!(
            Guards::default().rejections(&signs)[0].detail,
            "20.0 % of CPU time taken by the hypervisor, and 5.0 % is the limit"
        );
        let signs = Signs { failed_identities: vec![("segments".to_owned(), 0.010_4)], ..Signs::default() };
        assert_eq!(
            Guards::default().rejections(&signs)[0].detail,
            "not accounted for: 1.040 % of segments, and 1.000 % is the limit"
        );
    }
}

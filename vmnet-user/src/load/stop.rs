//! The wish to stop, for tasks and for threads that block.

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

/// Set once, by Ctrl-C, SIGTERM or a caller; never unset.
#[derive(Clone, Debug)]
pub struct Stop {
    wanted: watch::Sender<bool>,
}

impl Default for Stop {
    fn default() -> Self {
        Self { wanted: watch::Sender::new(false) }
    }
}

impl Stop {
    /// Wanted as soon as SIGINT or SIGTERM comes.
    ///
    /// # Errors
    /// When the signals cannot be caught.
    pub fn on_signals() -> std::io::Result<Self> {
        let stop = Self::default();
        for kind in [SignalKind::interrupt(), SignalKind::terminate()] {
            let mut signals = signal(kind)?;
            let stop = stop.clone();
            tokio::spawn(async move {
                if signals.recv().await.is_some() {
                    stop.want();
                }
            });
        }
        Ok(stop)
    }

    /// From now on it is wanted.
    pub fn want(&self) {
        self.wanted.send_replace(true);
    }

    /// Whether it is wanted: for threads, between two blocking calls.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        *self.wanted.borrow()
    }

    /// Waits until it is wanted: for tasks.
    pub async fn wanted(&self) {
        // An error means that no sender is left, and `self` is one.
        let _ = self.wanted.subscribe().wait_for(|wanted| *wanted).await;
    }
}

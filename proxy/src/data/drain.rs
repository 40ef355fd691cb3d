//! How a connection learns that it should end.

use tokio::sync::watch;

/// What a listener, a filter chain or the whole proxy wants of its connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Go on.
    #[default]
    Running,
    /// Finish what has begun and start nothing new: GOAWAY, `connection: close`.
    Draining,
    /// End now.
    Stopped,
}

/// A connection's view of its [`Phase`], which only ever advances.
#[derive(Clone, Debug)]
pub struct Drain(watch::Receiver<Phase>);

/// Advances the phase of every [`Drain`] made from it; dropping it means [`Phase::Stopped`].
#[derive(Debug)]
pub struct DrainSender(watch::Sender<Phase>);

impl DrainSender {
    /// A sender in [`Phase::Running`].
    pub fn new() -> Self {
        Self(watch::Sender::new(Phase::Running))
    }

    /// A view for one more connection.
    pub fn subscribe(&self) -> Drain {
        Drain(self.0.subscribe())
    }

    /// Moves on to `phase`; going back is ignored.
    pub fn advance(&self, phase: Phase) {
        self.0.send_if_modified(|current| {
            let later = phase > *current;
            if later {
                *current = phase;
            }
            later
        });
    }
}

impl Default for DrainSender {
    fn default() -> Self {
        Self::new()
    }
}

impl Drain {
    /// The phase now.
    pub fn phase(&self) -> Phase {
        if self.0.has_changed().is_err() {
            Phase::Stopped
        } else {
            *self.0.borrow()
        }
    }

    /// Whether nothing new should start.
    pub fn draining(&self) -> bool {
        self.phase() >= Phase::Draining
    }

    /// Waits until draining has begun. Cancel-safe.
    pub async fn begun(&self) {
        self.reached(Phase::Draining).await;
    }

    /// Waits until the connection must end. Cancel-safe.
    pub async fn stopped(&self) {
        self.reached(Phase::Stopped).await;
    }

    async fn reached(&self, phase: Phase) {
        let mut receiver = self.0.clone();
        // A dropped sender is the last phase of all.
        let _ = receiver.wait_for(|current| *current >= phase).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_phase_never_goes_back() {
        let sender = DrainSender::new();
        let drain = sender.subscribe();
        sender.advance(Phase::Stopped);
        sender.advance(Phase::Draining);
        assert_eq!(drain.phase(), Phase::Stopped);
        drain.begun().await;
    }

    #[tokio::test]
    async fn a_dropped_sender_stops_its_connections() {
        let drain = DrainSender::new().subscribe();
        assert_eq!(drain.phase(), Phase::Stopped);
        drain.stopped().await;
    }
}

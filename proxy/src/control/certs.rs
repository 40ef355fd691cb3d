//! Keeps the workload's certificate true: the clock, the CA and the disk around
//! [`Rotation`], which decides.

use super::ca::{self, Wish};
use super::channel::Control;
use super::saved::{Saved, SavedIdentity};
use crate::data::secrets::Secrets;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::watch;
use tokio::time::Instant;
use weft_identity::rotation::{Action, Event};
use weft_identity::{Identity, Rotation};

/// How often the roots file is looked at, and a changed clock noticed.
const LOOK: Duration = Duration::from_secs(5);

/// Everything that rotation needs of the outside.
#[derive(Debug)]
pub struct Certificates {
    /// Where to ask.
    pub control: Control,
    /// What to ask for.
    pub wish: Wish,
    /// Where it is kept across restarts.
    pub saved: Saved,
    /// Where the data path reads it.
    pub secrets: Arc<Secrets>,
    /// Tells the stream and readiness; `None` before the first and after the last certificate.
    pub current: watch::Sender<Option<Identity>>,
}

impl Certificates {
    /// Rotates for ever. Cancel-safe: dropping it leaves what is served in force.
    pub async fn run(self) {
        let mut held = None;
        let mut state = Rotation::new();
        let mut action = Action::Request;
        if let Some((text, identity)) = self.restored() {
            (state, action) = state.step(issued(identity));
            held = Some(text);
            self.publish(state.identity());
        }
        loop {
            let event = match action {
                Action::Request => self.request(&mut held).await,
                Action::WakeAt(time) => self.sleep(until(time), &state, &mut held).await,
                Action::RetryIn(pause) => self.sleep(pause, &state, &mut held).await,
                Action::StopServing => Event::Timer,
                // Only a late answer gives this, and requests are awaited here.
                Action::Nothing => self.sleep(LOOK, &state, &mut held).await,
            };
            (state, action) = state.step(event);
            self.publish(state.identity());
        }
    }

    fn restored(&self) -> Option<(SavedIdentity, Identity)> {
        let text = self
            .saved
            .identity()
            .inspect_err(|error| tracing::warn!(%error, "the saved certificate is not used"))
            .ok()??;
        let identity = text
            .parse(&self.more_roots())
            .inspect_err(|error| tracing::warn!(%error, "the saved certificate is not used"))
            .ok()?;
        let expected = identity.leaf().id.as_ref() == Some(&self.wish.id);
        let valid = !identity.remaining(SystemTime::now()).is_zero();
        (expected && valid).then(|| {
            tracing::info!(
                serial = identity.leaf().serial,
                "serving with the saved certificate"
            );
            (text, identity)
        })
    }

    async fn request(&self, held: &mut Option<SavedIdentity>) -> Event {
        let jitter = rand::random::<f64>();
        let answer = match ca::issue(&self.control, &self.wish).await {
            Ok(text) => match text.parse(&self.more_roots()) {
                Ok(identity) => Ok((text, identity)),
                Err(error) => Err(format!("the CA's answer cannot be used: {error}")),
            },
            Err(error) => Err(error.to_string()),
        };
        match answer {
            Ok((text, identity)) => {
                self.keep(&text, &identity);
                *held = Some(text);
                issued(identity)
            }
            Err(error) => {
                tracing::warn!(%error, "no certificate; asking again soon");
                Event::Failed { jitter }
            }
        }
    }

    fn keep(&self, text: &SavedIdentity, identity: &Identity) {
        tracing::info!(
            serial = identity.leaf().serial,
            remaining = ?identity.remaining(SystemTime::now()),
            "certificate issued"
        );
        if let Err(error) = self.saved.keep_identity(text) {
            tracing::warn!(%error, "the certificate is not saved; a restart will need the CA");
        }
    }

    /// Sleeps until the timer or the served certificate's end, taking new roots into use meanwhile.
    async fn sleep(
        &self,
        pause: Duration,
        state: &Rotation,
        held: &mut Option<SavedIdentity>,
    ) -> Event {
        let timer = Instant::now() + pause;
        let mut roots = self.more_roots();
        loop {
            let step = timer.saturating_duration_since(Instant::now()).min(LOOK);
            tokio::time::sleep(step).await;
            let now = SystemTime::now();
            if state
                .identity()
                .is_some_and(|identity| identity.remaining(now).is_zero())
            {
                tracing::error!(
                    "the certificate has expired; mesh traffic stops until the CA answers"
                );
                return Event::Expired;
            }
            if Instant::now() >= timer {
                return Event::Timer;
            }
            let now_trusted = self.more_roots();
            if now_trusted != roots {
                roots = now_trusted;
                self.trust(held.as_ref(), &roots);
            }
        }
    }

    /// The same certificate with new roots, in force at once.
    fn trust(&self, held: Option<&SavedIdentity>, roots: &str) {
        match held.map(|text| text.parse(roots)) {
            Some(Ok(identity)) => {
                tracing::info!("the mesh's roots have changed");
                self.publish(Some(&identity));
            }
            Some(Err(error)) => tracing::warn!(%error, "the mesh's new roots are not used"),
            None => {}
        }
    }

    /// The mounted roots; none where the file cannot be read, which connecting reports.
    fn more_roots(&self) -> String {
        self.control.roots_pem().unwrap_or_default()
    }

    fn publish(&self, identity: Option<&Identity>) {
        let changed = self.current.send_if_modified(|current| {
            let changed = current.as_ref() != identity;
            if changed {
                *current = identity.cloned();
            }
            changed
        });
        if changed {
            self.secrets.store(identity.cloned().map(Arc::new));
        }
    }
}

fn issued(identity: Identity) -> Event {
    Event::Issued {
        identity,
        now: SystemTime::now(),
        jitter: rand::random(),
    }
}

fn until(time: SystemTime) -> Duration {
    time.duration_since(SystemTime::now()).unwrap_or_default()
}

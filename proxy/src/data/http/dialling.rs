//! One dial for all requests that want the same shared connection at the same time.

use super::failure::Failure;
use std::cell::{OnceCell, RefCell};
use std::rc::Rc;
use tokio::sync::Notify;

/// The dial to one host that is under way, if any.
#[derive(Debug, Default)]
pub struct Dialling(RefCell<Option<Rc<Dial>>>);

/// Whose turn it is.
#[derive(Debug)]
pub enum Role<'a> {
    /// Ours: to dial, and to say how it went.
    Lead(Lead<'a>),
    /// Somebody else dials already.
    Follow(Rc<Dial>),
}

/// How a dial went, for those that waited for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// There may be a shared connection now.
    LookAgain,
    /// The host shares no connections.
    NotShared,
    /// There is no connection.
    Failed(Failure),
}

/// A dial.
#[derive(Debug, Default)]
pub struct Dial {
    ended: OnceCell<Ended>,
    waiting: Notify,
}

/// The right to dial. If it is given up, one of those who wait gets it.
#[derive(Debug)]
pub struct Lead<'a> {
    dialling: &'a Dialling,
    dial: Rc<Dial>,
}

impl Dialling {
    /// Joins the dial that is under way, or begins one.
    pub fn join(&self) -> Role<'_> {
        let mut present = self.0.borrow_mut();
        if let Some(dial) = &*present {
            return Role::Follow(Rc::clone(dial));
        }
        let dial = Rc::<Dial>::default();
        *present = Some(Rc::clone(&dial));
        Role::Lead(Lead {
            dialling: self,
            dial,
        })
    }
}

impl Dial {
    /// Waits for its end.
    pub async fn ended(&self) -> Ended {
        loop {
            let woken = self.waiting.notified();
            if let Some(ended) = self.ended.get() {
                return ended.clone();
            }
            woken.await;
        }
    }
}

impl Lead<'_> {
    /// Tells those who wait how it went.
    pub fn end(self, ended: Ended) {
        // Only the leader says it, and only once.
        let _ = self.dial.ended.set(ended);
    }
}

impl Drop for Lead<'_> {
    /// A request that is cancelled while it dials must not leave the others waiting.
    fn drop(&mut self) {
        self.dialling.0.borrow_mut().take();
        self.dial.ended.get_or_init(|| Ended::LookAgain);
        self.dial.waiting.notify_waiters();
    }
}

//! What the coordinator has ordered: how much is read, and until when.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fathom_proto::collect::v1 as wire;
use fathom_sources::live::Profile;
use tokio::sync::watch;
use tokio::time::Instant;

/// A longer order is cut to this: nobody remembers a profile that was switched on a day ago.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// An order in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Order {
    profile: Profile,
    until: Instant,
}

/// Orders as they come, and their end. Without one, what is configured holds.
#[derive(Debug)]
pub(crate) struct Orders {
    /// `None` where the source has no profiles: orders mean nothing to it.
    configured: Option<Profile>,
    order: watch::Sender<Option<Order>>,
    /// What could not be carried out. A coordinator that repeats it when it is connected to again changes nothing about that.
    refused: Mutex<Option<Profile>>,
}

impl Orders {
    pub(crate) fn new(configured: Option<Profile>) -> Self {
        Self {
            configured,
            order: watch::channel(None).0,
            refused: Mutex::default(),
        }
    }

    /// Takes what a coordinator says when it is connected to: what it has been told before, or while nobody was there. An order that could
    /// not be carried out is not tried again for that.
    pub(crate) fn take_again(&self, said: Option<&wire::ProfileOrder>) {
        let refused = *self.refused();
        if said.is_some_and(|said| refused.is_some() && profile_of_wire(said.profile()) == refused) {
            return;
        }
        self.take(said);
    }

    /// Takes what a coordinator says; nothing said leaves everything as it is.
    pub(crate) fn take(&self, said: Option<&wire::ProfileOrder>) {
        let (Some(said), Some(_)) = (said, self.configured) else {
            return;
        };
        *self.refused() = None;
        let order = profile_of_wire(said.profile()).map(|profile| Order {
            profile,
            until: Instant::now() + Duration::from_nanos(said.for_nanos).min(LONGEST),
        });
        let changed = self.order.send_replace(order).map(|order| order.profile) != order.map(|order| order.profile);
        if changed {
            match order {
                Some(order) => tracing::info!(
                    profile = %order.profile, seconds = said.for_nanos / 1_000_000_000, "the coordinator orders a profile"
                ),
                None => tracing::info!("the coordinator takes its order back"),
            }
        }
    }

    /// What is to be read now; `None` where the source has no profiles.
    pub(crate) fn profile(&self) -> Option<Profile> {
        let configured = self.configured?;
        let order = self.order.borrow().filter(|order| order.until > Instant::now());
        Some(order.map_or(configured, |order| order.profile))
    }

    /// How long the order in force still holds.
    pub(crate) fn remaining(&self) -> Option<Duration> {
        let order = (*self.order.borrow())?;
        Some(order.until.saturating_duration_since(Instant::now())).filter(|left| !left.is_zero())
    }

    /// The order cannot be carried out: what is configured holds again. False when there was none.
    pub(crate) fn give_up(&self) -> bool {
        let given_up = self.order.send_replace(None).map(|order| order.profile);
        if given_up.is_some() {
            *self.refused() = given_up;
        }
        given_up.is_some()
    }

    fn refused(&self) -> MutexGuard<'_, Option<Profile>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until something else than `present` is to be read. Cancel safe.
    pub(crate) async fn other_than(&self, present: Option<Profile>) {
        let mut orders = self.order.subscribe();
        loop {
            if self.profile() != present {
                return;
            }
            let until = orders
                .borrow_and_update()
                .map(|order| order.until)
                .filter(|until| *until > Instant::now());
            let ended = async {
                match until {
                    Some(until) => tokio::time::sleep_until(until).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                // The sender is ours, so it does not go away.
                _ = orders.changed() => {}
                () = ended => {}
            }
        }
    }
}

fn profile_of_wire(profile: wire::Profile) -> Option<Profile> {
    match profile {
        wire::Profile::Unspecified => None,
        wire::Profile::Off => Some(Profile::Off),
        wire::Profile::SlowOnly => Some(Profile::SlowOnly),
        wire::Profile::Writes => Some(Profile::Writes),
        wire::Profile::Full => Some(Profile::Full),
    }
}

/// A profile as the wire numbers it.
pub(crate) const fn profile_to_wire(profile: Option<Profile>) -> wire::Profile {
    match profile {
        None => wire::Profile::Unspecified,
        Some(Profile::Off) => wire::Profile::Off,
        Some(Profile::SlowOnly) => wire::Profile::SlowOnly,
        Some(Profile::Writes) => wire::Profile::Writes,
        Some(Profile::Full) => wire::Profile::Full,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(profile: wire::Profile, lasts: Duration) -> wire::ProfileOrder {
        wire::ProfileOrder {
            profile: profile.into(),
            for_nanos: lasts.as_nanos() as u64,
        }
    }

    #[tokio::test]
    async fn an_order_holds_until_its_time_ends() {
        let orders = Orders::new(Some(Profile::SlowOnly));
        let (began, lasts) = (Instant::now(), Duration::from_millis(50));
        orders.take(Some(&order(wire::Profile::Full, lasts)));
        assert_eq!(orders.profile(), Some(Profile::Full));
        orders.other_than(Some(Profile::Full)).await;
        assert_eq!((orders.profile(), orders.remaining()), (Some(Profile::SlowOnly), None));
        assert!(began.elapsed() >= lasts);
    }

    #[test]
    fn nothing_said_leaves_an_order_and_saying_it_again_changes_its_end() {
        let orders = Orders::new(Some(Profile::Off));
        orders.take(Some(&order(wire::Profile::Writes, Duration::from_secs(60))));
        orders.take(None);
        assert_eq!(orders.profile(), Some(Profile::Writes));
        orders.take(Some(&order(wire::Profile::Writes, Duration::from_secs(3_600))));
        assert!(orders.remaining() > Some(Duration::from_secs(3_000)));
        orders.take(Some(&order(wire::Profile::Unspecified, Duration::ZERO)));
        assert_eq!((orders.profile(), orders.remaining()), (Some(Profile::Off), None));
    }

    #[test]
    fn no_order_holds_for_ever() {
        let orders = Orders::new(Some(Profile::Off));
        orders.take(Some(&order(wire::Profile::Full, Duration::from_secs(1_000_000))));
        assert!(orders.remaining() <= Some(LONGEST));
    }

    #[test]
    fn an_order_that_was_given_up_is_tried_again_only_when_it_is_given_anew() {
        let orders = Orders::new(Some(Profile::SlowOnly));
        let full = order(wire::Profile::Full, Duration::from_secs(60));
        orders.take_again(Some(&full));
        assert_eq!(orders.profile(), Some(Profile::Full));
        assert!(orders.give_up() && !orders.give_up());
        orders.take_again(Some(&full));
        assert_eq!(orders.profile(), Some(Profile::SlowOnly));
        orders.take(Some(&full));
        assert_eq!(orders.profile(), Some(Profile::Full));
        assert!(orders.give_up());
        orders.take_again(Some(&order(wire::Profile::Writes, Duration::from_secs(60))));
        assert_eq!(orders.profile(), Some(Profile::Writes));
    }

    #[test]
    fn a_recording_has_no_profiles() {
        let orders = Orders::new(None);
        orders.take(Some(&order(wire::Profile::Full, Duration::from_secs(60))));
        assert_eq!(orders.profile(), None);
    }
}

//! The clusters of this coordinator itself: told to [`Sites`] as a site would tell them.

use std::time::Duration;

use fathom_runtime::tasks::{Kind, TaskGroup};

use super::Sites;
use crate::site::feed::Feed;

/// How often it is looked for what is new.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Goes on until the coordinator stops.
pub(crate) fn start(sites: Sites, mut feed: Feed, tasks: &TaskGroup) {
    let shutdown = tasks.shutdown().clone();
    tasks.spawn("own clusters", Kind::Critical, async move {
        while !shutdown.is_requested() {
            for message in feed.next().await? {
                match sites.take_own(message) {
                    Ok(Some(ack)) => feed.acked(&ack),
                    Ok(None) => {}
                    Err(status) => {
                        return Err(crate::Error::Own {
                            reason: status.message().to_owned(),
                        });
                    }
                }
            }
            sites.tick();
            tokio::select! {
                _ = shutdown.requested() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
        Ok(())
    });
}

//! Connections to providers, opened once the listeners are. A reload begins anew: what is open of providers that
//! stay as they were is found there.

use std::sync::Arc;

use tokio::task::JoinSet;

use crate::gate::Current;

/// Never returns; whoever stops waiting for it stops it.
pub(super) async fn keep(current: Arc<Current>) {
    loop {
        let mut kept = JoinSet::new();
        for upstream in current.get().routes.upstreams().filter(|one| one.is_kept_warm()) {
            kept.spawn(Arc::clone(upstream).keep_warm());
        }
        current.replaced().await;
    }
}

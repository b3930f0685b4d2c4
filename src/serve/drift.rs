//! Whether what is kept is still what the provider would say: a share of the hits for embeddings is asked
//! again, behind everybody else's calls, and the vectors are compared. Off unless it is configured, since
//! it costs calls, with the caller's own credential.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Semaphore;

use super::embed::Question;
use super::original::original;
use super::{Ask, Service};
use crate::batch::original::Original;
use crate::config::Drift;
use crate::tier::purge::Reach;
use crate::upstream::{Priority, Ticket};
use crate::vector::Vector;

/// So many are asked at once; what comes meanwhile is not doubted.
const AT_ONCE: usize = 2;

/// Draws the hits that are doubted.
#[derive(Debug)]
pub struct Sentinel {
    settings: Drift,
    hits: AtomicU64,
    room: Arc<Semaphore>,
}

impl Sentinel {
    /// As the settings say; `None` where nothing is doubted.
    pub fn new(settings: &Drift) -> Option<Arc<Self>> {
        let (settings, hits) = (settings.clone(), AtomicU64::default());
        let room = Arc::new(Semaphore::new(AT_ONCE));
        (settings.share.0 > 0.0).then(|| Arc::new(Self { settings, hits, room }))
    }

    /// Whether this hit is one to be asked again: they are spread evenly.
    #[expect(clippy::cast_precision_loss, reason = "a share of hits")]
    pub(super) fn doubts(&self) -> bool {
        let before = self.hits.fetch_add(1, Ordering::Relaxed) as f64;
        let share = self.settings.share.0;
        ((before + 1.0) * share).floor() > (before * share).floor()
            && self.room.available_permits() > 0
    }
}

impl Service {
    /// Asks for what was in the cache, and compares, while the request goes on.
    pub(super) fn doubt(self: &Arc<Self>, ask: &Ask, question: &Question<'_>, kept: Vec<Vector>) {
        let Some(sentinel) = self.drift.as_ref().map(Arc::clone) else { return };
        let Ok(room) = Arc::clone(&sentinel.room).try_acquire_owned() else { return };
        let original =
            Arc::new(original(self, ask, (question, self.caller(ask, &question.how.envelope))));
        let service = Arc::clone(self);
        self.chat.tasks.spawn(async move {
            let _room = room;
            service.compare(&sentinel, &original, &kept).await;
        });
    }

    async fn compare(
        self: &Arc<Self>,
        sentinel: &Sentinel,
        original: &Arc<Original>,
        kept: &[Vector],
    ) {
        let metrics = &original.upstream.metrics;
        let ticket = Ticket { priority: Priority::Bulk, ..original.ticket };
        let answer = original.upstream.call_in_turn(&ticket, original.as_call()).await;
        let now = match answer {
            Ok(answer) => self.batcher.read(original, &answer).await,
            Err(_) => None,
        };
        let Some(distance) = now.and_then(|now| farthest(kept, &now)) else {
            return metrics.drift_failed.inc();
        };
        metrics.drift_distance.observe(distance);
        if distance <= sentinel.settings.distance.0 {
            return metrics.drift_same.inc();
        }
        metrics.drifted.inc();
        let upstream = &original.upstream.name;
        let model = &original.model;
        tracing::warn!(
            upstream,
            model,
            distance,
            "embedding drift: the provider's vectors differ from the cached ones"
        );
        if sentinel.settings.purge {
            let reach = Reach::Model(upstream.clone(), original.model.clone());
            let entries = self.tiers.purge(&[reach]).await;
            tracing::warn!(upstream, model, entries, "cached entries of the drifted model purged");
        }
    }
}

/// The largest distance between what was kept and what came.
fn farthest(kept: &[Vector], now: &[Vector]) -> Option<f64> {
    if kept.len() != now.len() {
        return None;
    }
    let distances = kept.iter().zip(now).map(|(kept, now)| kept.distance(now));
    distances.reduce(f64::max)
}

//! The work of a lane's driver. Whoever opens a lane does it while it waits for its own vectors, and leaves it to
//! a task then: most are alone in their lanes, and are spared the task.

use std::fmt;
use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::task::Context;

use futures_util::FutureExt;
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

/// The work of a lane's driver, which goes on where this is dropped.
pub struct Driver {
    work: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    tasks: TaskTracker,
}

impl Driver {
    pub(super) fn new(
        work: impl Future<Output = ()> + Send + 'static,
        tasks: &TaskTracker,
    ) -> Self {
        // If it panics that is its end, as it would be a task's, and takes nobody else with it.
        let work = AssertUnwindSafe(work).catch_unwind().map(drop);
        Self { work: Some(Box::pin(work)), tasks: tasks.clone() }
    }

    /// Waits for something, and drives meanwhile.
    pub async fn beside<T>(mut driver: Option<Self>, waiting: impl Future<Output = T>) -> T {
        let mut waiting = pin!(waiting);
        let both = poll_fn(|context| {
            if let Some(driver) = &mut driver {
                driver.drive(context);
            }
            waiting.as_mut().poll(context)
        });
        both.await
    }

    fn drive(&mut self, context: &mut Context<'_>) {
        self.work.take_if(|work| work.as_mut().poll(context).is_ready());
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if let (Some(work), Ok(runtime)) = (self.work.take(), Handle::try_current()) {
            self.tasks.spawn_on(work, &runtime);
        }
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use tokio::sync::oneshot::channel;

    use super::*;

    #[tokio::test]
    async fn work_goes_on_when_whoever_did_it_has_left() {
        let ((go, went), (end, ended)) = (channel(), channel());
        let work = async move { end.send(went.await).unwrap() };
        let driver = Driver::new(work, &TaskTracker::new());
        Driver::beside(Some(driver), ready(())).await;
        go.send(7).unwrap();
        assert_eq!(ended.await, Ok(Ok(7)));
    }

    #[tokio::test]
    async fn work_that_panics_takes_only_itself() {
        let (held, lost) = channel::<()>();
        let work = async move {
            let _held = held;
            panic!("as it is to be");
        };
        let driver = Driver::new(work, &TaskTracker::new());
        assert!(Driver::beside(Some(driver), lost).await.is_err());
    }
}

//! The work of a lane's driver. Whoever opens a lane does it while it waits for its own vectors, and leaves it to
//! a task then: most are alone in their lanes, and are spared the task.

use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

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
        // Taken, so that work that panics is not gone on with.
        if let Some(mut work) = self.work.take()
            && let Poll::Pending = work.as_mut().poll(context)
        {
            self.work = Some(work);
        }
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

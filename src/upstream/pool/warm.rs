//! Connections that are opened before a call wants them.
//!
//! One without TLS waits among those that were used already. hyper-util's client takes none that it did not open
//! itself, so that one with TLS waits, its handshake done, for the moment at which the client opens one.

use std::sync::LazyLock;

use futures_util::future::try_join_all;
use http::Uri;

use super::{BoxError, Opened, Pools};

impl Pools {
    /// Makes the clients, which reads the roots that they trust: that blocks.
    pub(in crate::upstream) fn make(&self) {
        LazyLock::force(&self.0);
    }

    /// Opens connections until there are so many, used or not; how many were missing. The first says whether
    /// one is enough.
    pub(in crate::upstream) async fn warm(
        &self,
        to: &Uri,
        wanted: usize,
    ) -> Result<usize, BoxError> {
        let opened = &**self.0;
        opened.close_closed();
        let missing = opened.missing(wanted);
        if missing > 0 {
            opened.open_one(to).await?;
            try_join_all((0..opened.missing(wanted)).map(|_| opened.open_one(to))).await?;
        }
        Ok(missing)
    }
}

impl Opened {
    /// Closes those that the provider has closed: no call has looked at them yet.
    fn close_closed(&self) {
        match &self.plain {
            Some(plain) => plain.idle.close_closed(),
            None => self.connector.ready.close_closed(),
        }
    }

    fn missing(&self, wanted: usize) -> usize {
        let connector = self.plain.as_ref().map_or(&self.connector, |plain| &plain.connector);
        connector.enough(wanted).saturating_sub(connector.count())
    }

    /// Calls may have opened connections meanwhile: one too many is closed.
    async fn open_one(&self, to: &Uri) -> Result<(), BoxError> {
        if let Some(plain) = &self.plain {
            let line = plain.open(to).await?;
            if plain.connector.count() <= self.most {
                plain.idle.put(line);
            }
            return Ok(());
        }
        let stream = self.connector.open(to.clone()).await?;
        if self.connector.count() <= self.most {
            self.connector.ready.put(Box::new(stream));
        }
        Ok(())
    }
}

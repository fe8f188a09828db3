//! The time in which a request is answered, of which finding its key takes a part.

use std::time::Duration;

use otpost_service::ServiceError;
use tokio::time::Instant;

/// A storage that does not answer is told as such within 2 s, over all that a request asks of it.
const ANSWER_WITHIN: Duration = Duration::from_millis(1_800);

/// What is left of that time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimeLeft(Duration);

impl TimeLeft {
    /// What is left after something that began then.
    pub(crate) fn since(begin: Instant) -> Self {
        Self(ANSWER_WITHIN.saturating_sub(begin.elapsed()))
    }

    /// Does `work` in it.
    ///
    /// # Errors
    ///
    /// Those of `work`; [`ServiceError::Unavailable`] when the time is over. What `work` was about to
    /// commit may then be committed all the same.
    pub(crate) async fn allow<T, E>(self, work: impl Future<Output = Result<T, E>>) -> Result<T, E>
    where
        E: From<ServiceError>,
    {
        match tokio::time::timeout(self.0, work).await {
            Ok(ended) => ended,
            Err(elapsed) => Err(ServiceError::Unavailable(elapsed.into()).into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_finding_the_key_took_is_gone() {
        let begin = Instant::now();
        tokio::time::advance(Duration::from_secs(1)).await;
        let left = TimeLeft::since(begin);
        let hangs = left.allow(std::future::pending::<Result<(), ServiceError>>());
        assert!(matches!(hangs.await, Err(ServiceError::Unavailable(_))));
        assert_eq!(begin.elapsed().as_millis(), 1_800);

        let done = left.allow(async { Ok::<_, ServiceError>(7) });
        assert_eq!(done.await.unwrap(), 7);
    }
}

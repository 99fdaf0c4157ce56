//! The first of several ways that works.

use std::time::Duration;

use futures::{StreamExt, future::BoxFuture, stream::FuturesUnordered};

/// Tries candidates in their order. The next begins when one before it has failed, or beside it when that has taken `head_start`: a way that
/// is silent costs a moment and not its whole time-out. The first to succeed wins, the others are dropped. When all fail: why, in order.
pub(crate) async fn race<'a, T, E>(
    candidates: Vec<BoxFuture<'a, Result<T, E>>>,
    head_start: Duration,
) -> Result<T, Vec<E>> {
    let mut waiting = candidates.into_iter().enumerate();
    let mut running = FuturesUnordered::new();
    let mut causes = Vec::new();
    loop {
        if let Some((place, candidate)) = waiting.next() {
            running.push(async move { (place, candidate.await) });
        }
        let ended = tokio::select! {
            ended = running.next() => ended,
            () = tokio::time::sleep(head_start), if waiting.len() > 0 => continue,
        };
        match ended {
            Some((_, Ok(found))) => return Ok(found),
            Some((place, Err(cause))) => causes.push((place, cause)),
            None => {
                causes.sort_by_key(|(place, _)| *place);
                return Err(causes.into_iter().map(|(_, cause)| cause).collect());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    #[tokio::test]
    async fn the_next_is_tried_when_one_fails_and_all_causes_are_told_in_order() {
        let failing = |cause: &'static str| async move { Err::<(), _>(cause) }.boxed();
        let late = async {
            tokio::task::yield_now().await;
            Err("a")
        };
        assert_eq!(
            race(vec![late.boxed(), failing("b"), failing("c")], LONG).await,
            Err(vec!["a", "b", "c"])
        );
        let works = async { Ok::<_, &str>(7) }.boxed();
        assert_eq!(race(vec![async { Err("a") }.boxed(), works], LONG).await, Ok(7));
        assert_eq!(race::<(), &str>(Vec::new(), LONG).await, Err(Vec::new()));
    }

    #[tokio::test]
    async fn a_silent_one_does_not_stop_the_next_and_may_still_win() {
        let silent = || std::future::pending::<Result<i32, ()>>().boxed();
        let works = async { Ok(2) }.boxed();
        let head_start = Duration::from_millis(1);
        assert_eq!(race(vec![silent(), silent(), works], head_start).await, Ok(2));

        let (go, gone) = tokio::sync::oneshot::channel::<()>();
        let first = async { gone.await.map(|()| 1).map_err(drop) }.boxed();
        // Begins when the first had its head start.
        let second = async {
            let _ = go.send(());
            std::future::pending().await
        };
        assert_eq!(race(vec![first, second.boxed()], head_start).await, Ok(1));
    }
}

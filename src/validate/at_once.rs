//! Many things at the same time, with their results in the order given.

use tokio::task::JoinSet;

/// Does all of it side by side; the results are in the order given.
///
/// # Panics
/// With the panic of one of them: a bug of ours must not look like a host that is not there.
pub(super) async fn at_once<T: Send + 'static>(
    futures: impl Iterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let mut tasks = JoinSet::new();
    for (place, future) in futures.enumerate() {
        tasks.spawn(async move { (place, future.await) });
    }
    let mut results = Vec::new();
    while let Some(done) = tasks.join_next().await {
        match done {
            Ok(done) => results.push(done),
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
    results.sort_by_key(|(place, _)| *place);
    results.into_iter().map(|(_, result)| result).collect()
}

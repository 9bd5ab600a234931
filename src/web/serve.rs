//! Serving the addresses on a socket until the daemon closes.

use std::future::Future;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Answers requests until `closing` becomes true, then finishes what is under way.
///
/// # Errors
/// When the socket fails for good.
pub fn serve(
    listener: TcpListener,
    router: Router,
    mut closing: watch::Receiver<bool>,
) -> impl Future<Output = std::io::Result<()>> {
    let closed = async move {
        // An error means that the daemon is gone, which is closing too.
        closing.wait_for(|closing| *closing).await.ok();
    };
    async move {
        axum::serve(listener, router)
            .with_graceful_shutdown(closed)
            .await
    }
}

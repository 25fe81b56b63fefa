//! The TCP side of a connection, which notices whether the other side ever said anything.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_util::io::InspectReader;
use tonic::transport::{Channel, Endpoint, Error, Uri};
use tower::service_fn;

const HTTPS: u16 = 443;

/// Connects; with it comes whether a byte came from the other side.
///
/// Who refuses a certificate has shown its own before. So a connection that is closed without a byte was not refused for that: a
/// proxy in between has nobody behind it, or a coordinator is just starting or stopping.
pub(super) async fn connect(endpoint: &Endpoint) -> (Result<Channel, Error>, Arc<AtomicBool>) {
    let spoke = Arc::new(AtomicBool::new(false));
    let noted = Arc::clone(&spoke);
    let connector = service_fn(move |address: Uri| {
        let noted = Arc::clone(&noted);
        async move {
            let host = address.host().unwrap_or_default();
            // An IPv6 address stands in brackets.
            let host = host.trim_start_matches('[').trim_end_matches(']');
            let stream = TcpStream::connect((host, address.port_u16().unwrap_or(HTTPS))).await?;
            stream.set_nodelay(true)?;
            let note = move |bytes: &[u8]| noted.store(!bytes.is_empty(), Ordering::Relaxed);
            Ok::<_, io::Error>(TokioIo::new(InspectReader::new(stream, note)))
        }
    });
    (endpoint.connect_with_connector(connector).await, spoke)
}

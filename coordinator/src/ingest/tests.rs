//! Nothing is said about a cluster before its store is taken over.

use tonic::Code;
use tonic_types::StatusExt;

use super::*;

#[tokio::test]
async fn cluster_that_is_not_taken_over_yet_is_unavailable_and_not_empty() {
    let (messages, _inbox) = mpsc::channel(1);
    let (taken_over, ready) = watch::channel(false);
    let cluster = Cluster {
        id: "c".into(),
        blobs: Blobs::in_memory(),
        messages,
        view: Arc::default(),
        ready,
    };
    let refused = cluster.ready(Duration::from_millis(10)).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    assert_eq!(refused.get_details_error_info().unwrap().reason, "STARTING");
    assert!(refused.message().contains("cluster c"), "{refused}");
    taken_over.send_replace(true);
    cluster.ready(Duration::ZERO).await.unwrap();
    // A worker that could not take the store over is gone.
    taken_over.send_replace(false);
    drop(taken_over);
    let refused = cluster.ready(Duration::from_secs(60)).await.unwrap_err();
    assert_eq!(refused.get_details_error_info().unwrap().reason, "STOPPING");
}

//! Objects in a bucket: the same promises as in a folder (`OBJ-1`), and a stream that keeps its state there.

use crate::stream::bucket_keeps_a_stream;
use gridwarden_runtime::objects::{Created, Objects};
use gridwarden_tests::parts::folder;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use std::net::{Ipv4Addr, SocketAddr};
use tokio::net::TcpListener;

/// An S3 server on a folder, with one bucket.
async fn server(test: &str) -> SocketAddr {
    let root = folder(test).join("s3");
    std::fs::create_dir_all(root.join("city")).expect("bucket");
    let mut service = S3ServiceBuilder::new(FileSystem::new(root).expect("file system"));
    service.set_auth(SimpleAuth::from_single("key", "secret"));
    let service = service.build();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("port");
    let address = listener.local_addr().expect("address");
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let service = service.clone();
            tokio::spawn(async move {
                Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(socket), service).await.ok();
            });
        }
    });
    address
}

/// As the environment would say it.
fn settings(server: SocketAddr, secret: &str) -> Vec<(String, String)> {
    let said = [
        ("AWS_ENDPOINT", format!("http://{server}")),
        ("AWS_ALLOW_HTTP", "true".to_owned()),
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", "key".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", secret.to_owned()),
    ];
    said.map(|(key, value)| (key.to_owned(), value)).into()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_keeps_objects_as_a_folder_does() {
    let server = server("objects_bucket").await;
    let objects =
        Objects::in_bucket("s3://city/state/stream", settings(server, "secret").into_iter()).expect("objects");
    assert_eq!(objects.create("a/1", b"first".to_vec()).await.expect("written"), Created::New);
    assert_eq!(objects.create("a/1", b"second".to_vec()).await.expect("asked"), Created::Taken);
    assert_eq!(objects.get("a/1").await.expect("read").as_deref(), Some(&b"first"[..]));
    assert_eq!(objects.get_range("a/1", 1..4).await.expect("read"), &b"irs"[..]);
    assert_eq!(objects.get("a/2").await.expect("read"), None);
    objects.create("a/2", Vec::new()).await.expect("written");
    objects.create("b/1", Vec::new()).await.expect("written");
    assert_eq!(objects.list("a").await.expect("listed"), ["a/1", "a/2"]);
    objects.remove("a/1").await.expect("removed");
    objects.remove("a/1").await.expect("gone already");
    assert_eq!(objects.list("a").await.expect("listed"), ["a/2"]);

    let stranger = Objects::in_bucket("s3://city/state", settings(server, "wrong").into_iter()).expect("objects");
    let refused = stranger.create("a/9", Vec::new()).await.expect_err("refused").to_string();
    assert!(refused.contains("a/9") && refused.contains("Signature"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_goes_on_from_its_state_in_a_bucket() {
    const TEST: &str = "objects_stream";
    let server = server(TEST).await;
    bucket_keeps_a_stream(TEST, "s3://city/stream", &settings(server, "secret")).await;
}

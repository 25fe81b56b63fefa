//! An object is put once, whole, and found again.

use super::*;

async fn behaves(blobs: Blobs) {
    let name = "manifest/cluster=a%2Fb/00000000000000000001.json";
    assert_eq!(
        blobs.put_new(name, Bytes::from_static(b"one")).await.unwrap(),
        Put::Created
    );
    assert_eq!(
        blobs.put_new(name, Bytes::from_static(b"two")).await.unwrap(),
        Put::Exists
    );
    assert_eq!(blobs.get(name).await.unwrap(), "one");
    assert_eq!(blobs.list("manifest/cluster=a%2Fb").await.unwrap(), [name]);
    assert_eq!(
        blobs.list("manifest/cluster=other").await.unwrap(),
        Vec::<String>::new()
    );
    assert!(blobs.get("manifest/cluster=other/1.json").await.is_err());
}

#[tokio::test]
async fn object_is_put_once_on_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    behaves(Blobs::open_folder(folder.path()).unwrap()).await;
    let mut names = Vec::new();
    let mut open = vec![folder.path().to_owned()];
    while let Some(at) = open.pop() {
        for entry in fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path)
            } else {
                names.push(path)
            }
        }
    }
    assert_eq!(names.len(), 1, "nothing is left beside it: {names:?}");
}

#[tokio::test]
async fn object_is_put_once_in_memory() {
    behaves(Blobs::in_memory()).await;
}

#[tokio::test]
async fn of_many_that_put_one_name_exactly_one_creates_it() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = Blobs::open_folder(folder.path()).unwrap();
    let puts = (0..16_u8).map(|at| {
        let blobs = blobs.clone();
        async move { blobs.put_new("x/y", Bytes::from(vec![at; 1000])).await }
    });
    let puts = futures::future::join_all(puts).await;
    let created = puts.iter().filter(|put| matches!(put, Ok(Put::Created))).count();
    assert_eq!(created, 1, "{puts:?}");
    let bytes = blobs.get("x/y").await.unwrap();
    assert!(
        bytes.len() == 1000 && bytes.iter().all(|byte| *byte == bytes[0]),
        "one whole object"
    );
}

#[cfg(unix)]
#[test]
fn folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = Blobs::open_folder(&file.join("store")).unwrap_err().to_string();
    assert!(error.contains("file/store"), "{error}");
}

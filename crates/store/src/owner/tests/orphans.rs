//! What a killed owner left goes; what any record names stays, whoever looks.

use super::*;

/// Puts a file as an owner does that is killed before its record.
async fn left_behind(owner: &Owner<u32>, table: Table) -> String {
    let number = owner.record().number + 1;
    let path = owner.path(table, Partition::of(table, START), number);
    let bytes = Bytes::from_static(b"rows that are somewhere else too");
    owner.put_file(table, path, bytes, 1, (0, 0)).await.unwrap().path
}

async fn data_files(blobs: &Blobs) -> Vec<String> {
    let mut names = Vec::new();
    for table in Table::ALL {
        names.extend(blobs.list(table.as_str()).await.unwrap());
    }
    names.sort();
    names
}

async fn committed(owner: &mut Owner<u32>) {
    let mut catalog = Catalog::default();
    let rows = rows(&mut catalog, 6);
    owner.commit(commit(&rows, &catalog, &[], &pending())).await.unwrap();
}

/// They stayed for ever: a foreign reader of the folder counted their rows twice.
#[tokio::test]
async fn files_of_a_killed_owner_are_removed_by_the_next_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    for blobs in [Blobs::in_memory(), Blobs::open_folder(folder.path()).unwrap()] {
        let mut first = owner(&blobs, 1).await.unwrap();
        committed(&mut first).await;
        // The pending file of the record before is replaced: who reads that record still finds it.
        committed(&mut first).await;
        let kept = data_files(&blobs).await;
        for table in [Table::Ios, Table::Legs, Table::Latency, Table::Pending] {
            left_behind(&first, table).await;
        }
        let mut second = owner(&blobs, 2).await.unwrap();
        assert_eq!(second.remove_orphans().await.unwrap(), 4);
        assert_eq!(data_files(&blobs).await, kept);
        assert_eq!(second.remove_orphans().await.unwrap(), 0);
        // The first one lives, and writes on until it finds its number taken.
        let late = left_behind(&first, Table::Ios).await;
        let mut catalog = Catalog::default();
        let more = rows(&mut catalog, 2);
        let refused = first.commit(commit(&more, &catalog, &[], &[])).await;
        assert!(matches!(refused, Err(Error::Fenced { .. })), "{refused:?}");
        committed(&mut second).await;
        assert!(data_files(&blobs).await.contains(&late));
        let before = all(&second).await;
        let third = owner(&blobs, 3).await.unwrap();
        assert!(third.remove_orphans().await.unwrap() > 0);
        let left = data_files(&blobs).await;
        assert!(
            !left.contains(&late) && kept.iter().all(|name| left.contains(name)),
            "{left:?}"
        );
        assert_eq!(all(&third).await.0, before.0);
        // The records that add files: 1, 4 and 6 only took over.
        let mut numbers: Vec<u64> = left
            .iter()
            .map(|name| name.parse::<DataPath>().unwrap().number)
            .collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers, [2, 3, 5], "{left:?}");
    }
}

#[tokio::test]
async fn owner_that_was_replaced_and_other_clusters_lose_nothing() {
    let blobs = Blobs::in_memory();
    let mut first = owner(&blobs, 1).await.unwrap();
    committed(&mut first).await;
    let mut second = owner(&blobs, 2).await.unwrap();
    committed(&mut second).await;
    let under_way = left_behind(&second, Table::Ios).await;
    let mut other = Owner::<u32>::take_over(blobs.clone(), "c1".into(), [7; 16], 5)
        .await
        .unwrap();
    committed(&mut other).await;
    let before = data_files(&blobs).await;
    // It does not know yet that it was replaced, and takes nothing away from who did.
    assert_eq!(first.remove_orphans().await.unwrap(), 0);
    assert_eq!(second.remove_orphans().await.unwrap(), 0);
    assert_eq!(data_files(&blobs).await, before);
    assert!(before.contains(&under_way));
}

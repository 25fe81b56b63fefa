use std::fs;
use std::io::Write;

use fathom_etl::build::Builder;
use fathom_model::Op;

use super::*;

const START: i64 = 1_790_294_400_000_000_000;

fn io(number: u64) -> DiskIo {
    DiskIo {
        disk: 1,
        op: Op::Write,
        offset: number * 4096,
        length: 4096,
        start_unix_nanos: START + number.cast_signed() * 1_000_000,
        duration_nanos: 300_000,
        irp: Some(0x1000 + number),
    }
}

fn trace(computer: Option<&str>, ios: std::ops::Range<u64>) -> Vec<u8> {
    let mut builder = Builder::default();
    if let Some(computer) = computer {
        builder.computer(computer);
    }
    ios.for_each(|number| builder.io(&io(number)));
    builder.file()
}

fn put(folder: &Path, name: &str, bytes: &[u8]) -> Input {
    let path = folder.join(name);
    fs::write(&path, bytes).unwrap();
    Input { path, node: None }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in members {
        archive
            .start_file(*name, zip::write::SimpleFileOptions::default())
            .unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

#[test]
fn every_packing_gives_the_same_events() {
    let folder = tempfile::tempdir().unwrap();
    let plain = trace(Some("HV-01"), 0..40);
    let bzip2 = {
        let mut packer = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
        packer.write_all(&plain).unwrap();
        packer.finish().unwrap()
    };
    // The names do not matter.
    for bytes in [
        plain.clone(),
        gzip(&plain),
        bzip2,
        zstd::encode_all(&*plain, 1).unwrap(),
        zip(&[("readme.txt", b"no"), ("in/trace.ETL", &plain)]),
    ] {
        let input = put(folder.path(), "trace", &bytes);
        let imported = read(&[input], Options::default()).unwrap();
        assert_eq!(imported.nodes.len(), 1);
        assert_eq!(imported.nodes[0].id.as_str(), "HV-01");
        assert_eq!(imported.nodes[0].events, (0..40).map(io).collect::<Vec<_>>());
        assert_eq!(imported.traces[0].node_from, NodeFrom::Computer);
    }
}

#[test]
fn node_is_the_one_given_then_the_computer_then_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let named = |name: &str, node: Option<&str>, bytes: &[u8]| {
        let input = Input {
            node: node.map(ToOwned::to_owned),
            ..put(folder.path(), name, bytes)
        };
        let imported = read(&[input], Options::default()).unwrap();
        (imported.traces[0].node.to_string(), imported.traces[0].node_from)
    };
    let with_name = trace(Some("HV-01"), 0..1);
    let nameless = trace(None, 0..1);
    assert_eq!(
        named("a.etl", Some("n9"), &with_name),
        ("n9".to_owned(), NodeFrom::Given)
    );
    assert_eq!(
        named("a.etl", None, &with_name),
        ("HV-01".to_owned(), NodeFrom::Computer)
    );
    assert_eq!(named("n1.etl", None, &nameless), ("n1".to_owned(), NodeFrom::FileName));
    assert_eq!(
        named("n1.7.etl.gz", None, &gzip(&nameless)),
        ("n1.7".to_owned(), NodeFrom::FileName)
    );
    let archive = zip(&[("x/n2.etl", &nameless)]);
    assert_eq!(named("a.zip", None, &archive), ("n2".to_owned(), NodeFrom::FileName));
}

#[test]
fn traces_of_one_node_are_put_together_and_what_both_have_stands_once() {
    let folder = tempfile::tempdir().unwrap();
    let inputs = [
        put(folder.path(), "b.etl", &trace(Some("HV-01"), 20..60)),
        put(folder.path(), "a.etl", &trace(Some("HV-01"), 0..30)),
        put(folder.path(), "c.etl", &trace(Some("HV-02"), 0..5)),
    ];
    let imported = read(&inputs, Options::default()).unwrap();
    let [one, two] = &imported.nodes[..] else { panic!() };
    assert_eq!(one.events, (0..60).map(io).collect::<Vec<_>>());
    assert_eq!((one.duplicates, two.duplicates), (10, 0));
    assert_eq!(imported.traces[0].span, Some((START + 20_000_000, START + 59_300_000)));

    let file = folder.path().join("events.jsonl");
    let written = write_events(&imported, &file).unwrap();
    assert_eq!(
        written,
        RowsWritten {
            rows: 65,
            with_nodes: true
        }
    );
    let text = fs::read_to_string(file).unwrap();
    assert_eq!(
        text.lines().next().unwrap(),
        r#"{"layer":"device","device":"disk1","op":"write","offset":0,"length":4096,"start_ns":1790294400000000000,"duration_ns":300000,"status":0,"correlation":4096,"node":"HV-01"}"#
    );
}

#[test]
fn csv_counts_from_the_time_that_is_given() {
    let folder = tempfile::tempdir().unwrap();
    let text = "IO Type,Init Time (s),Complete Time (s),Size (B),Min Offset,Disk\nRead,1.0,1.1,512,0x0,0\n";
    let input = put(folder.path(), "n1.csv.gz", &gzip(text.as_bytes()));
    let options = Options {
        csv_start_unix_nanos: START,
    };
    let imported = read(&[input], options).unwrap();
    assert_eq!(imported.nodes[0].events[0].start_unix_nanos, START + 1_000_000_000);
    assert_eq!(imported.traces[0].kind.as_str(), "csv");
}

#[test]
fn what_cannot_be_imported_is_refused_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |input: &Input| {
        read(std::slice::from_ref(input), Options::default())
            .unwrap_err()
            .to_string()
    };
    let missing = Input {
        path: folder.path().join("none.etl"),
        node: None,
    };
    assert!(refused(&missing).contains("none.etl"));
    let input = Input {
        path: folder.path().to_owned(),
        node: None,
    };
    assert!(refused(&input).contains("a folder"));
    let error = refused(&put(folder.path(), "empty.etl", b""));
    assert!(error.contains("empty.etl: the file is empty"), "{error}");
    let error = refused(&put(folder.path(), "text.etl", b"hello"));
    assert!(error.contains("text.etl: not a trace"), "{error}");
    let error = refused(&put(folder.path(), "a.zip", &zip(&[("readme.txt", b"no")])));
    assert!(error.contains("no .etl and no .csv"), "{error}");
    let error = refused(&put(folder.path(), "b.zip", &zip(&[("x.etl", b"no")])));
    assert!(error.contains("b.zip: x.etl: not a trace"), "{error}");
    let mut broken = zip(&[("x.etl", &trace(None, 0..9))]);
    broken.truncate(broken.len() / 2);
    assert!(refused(&put(folder.path(), "c.zip", &broken)).contains("c.zip: the archive"));
    let mut input = put(folder.path(), "d.etl", &trace(None, 0..9));
    input.node = Some("a/b".to_owned());
    assert!(refused(&input).contains("`a/b`"));
}

/// A packed file that is cut off is a trace that is cut off.
#[test]
fn packing_that_is_cut_off_gives_what_is_there_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let packed = gzip(&trace(Some("HV-01"), 0..4000));
    let input = put(folder.path(), "a.etl.gz", &packed[..packed.len() / 2]);
    let imported = read(&[input], Options::default()).unwrap();
    assert!(imported.traces[0].report.is_partial());
    assert!(imported.nodes[0].events.len() > 1_000);
}

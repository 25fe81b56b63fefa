use proptest::prelude::*;

use super::*;

const GERMAN: &str = "IO Type;Priority;Process (Name);Init Time (s);Complete Time (s);IO Time (µs);Disk Service Time (µs);Size (B);\
Min Offset;Max Offset;QD/I - Queue Depth at Init Time;QD/C - Queue Depth at Complete Time;Disk;Count\r\n";

const AMERICAN: &str = "IO Type,Init Time (s),Complete Time (s),Size (B),Min Offset,Disk\n";

const START: i64 = 1_700_000_000_000_000_000;

fn table(text: &str) -> Table {
    read(text.as_bytes(), START).unwrap()
}

fn faults(text: &str) -> Vec<(u64, String)> {
    let faults = table(text).report.faults;
    faults.into_iter().map(|fault| (fault.offset, fault.cause)).collect()
}

#[test]
fn real_rows_are_read() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/traces/wpa-disk-io.csv");
    let table = read(std::fs::File::open(path).unwrap(), START).unwrap();
    assert_eq!(table.report.faults, []);
    assert!(!table.report.is_partial());
    assert_eq!(table.events.len(), 325);
    let counts = table.report.counts;
    assert_eq!(counts.ios(), 325);
    assert!(counts.writes >= 20 && counts.flushes >= 5);
    // Read;Normal;System;1,079943800;1,080031000;87,200;87,200;512;0x0000000000000000;0x00000000000001FF;0;0;1;1
    assert_eq!(
        table.events[0],
        DiskIo {
            disk: 1,
            op: Op::Read,
            offset: 0,
            length: 512,
            start_unix_nanos: START + 1_079_943_800,
            duration_nanos: 87_200,
            irp: None,
        }
    );
    assert!(table.events.is_sorted_by_key(DiskIo::end_unix_nanos));
}

#[test]
fn each_number_format_gives_the_same_row() {
    let expected = [DiskIo {
        disk: 2,
        op: Op::Write,
        offset: 0x4000,
        length: 1_048_576,
        start_unix_nanos: START + 1_234_567_890_100,
        duration_nanos: 200,
        irp: None,
    }];
    for text in [
        format!(
            "{GERMAN}Write;Normal;System;1.234,567890100;1.234,567890300;0,200;0,200;1.048.576;0x4000;0x103FFF;0;0;2;1\r\n"
        ),
        format!("{AMERICAN}Write,\"1,234.567890100\",\"1,234.567890300\",\"1,048,576\",0x4000,2\n"),
        format!("{AMERICAN}Write,1234.567890100,1234.567890300,1048576,16384,2"),
        AMERICAN.replace(',', "\t") + "Write\t1\u{202f}234,567890100\t1\u{202f}234,567890300\t1\u{202f}048\u{202f}576\t0x4000\t2",
        // Other units.
        "Disk,IO Type,Init Time (ms),Complete Time (µs),Size (B),Min Offset\n2,write,1234567.890100,1234567890.3,1048576,0x4000"
            .to_owned(),
        // With a byte order mark.
        format!("\u{feff}{AMERICAN}Write,1234.567890100,1234.567890300,1048576,16384,2"),
    ] {
        let table = table(&text);
        assert_eq!(table.report.faults, [], "{text}");
        assert_eq!(table.events, expected, "{text}");
        assert!(is_table(text.as_bytes()));
    }
}

#[test]
fn flush_has_neither_offset_nor_length() {
    let table = table(&format!(
        "{GERMAN}Flush;Normal;System;1,5;1,6;1,0;1,0;0;0xFFFFFFFFFFFFFFFF;0xFFFFFFFFFFFFFFFF;0;1;1;1\r\n"
    ));
    assert_eq!((table.events[0].offset, table.events[0].length), (0, 0));
}

#[test]
fn row_that_cannot_be_is_left_out_with_its_line() {
    let text = format!(
        "{AMERICAN}Read,1.0,1.1,512,0x0,0\nTrim,1.0,1.1,512,0x0,0\nRead,1.2,1.1,512,0x0,0\nRead,1.0,1.1,51.2,0x0,0\nRead,1.0\n\
         Read,x,1.1,512,0x0,0\nRead,1.0,1.1,512,0xFFFFFFFFFFFFFFFF,0\nRead,1.0,1.1,512,0x0,5000000000\nRead,2.0,2.1,512,0x0,0\n"
    );
    assert_eq!(table(&text).events.len(), 2);
    let lines: Vec<u64> = faults(&text).into_iter().map(|(line, _)| line).collect();
    assert_eq!(lines, [3, 4, 5, 6, 7, 8, 9]);
    assert!(table(&text).report.is_partial());
}

#[test]
fn row_of_many_ios_is_refused() {
    let text = format!("{GERMAN}Read;Normal;System;1,5;1,6;1,0;1,0;512;0x0;0x1FF;0;1;1;12\n");
    assert_eq!(
        faults(&text),
        [(2, "a row of 12 I/Os; export the table with a row an I/O".to_owned())]
    );
    let text = format!("{GERMAN}Read;Normal;System;1,5;1,6;1,0;1,0;512;0x0;0x2FF;0;1;1;1\n");
    assert_eq!(
        faults(&text),
        [(2, "Min Offset, Size and Max Offset contradict each other".to_owned())]
    );
}

#[test]
fn what_is_no_such_table_is_refused() {
    for (text, said) in [
        ("a,b,c\n1,2,3\n", "IO Type"),
        ("IO Type,Size (B)\n", "Init Time"),
        (&AMERICAN.replace("(B)", "(KB)"), "in bytes"),
        (&AMERICAN.replace("Init Time (s)", "Init Time (h)"), "unit `h`"),
    ] {
        let error = read(text.as_bytes(), 0).unwrap_err().to_string();
        assert!(error.starts_with("line 1: ") && error.contains(said), "{error}");
        assert!(!is_table(text.as_bytes()));
    }
    assert!(matches!(read(&b""[..], 0), Err(Error::Empty)));
    assert!(
        read(&b"\xff\xfeI\0O\0"[..], 0)
            .unwrap_err()
            .to_string()
            .contains("UTF-16")
    );
}

#[test]
fn file_without_line_ends_does_not_fill_the_memory() {
    let endless = AMERICAN.as_bytes().chain(io::repeat(b'7'));
    assert!(matches!(read(endless, 0), Err(Error::Io { .. })));
}

proptest! {
    #[test]
    fn any_rows_never_panic(rows in "[ -~\\t\\r\\n\"ä;]{0,300}", german in any::<bool>(), start in any::<i64>()) {
        let header = if german { GERMAN } else { AMERICAN };
        let text = format!("{header}{rows}");
        if let Ok(table) = read(text.as_bytes(), start) {
            prop_assert_eq!(table.report.records, table.events.len() as u64 + table.report.fault_count);
        }
    }

    #[test]
    fn any_fields_never_panic(fields in prop::collection::vec("[0-9.,x ']{0,24}", 6), kind in 0_usize..3) {
        let kind = ["Read", "Write", "Flush"][kind];
        let rest: Vec<String> = fields.iter().skip(1).map(|field| format!("\"{field}\"")).collect();
        let text = format!("{AMERICAN}{kind},{}\n", rest.join(","));
        let _ = read(text.as_bytes(), START);
    }
}

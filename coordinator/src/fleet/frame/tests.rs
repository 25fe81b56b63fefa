//! Requests of every shape keep everything but the name of their cluster, and rows are counted however an answer is cut.

use fathom_proto::control::v1 as control;
use fathom_proto::query::v1 as wire;
use prost::Message;

use super::*;

/// A request with fields of all kinds.
fn request(cluster: &str) -> wire::AcknowledgeFindingRequest {
    wire::AcknowledgeFindingRequest {
        cluster: cluster.to_owned(),
        id: "f-1".to_owned(),
        by: "ann".to_owned(),
        for_nanos: u64::MAX,
        text: "x".repeat(300),
        request_id: String::new(),
        undo: true,
    }
}

#[test]
fn cluster_is_read_and_changed_and_the_rest_stays() {
    for (from, to) in [("a", "b"), ("", "berlin"), ("s1/c1", ""), ("ü", &"n".repeat(300))] {
        let bytes = request(from).encode_to_vec();
        assert_eq!(cluster(&bytes).unwrap(), from);
        let changed = about(&bytes, to).unwrap();
        assert_eq!(wire::AcknowledgeFindingRequest::decode(changed).unwrap(), request(to));
    }
    assert_eq!(cluster(&[]).unwrap(), "");
    // The last of two counts, as for every decoder.
    let twice = [request("a").encode_to_vec(), request("b").encode_to_vec()].concat();
    assert_eq!(cluster(&twice).unwrap(), "b");
    let once = wire::AcknowledgeFindingRequest::decode(about(&twice, "c").unwrap()).unwrap();
    assert_eq!(once, request("c"));
}

/// What the whole of routing rests on.
#[test]
fn every_request_about_a_cluster_has_its_name_in_field_1() {
    let descriptors = prost_types_of_requests();
    assert!(descriptors.len() > 20, "{descriptors:?}");
    for (request, fields) in descriptors {
        if request == "GetStatusRequest" {
            assert!(fields.is_empty());
            continue;
        }
        assert_eq!(fields.first(), Some(&("cluster".to_owned(), 1)), "{request}");
    }
    let order = control::SetProfileRequest {
        cluster: "c".to_owned(),
        ..control::SetProfileRequest::default()
    };
    assert_eq!(cluster(&order.encode_to_vec()).unwrap(), "c");
}

/// The requests of both packages with their fields, from the descriptors that reflection serves.
fn prost_types_of_requests() -> Vec<(String, Vec<(String, i32)>)> {
    let all = <tonic_reflection::pb::v1::FileDescriptorResponse as Message>::decode(fathom_proto::DESCRIPTORS);
    // A set of file descriptors has the same shape: a list of encoded files in field 1.
    let files = all.unwrap().file_descriptor_proto;
    let mut requests = Vec::new();
    for file in files {
        let texts = |bytes: &[u8], number: u64| -> Vec<Vec<u8>> {
            Fields(bytes)
                .map(|field| field.unwrap())
                .filter(|field| field.number == number)
                .filter_map(|field| field.bytes.map(<[u8]>::to_vec))
                .collect()
        };
        let package = String::from_utf8(texts(&file, 2).concat()).unwrap();
        if !["fathom.query.v1", "fathom.control.v1"].contains(&package.as_str()) {
            continue;
        }
        for message in texts(&file, 4) {
            let name = String::from_utf8(texts(&message, 1).concat()).unwrap();
            if !name.ends_with("Request") {
                continue;
            }
            let fields = texts(&message, 2).into_iter().map(|field| {
                let name = String::from_utf8(texts(&field, 1).concat()).unwrap();
                let number = Fields(&field)
                    .map(|part| part.unwrap())
                    .find(|part| part.number == 3)
                    .map(|part| i32::from(part.whole[1]));
                (name, number.unwrap())
            });
            let mut fields: Vec<(String, i32)> = fields.collect();
            fields.sort_by_key(|(_, number)| *number);
            requests.push((name, fields));
        }
    }
    requests
}

#[test]
fn damaged_requests_are_refused_and_never_read_beyond() {
    let bytes = request("berlin").encode_to_vec();
    for cut in 1..bytes.len() {
        let short = &bytes[..cut];
        // Cut between two fields it is a message again.
        if let Ok(name) = cluster(short) {
            assert_eq!(name, "berlin");
            assert!(about(short, "b").is_ok());
        } else {
            assert_eq!(about(short, "b"), Err(Fault::Cut), "{cut}");
        }
    }
    assert_eq!(cluster(&[0x0b]), Err(Fault::Kind));
    assert_eq!(cluster(&[0x0a, 2, 0xff, 0xfe]), Err(Fault::Text));
    assert_eq!(cluster(&[0xff; 11]), Err(Fault::Kind));
    assert_eq!(cluster(&[0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f]), Err(Fault::Cut));
}

#[test]
fn body_holds_one_plain_message() {
    let message = request("a").encode_to_vec();
    assert_eq!(only_message(framed(&message)).unwrap(), message);
    assert_eq!(only_message(Bytes::new()), Err(Fault::Messages { messages: 0 }));
    let two = [framed(&message), framed(&[])].concat();
    assert_eq!(only_message(two.into()), Err(Fault::Messages { messages: 2 }));
    let mut compressed = framed(&message).to_vec();
    compressed[0] = 1;
    assert_eq!(only_message(compressed.into()), Err(Fault::Compressed));
    assert_eq!(only_message(framed(&message).slice(..9)), Err(Fault::Cut));
    assert_eq!(only_message(framed(&message).slice(..3)), Err(Fault::Cut));
}

#[test]
fn rows_are_counted_however_the_answer_is_cut() {
    let page = |ios: usize| {
        let answer = wire::StreamIosResponse {
            ios: vec![wire::Io::default(); ios],
            coverage: Some(wire::Coverage::default()),
        };
        framed(&answer.encode_to_vec())
    };
    let whole = [page(0), page(7), page(500), page(1)].concat();
    for size in [1, 3, 5, 64, 1000, whole.len()] {
        let mut rows = RowCount::default();
        let counted = whole.chunks(size).map(|piece| rows.add(piece)).last();
        assert_eq!(counted, Some(508), "pieces of {size}");
    }
}

#[test]
fn pieces_are_of_one_message_each_however_frames_are_cut() {
    let messages = [&b"abcdefg"[..], b"", b"hi"];
    let whole: Vec<u8> = messages.iter().flat_map(|message| framed(message)).collect();
    for cut in 1..=whole.len() {
        let (mut pieces, mut found) = (Pieces::default(), Vec::new());
        for frame in whole.chunks(cut) {
            pieces.add(frame);
            while let Some((piece, continues)) = pieces.next(3).unwrap() {
                found.push((piece.to_vec(), continues));
            }
        }
        let expected = [
            (&b"abc"[..], true),
            (b"def", true),
            (b"g", false),
            (b"", false),
            (b"hi", false),
        ];
        let expected: Vec<_> = expected.map(|(piece, continues)| (piece.to_vec(), continues)).into();
        assert_eq!(found, expected, "{cut}");
        assert!(pieces.is_whole());
    }
    let mut pieces = Pieces::default();
    pieces.add(&whole[..8]);
    assert_eq!(pieces.next(3).unwrap(), Some((Bytes::from_static(b"abc"), true)));
    assert_eq!(pieces.next(3).unwrap(), None);
    assert!(!pieces.is_whole());
    let mut compressed = Pieces::default();
    compressed.add(b"\x01\0\0\0\0");
    assert_eq!(compressed.next(3), Err(Fault::Compressed));
}

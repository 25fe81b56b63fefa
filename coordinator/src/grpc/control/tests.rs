//! An order that is sent again is not given again.

use super::*;

fn request(id: &str, profile: &str) -> wire::SetProfileRequest {
    wire::SetProfileRequest {
        cluster: "c1".to_owned(),
        profile: profile.to_owned(),
        for_nanos: 7,
        request_id: id.to_owned(),
        ..wire::SetProfileRequest::default()
    }
}

#[test]
fn same_request_has_the_same_answer_and_an_id_is_of_one() {
    let mut done = Done::default();
    let answer = wire::SetProfileResponse {
        cluster: "c1".to_owned(),
        nodes: Vec::new(),
    };
    for id in ["", "r1"] {
        assert_eq!(done.find(&request(id, "full")).unwrap(), None);
        done.note(request(id, "full"), answer.clone());
    }
    assert_eq!(done.find(&request("r1", "full")).unwrap(), Some(answer.clone()));
    assert_eq!(
        done.find(&request("", "full")).unwrap(),
        None,
        "without an id it is done each time"
    );
    let other = done.find(&request("r1", "off")).unwrap_err();
    assert_eq!(other.code(), tonic::Code::InvalidArgument);
    assert!(other.message().contains("another request's"), "{other}");
    for number in 0..REQUESTS {
        done.note(request(&format!("s{number}"), "full"), answer.clone());
    }
    assert_eq!(done.0.len(), REQUESTS);
    assert_eq!(
        done.find(&request("r1", "full")).unwrap(),
        None,
        "only the last are known"
    );
}

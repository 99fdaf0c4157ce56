use kafka_protocol::messages::{ApiVersionsRequest, MetadataRequest};

use crate::{
    connection::{Connection, fetch, text},
    target::Target,
};

fn api_versions() -> ApiVersionsRequest {
    ApiVersionsRequest::default()
        .with_client_software_name(text("conformance"))
        .with_client_software_version(text("1.0"))
}

/// Behind the length: key, version, correlation id, client id of length -1, and nothing of the body.
fn header(key: i16, version: i16) -> Vec<u8> {
    [
        &key.to_be_bytes()[..],
        &version.to_be_bytes(),
        &[0, 0, 0, 7, 0xff, 0xff],
    ]
    .concat()
}

pub fn versions_from_the_future_are_answered_in_version_0(target: &Target) {
    let mut connection = target.connect();
    connection.send_frame(&[header(18, 99), vec![0, 0]].concat());
    let frame = connection.frame();
    assert_eq!(&frame[..4], [0, 0, 0, 7]);
    assert_eq!(&frame[4..6], [0, 35], "UNSUPPORTED_VERSION");
    let rows = u32::from_be_bytes(frame[6..10].try_into().unwrap()) as usize;
    assert!(rows >= 1 && frame.len() == 10 + rows * 6);
    // The connection goes on.
    for version in 0..=4 {
        let answer = connection.call(&api_versions(), version);
        assert_eq!(answer.error_code, 0);
        let produce = answer.api_keys.iter().find(|api| api.api_key == 0).unwrap();
        assert!(produce.min_version <= 3 && produce.max_version >= 11);
    }
    let unnamed = connection.call(&ApiVersionsRequest::default(), 3);
    assert_eq!(unnamed.error_code, 42, "INVALID_REQUEST");
}

pub fn unknown_apis_and_versions_close_the_connection(target: &Target) {
    for (key, version) in [(999, 0), (3, 99), (0, 2), (-1, 0)] {
        let mut connection = target.connect();
        connection.send_frame(&[header(key, version), vec![0; 8]].concat());
        connection.expect_closed();
    }
}

pub fn frames_that_cannot_be_close_the_connection(target: &Target) {
    let length = |length: i32| length.to_be_bytes().to_vec();
    let wrong = [
        length(-1),
        length(i32::MAX),
        [length(3), vec![0, 3, 0]].concat(),
        // A Metadata request whose list of topics is longer than the frame.
        [length(16), header(3, 4), vec![0, 0, 0x7f, 0xff, 0, 0]].concat(),
        // A client id that reaches behind the end.
        [length(10), vec![0, 3, 0, 4, 0, 0, 0, 1, 0x7f, 0xff]].concat(),
    ];
    for bytes in wrong {
        let mut connection: Connection = target.connect();
        connection.send_bytes(&bytes);
        connection.expect_closed();
    }
}

pub fn requests_sent_ahead_are_answered_in_order(target: &Target) {
    let mut connection = target.connect();
    connection.create_topic("ahead", 1, &[]);
    // The long poll is first, and so are its answer.
    let mut waiting = fetch(&[("ahead", &[(0, 0)])]);
    waiting.max_wait_ms = 300;
    connection.send(&waiting, 12);
    let first = connection.correlation();
    let metadata = MetadataRequest::default().with_topics(Some(Vec::new()));
    connection.send(&metadata, 9);
    connection.send(&api_versions(), 3);
    let polled = connection.receive_of::<kafka_protocol::messages::FetchRequest>(first, 12);
    assert_eq!(polled.responses[0].partitions[0].error_code, 0);
    let answer = connection.receive_of::<MetadataRequest>(first + 1, 9);
    assert_eq!(answer.brokers.len(), 1);
    connection.receive_of::<ApiVersionsRequest>(first + 2, 3);
}

//! Every error is Connect's JSON.

use axum::body::Body;
use axum::http::StatusCode;
use towpath_server::herder::Health;

use crate::{
    fake::{Fake, PANICS},
    send::{api, json, plain, request, send},
};

const CONFIG: &str = r#"{"connector.class": "org.apache.kafka.connect.mirror.MirrorSourceConnector", "tasks.max": 2,
    "source.cluster.alias": "src", "topics": "t"}"#;

#[tokio::test]
async fn whatever_is_wrong_with_a_request_is_told_in_json() {
    let api = api(Fake::new());
    for (method, path, content_type, body, status) in [
        ("GET", "/nowhere", None, "", 404),
        ("GET", "/connectors/a/b/c", None, "", 404),
        ("GET", "/connectors/%ff", None, "", 404),
        ("GET", "/connectors/a/tasks/-1/status", None, "", 404),
        ("DELETE", "/connectors", None, "", 405),
        ("POST", "/", None, "", 405),
        ("OPTIONS", "/connectors", None, "", 405),
        ("GET", "/connectors/a/pause", None, "", 405),
        ("PUT", "/connectors/a/config", None, "{}", 415),
        ("PUT", "/connectors/a/config", Some("text/plain"), "{}", 415),
        (
            "PATCH",
            "/connectors/a/offsets",
            Some("application/x-www-form-urlencoded"),
            "{}",
            415,
        ),
        ("POST", "/connectors", Some("application/json"), "{", 400),
        ("POST", "/connectors", Some("application/json"), "", 400),
        ("POST", "/connectors", Some("application/json"), "null", 400),
        ("POST", "/connectors", Some("application/json"), "{} {}", 400),
        (
            "POST",
            "/connectors",
            Some("application/json"),
            r#"{"name": 1, "config": {}}"#,
            400,
        ),
        (
            "POST",
            "/connectors",
            Some("application/json"),
            "{\"name\": \"\u{7}\", \"config\": {}}",
            400,
        ),
        (
            "PUT",
            "/connectors/a/config",
            Some("application/json"),
            r#"{"a": null}"#,
            400,
        ),
        (
            "PUT",
            "/connectors/a/config",
            Some("application/json"),
            r#"{"a": ["b"]}"#,
            400,
        ),
        (
            "PATCH",
            "/connectors/a/config",
            Some("application/json"),
            r#"{"name": null}"#,
            400,
        ),
        (
            "PATCH",
            "/connectors/a/offsets",
            Some("application/json"),
            r#"{"offset": []}"#,
            400,
        ),
        ("PUT", "/admin/loggers/root", Some("application/json"), "{}", 400),
    ] {
        let mut builder = request(method, path);
        if let Some(media) = content_type {
            builder = builder.header("content-type", media);
        }
        let answer = send(&api, builder.body(Body::from(body)).expect("a request")).await;
        assert_eq!(
            answer.status.as_u16(),
            status,
            "{method} {path} {body}: {}",
            answer.error()
        );
        assert!(!answer.error().is_empty());
    }
}

#[tokio::test]
async fn what_a_client_may_do_instead_is_named() {
    let api = api(Fake::new());
    let answer = plain(&api, "DELETE", "/connectors").await;
    assert_eq!(
        answer.header("allow"),
        Some("GET,HEAD,POST"),
        "{:?}",
        answer.headers
    );
}

#[tokio::test]
async fn only_json_is_answered_to_those_who_accept_it() {
    let api = api(Fake::new());
    for (accept, status) in [
        ("text/html", 406),
        ("text/html, */*;q=0.1", 200),
        ("application/json", 200),
    ] {
        let request = request("GET", "/connectors").header("accept", accept);
        let answer = send(&api, request.body(Body::empty()).expect("a request")).await;
        assert_eq!(answer.status.as_u16(), status, "{accept}");
    }
}

#[tokio::test]
async fn a_body_may_have_a_mebibyte() {
    let api = api(Fake::new());
    let filled = |length: usize| {
        format!(
            r#"{{"name": "{}"}}"#,
            "x".repeat(length - r#"{"name": ""}"#.len())
        )
    };
    let answer = json(&api, "POST", "/connectors", &filled(1 << 20)).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let answer = json(&api, "POST", "/connectors", &filled((1 << 20) + 1)).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(answer.error().contains("1048576 bytes"));
}

#[tokio::test]
async fn a_panic_is_an_error_and_the_next_request_is_answered() {
    let api = api(Fake::new());
    let answer = plain(&api, "GET", &format!("/connectors/{PANICS}")).await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(
        !answer.error().contains("as it was asked to"),
        "what the log says is the log's"
    );
    assert_eq!(plain(&api, "GET", "/connectors").await.status, StatusCode::OK);
}

#[tokio::test]
async fn slashes_at_the_end_and_encoded_names_reach_what_is_meant() {
    let api = api(Fake::new());
    let created = json(&api, "PUT", "/connectors/a%20b%2Fc%C3%BC/config/", CONFIG).await;
    assert_eq!(created.status, StatusCode::CREATED, "{:?}", created.body);
    let location = created.header("location").expect("it is created");
    assert_eq!(location, "http://127.0.0.1:18083/connectors/a%20b%2Fc%C3%BC");
    for path in ["/connectors/a%20b%2Fc%C3%BC", "/connectors/a%20b%2fc%C3%BC/"] {
        let answer = plain(&api, "GET", path).await;
        assert_eq!(answer.json()["name"], "a b/cü", "{path}");
    }
    for path in [
        "/connectors/",
        "/admin/loggers/",
        "/connector-plugins/",
        "/health/",
    ] {
        assert_eq!(plain(&api, "GET", path).await.status, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn lists_expand_to_what_clients_ask_for() {
    let api = api(Fake::new());
    json(&api, "PUT", "/connectors/a/config", CONFIG).await;
    let answer = plain(&api, "GET", "/connectors?expand=info&expand=status")
        .await
        .json();
    assert_eq!(answer["a"]["info"]["config"]["tasks.max"], "2");
    assert_eq!(answer["a"]["info"]["tasks"][1]["task"], 1);
    assert_eq!(answer["a"]["status"]["tasks"][1]["state"], "RUNNING");
    assert_eq!(answer["a"]["status"]["type"], "source");
}

#[tokio::test]
async fn what_vanishes_while_a_list_is_expanded_is_left_out() {
    let api = api(Fake::with_vanishing("b"));
    json(&api, "PUT", "/connectors/a/config", CONFIG).await;
    assert_eq!(
        plain(&api, "GET", "/connectors").await.json(),
        serde_json::json!(["a", "b"])
    );
    let answer = plain(&api, "GET", "/connectors?expand=status").await.json();
    let names: Vec<&String> = answer.as_object().expect("an object").keys().collect();
    assert_eq!(names, ["a"]);
}

#[tokio::test]
async fn restarts_answer_by_what_is_asked_for() {
    let api = api(Fake::new());
    json(&api, "PUT", "/connectors/a/config", CONFIG).await;
    for (query, status) in [
        ("", 204),
        ("?includeTasks=false&onlyFailed=false", 204),
        ("?includeTasks=True", 202),
        ("?onlyFailed=true", 202),
        ("?includeTasks=yes", 204),
    ] {
        let answer = plain(&api, "POST", &format!("/connectors/a/restart{query}")).await;
        assert_eq!(answer.status.as_u16(), status, "{query}");
        assert_eq!(answer.body.is_empty(), status == 204, "{query}");
    }
}

#[tokio::test]
async fn what_is_patched_is_set_and_taken_away() {
    let api = api(Fake::new());
    json(&api, "PUT", "/connectors/a/config", CONFIG).await;
    let answer = json(
        &api,
        "PATCH",
        "/connectors/a/config",
        r#"{"tasks.max": 1, "topics": "u", "new": "x"}"#,
    )
    .await;
    assert_eq!(answer.json()["config"]["topics"], "u");
    json(&api, "PATCH", "/connectors/a/config", r#"{"new": null}"#).await;
    let config = plain(&api, "GET", "/connectors/a/config").await.json();
    assert_eq!(
        config,
        serde_json::json!({"connector.class": "org.apache.kafka.connect.mirror.MirrorSourceConnector", "name": "a",
            "source.cluster.alias": "src", "tasks.max": "1", "topics": "u"})
    );
}

#[tokio::test]
async fn health_has_a_status_for_each_state() {
    for (health, status, word) in [
        (Health::Healthy, 200, "healthy"),
        (Health::Starting, 503, "starting"),
        (
            Health::Unhealthy {
                why: "no broker".to_owned(),
            },
            500,
            "unhealthy",
        ),
    ] {
        let answer = plain(&api(Fake::with_health(health)), "GET", "/health").await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["status"]),
            (status, &word.into())
        );
    }
}

#[tokio::test]
async fn ours_is_beside_what_is_connects() {
    let api = api(Fake::new());
    json(&api, "PUT", "/connectors/a/config", CONFIG).await;
    let lag = plain(&api, "GET", "/connectors/a/lag").await.json();
    assert_eq!(
        (&lag["records"], &lag["partitions"][0]["lag"]),
        (&22.into(), &14.into())
    );
    let details = plain(&api, "GET", "/towpath/connectors/a").await.json();
    assert_eq!(details["trouble"], "none");
    for path in ["/connectors/b/lag", "/towpath/connectors/b"] {
        assert_eq!(plain(&api, "GET", path).await.error(), "Connector b not found");
    }
}

#[tokio::test]
async fn pages_of_others_do_not_steer_the_worker() {
    let api = api(Fake::new());
    json(&api, "PUT", "/connectors/a/config", CONFIG).await;
    for (host, origin, status) in [
        ("localhost:8083", None, 202),
        ("localhost:8083", Some("http://localhost:8083"), 202),
        ("localhost:8083", Some("http://evil.example"), 403),
        ("localhost:8083", Some("null"), 403),
        ("evil.example:8083", None, 403),
        ("evil.example:8083", Some("http://evil.example:8083"), 403),
    ] {
        let mut builder = axum::http::Request::builder()
            .method("PUT")
            .uri("/connectors/a/pause")
            .header("host", host);
        if let Some(origin) = origin {
            builder = builder.header("origin", origin);
        }
        let answer = send(&api, builder.body(Body::empty()).expect("a request")).await;
        assert_eq!(answer.status.as_u16(), status, "{host} {origin:?}");
        if status == 403 {
            assert!(!answer.error().is_empty());
        }
    }
}

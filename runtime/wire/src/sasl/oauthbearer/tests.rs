use std::sync::atomic::{AtomicUsize, Ordering};

use data_encoding::BASE64URL_NOPAD;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinSet,
};

use super::*;
use crate::Environment;

/// An endpoint that gives the n-th request the n-th answer, the last one again and again. `None`: it closes the connection.
struct Endpoint {
    port: u16,
    requests: Arc<Mutex<Vec<String>>>,
    _task: JoinSet<()>,
}

impl Endpoint {
    async fn start(answers: Vec<Option<String>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (seen, count) = (requests.clone(), AtomicUsize::new(0));
        let mut task = JoinSet::new();
        task.spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = Vec::new();
                while !request.ends_with(b"grant_type=client_credentials&scope=a+b%2Fc") {
                    if stream.read_buf(&mut request).await.unwrap() == 0 {
                        break;
                    }
                }
                seen.lock()
                    .unwrap()
                    .push(String::from_utf8_lossy(&request).into_owned());
                let index = count.fetch_add(1, Ordering::Relaxed).min(answers.len() - 1);
                if let Some(answer) = &answers[index] {
                    // A client that has enough does not read to the end.
                    let _ = stream.write_all(answer.as_bytes()).await;
                }
            }
        });
        Self {
            port,
            requests,
            _task: task,
        }
    }

    fn oauth(&self) -> OauthBearer {
        self.oauth_by("http")
    }

    fn oauth_by(&self, scheme: &str) -> OauthBearer {
        let secret = |text| Secret::new("sasl.jaas.config", text, &Environment::default());
        OauthBearer::new(
            TokenSource::ClientCredentials(Box::new(ClientCredentials {
                endpoint: format!("{scheme}://127.0.0.1:{}/token?x=1", self.port)
                    .parse()
                    .unwrap(),
                client_id: secret("mirror"),
                client_secret: secret("s3cret"),
                scope: Some("a b/c".to_owned()),
                tls: None,
            })),
            Vec::new(),
        )
    }

    fn count(&self) -> usize {
        self.requests.lock().unwrap().len()
    }
}

fn http(status: &str, body: &str) -> Option<String> {
    let length = body.len();
    Some(format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    ))
}

fn granted(token: &str, expires_in: &str) -> Option<String> {
    http(
        "200 OK",
        &format!(r#"{{"access_token":"{token}","expires_in":{expires_in}}}"#),
    )
}

fn quick() -> Options {
    Options {
        connect_timeout: Duration::from_millis(500),
        request_timeout: Duration::from_millis(500),
        // Nothing is refused twice in these tests unless they want it so.
        retry_backoff: Duration::ZERO,
        ..Options::default()
    }
}

#[tokio::test]
async fn connections_share_a_token_that_is_fetched_once() {
    let endpoint = Endpoint::start(vec![granted("first", "3600"), granted("second", "3600")]).await;
    let (oauth, options) = (endpoint.oauth(), quick());
    let tokens = futures::future::join_all((0..8).map(|_| oauth.token(&options))).await;
    assert!(tokens.iter().all(|token| token.as_ref().unwrap().text == "first"));
    assert_eq!(endpoint.count(), 1);
    let request = endpoint.requests.lock().unwrap()[0].clone();
    assert!(request.starts_with("POST /token?x=1 HTTP/1.1\r\n"), "{request}");
    // "mirror:s3cret"
    for line in [
        "authorization: Basic bWlycm9yOnMzY3JldA==",
        "content-type: application/x-www-form-urlencoded",
        &format!("host: 127.0.0.1:{}", endpoint.port),
    ] {
        assert!(request.contains(line), "{line} is not in {request}");
    }
    // One that the broker refused is not shown again.
    oauth.forget();
    assert_eq!(oauth.token(&options).await.unwrap().text, "second");
}

#[tokio::test]
async fn a_token_is_renewed_before_its_end_and_used_to_its_end_when_it_cannot_be() {
    let seconds = |seconds: u64| {
        let end = SystemTime::now() + Duration::from_secs(seconds);
        let end = end.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        BASE64URL_NOPAD.encode(format!(r#"{{"sub":"mirror","exp":{end}}}"#).as_bytes())
    };
    let jwt = format!("e30.{}.c2ln", seconds(3600));
    let endpoint = Endpoint::start(vec![granted(&jwt, r#""7200""#), http("503 Busy", "")]).await;
    let (oauth, options) = (endpoint.oauth(), quick());
    assert_eq!(oauth.subject(), None);
    oauth.token(&options).await.unwrap();
    assert_eq!(oauth.subject().as_deref(), Some("mirror"));
    {
        let mut fetched = oauth.0.fetching.lock().await;
        let held = fetched.token.as_mut().unwrap();
        let left = |time: SystemTime| time.duration_since(SystemTime::now()).unwrap().as_secs();
        // The earlier of both ends counts: the token's own.
        assert!((3590..=3600).contains(&left(held.token.expires.unwrap())));
        assert!(
            (2870..=3060).contains(&left(held.refresh_at)),
            "{}",
            left(held.refresh_at)
        );
        held.refresh_at = SystemTime::now();
    }
    assert_eq!(oauth.token(&options).await.unwrap().text, jwt);
    assert_eq!(endpoint.count(), 2);
    {
        let mut fetched = oauth.0.fetching.lock().await;
        fetched.token.as_mut().unwrap().token.expires = Some(SystemTime::now());
    }
    let error = oauth.token(&options).await.unwrap_err();
    assert!(error.to_string().contains("answered 503"), "{error}");
}

#[tokio::test]
async fn what_an_endpoint_can_do_wrong_has_a_sentence_without_secrets() {
    let long = "x".repeat(2 * token::LONGEST);
    let refused = "refused client \"mirror\": 401: invalid_client: no such client";
    for (answer, expected, remedy) in [
        (
            http(
                "401 No",
                r#"{"error":"invalid_client","error_description":"no\u0007 such client"}"#,
            ),
            refused,
            "check the client's id and secret",
        ),
        (
            http("400 No", "<html>"),
            "refused client \"mirror\": 400",
            "sasl.oauthbearer.scope",
        ),
        (http("500 Oh", ""), "answered 500", "it is asked again"),
        (
            http("302 There", ""),
            "gave no token: it leads elsewhere (302)",
            "token URL",
        ),
        (
            http("200 OK", "<html>"),
            "gave no token: its answer is not JSON",
            "token URL",
        ),
        (http("200 OK", "{}"), "gave no token", "token URL"),
        (
            granted("with blank", "1"),
            "there are other characters in it",
            "put one line of",
        ),
        (granted("a", "0"), "expired 0 s ago", "correct the clock"),
        (
            granted(&long, "1"),
            "cannot be asked: length limit exceeded",
            "check the URL",
        ),
        (
            Some("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nab".to_owned()),
            "cannot be asked: ",
            "check the URL",
        ),
        (
            Some("SSH-2.0\r\n\r\n".to_owned()),
            "cannot be asked: ",
            "check the URL",
        ),
        (None, "cannot be asked: ", "check the URL"),
    ] {
        let endpoint = Endpoint::start(vec![answer]).await;
        let error = endpoint.oauth().token(&quick()).await.unwrap_err();
        let text = format!("{error}; {}", error.remedy());
        assert!(
            text.contains(expected) && text.contains(remedy),
            "{expected}: {text}"
        );
        assert!(
            text.contains(&format!("http://127.0.0.1:{}/token", endpoint.port)) && text.len() < 500,
            "{text}"
        );
        assert!(!text.contains("s3cret") && !text.contains("x=1"), "{text}");
    }
}

#[tokio::test]
async fn an_endpoint_that_fails_is_not_asked_again_at_once() {
    let endpoint = Endpoint::start(vec![None]).await;
    let options = Options {
        retry_backoff: Duration::from_secs(60),
        retry_backoff_max: Duration::from_secs(60),
        ..quick()
    };
    let oauth = endpoint.oauth();
    let all = futures::future::join_all((0..4).map(|_| oauth.token(&options))).await;
    assert!(all.iter().all(Result::is_err));
    assert!(oauth.token(&options).await.is_err());
    assert_eq!(endpoint.count(), 1);
}

#[tokio::test]
async fn nothing_is_said_to_an_https_endpoint_before_it_has_proved_who_it_is() {
    let endpoint = Endpoint::start(vec![granted("a", "1")]).await;
    let error = endpoint.oauth_by("https").token(&quick()).await.unwrap_err();
    assert!(error.to_string().contains("cannot be asked: "), "{error}");
    assert!(
        endpoint
            .requests
            .lock()
            .unwrap()
            .iter()
            .all(|request| !request.contains("Basic"))
    );
}

#[tokio::test]
async fn an_endpoint_that_never_answers_is_left_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let silent = Endpoint {
        port,
        requests: Arc::default(),
        _task: JoinSet::new(),
    };
    let options = Options {
        request_timeout: Duration::from_millis(50),
        ..quick()
    };
    let error = silent.oauth().token(&options).await.unwrap_err();
    assert!(error.to_string().contains("no answer within 50 ms"), "{error}");
}

#[tokio::test]
async fn a_token_file_is_read_at_each_use() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let oauth = OauthBearer::new(TokenSource::File(file.clone()), Vec::new());
    let options = quick();
    let error = oauth.token(&options).await.unwrap_err();
    assert!(
        error.to_string().contains("token cannot be read: No such file"),
        "{error}"
    );
    for text in ["one", "two"] {
        fs::write(&file, format!("{text}\n")).unwrap();
        assert_eq!(oauth.token(&options).await.unwrap().text, text);
    }
    fs::write(&file, "x".repeat(2 * token::LONGEST + 1)).unwrap();
    let error = oauth.token(&options).await.unwrap_err();
    assert!(error.to_string().contains("a token has not"), "{error}");
}

#[test]
fn an_endpoint_is_a_url_with_a_host_and_without_a_password() {
    for (text, mistake) in [
        ("login.example/token", "is no URL"),
        ("ftp://login.example/token", "neither with https://"),
        ("https://", "is no URL"),
        ("http:///token", "is no URL"),
        ("http://a:b@login.example/token", "has a user or a password in it"),
        ("https://login example/", "is no URL"),
    ] {
        let error = text.parse::<TokenEndpoint>().unwrap_err();
        assert!(error.contains(mistake), "{text}: {error}");
    }
}

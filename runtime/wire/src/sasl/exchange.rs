//! What a mechanism says, step by step. No I/O: whoever has the connection carries the messages.

use super::{Error, ScramHash, Who, scram::Proof, scram::Scram, token::Token};

/// One authentication.
pub(crate) struct Exchange {
    mechanism: &'static str,
    who: Who,
    state: State,
}

enum State {
    Plain {
        username: String,
        password: String,
    },
    Scram(Scram),
    ScramProof(Proof),
    OauthBearer {
        token: Token,
        extensions: Vec<(String, String)>,
    },
    /// The server has said why it refuses, and waits for a sign that it was heard.
    OauthRefused(String),
    Said,
}

/// What to do with the server's message.
pub(crate) enum Step {
    Send(Vec<u8>),
    Done,
}

// === impl Exchange ===

impl Exchange {
    pub(super) fn plain(username: String, password: String) -> Result<Self, Error> {
        let mechanism = "PLAIN";
        if username.contains('\0') || password.contains('\0') {
            let what = "the user name or the password has a NUL character in it";
            return Err(Error::Unusable { mechanism, what });
        }
        Ok(Self {
            mechanism,
            who: Who::User(username.clone()),
            state: State::Plain { username, password },
        })
    }

    pub(super) fn scram(hash: ScramHash, username: String, password: String) -> Self {
        Self {
            mechanism: match hash {
                ScramHash::Sha256 => "SCRAM-SHA-256",
                ScramHash::Sha512 => "SCRAM-SHA-512",
            },
            who: Who::User(username.clone()),
            state: State::Scram(Scram::new(hash, username, password)),
        }
    }

    pub(super) fn oauthbearer(token: Token, extensions: Vec<(String, String)>) -> Self {
        Self {
            mechanism: "OAUTHBEARER",
            who: Who::Token(token.subject.clone()),
            state: State::OauthBearer { token, extensions },
        }
    }

    /// What the client says first: every mechanism here begins with the client.
    pub(crate) fn first(&mut self) -> Vec<u8> {
        match &self.state {
            State::Scram(scram) => scram.first().into_bytes(),
            State::Plain { username, password } => {
                let message = format!("\0{username}\0{password}").into_bytes();
                self.state = State::Said;
                message
            }
            State::OauthBearer { token, extensions } => {
                // RFC 7628; Kafka's extensions (KIP-342) come behind the token.
                let mut message = format!("n,,\x01auth=Bearer {}\x01", token.text);
                for (key, value) in extensions {
                    message.extend([key.as_str(), "=", value.as_str(), "\x01"]);
                }
                message.push('\x01');
                message.into_bytes()
            }
            State::ScramProof(_) | State::OauthRefused(_) | State::Said => Vec::new(),
        }
    }

    /// What to do now that the server has said this.
    pub(crate) async fn next(&mut self, message: &[u8]) -> Result<Step, Error> {
        match std::mem::replace(&mut self.state, State::Said) {
            State::Scram(scram) => {
                let message = message.to_vec();
                let work = tokio::task::spawn_blocking(move || scram.answer(&message));
                let answered = match work.await {
                    Ok(answered) => answered,
                    Err(error) => Err(format!("its message could not be computed with: {error}")),
                };
                let (answer, proof) = answered.map_err(|what| self.impostor(what))?;
                self.state = State::ScramProof(proof);
                Ok(Step::Send(answer.into_bytes()))
            }
            State::ScramProof(proof) => match proof.verify(message) {
                Ok(()) => Ok(Step::Done),
                Err(what) => Err(self.impostor(what)),
            },
            State::OauthBearer { .. } if message.is_empty() => Ok(Step::Done),
            State::OauthBearer { .. } => {
                self.state = State::OauthRefused(oauth_refusal(message));
                Ok(Step::Send(vec![1]))
            }
            // After its refusal nothing but an error may come.
            State::OauthRefused(why) => Err(self.refused(Some(why))),
            State::Plain { .. } | State::Said if message.is_empty() => Ok(Step::Done),
            State::Plain { .. } | State::Said => {
                Err(self.impostor("it has a question, and the mechanism has none".to_owned()))
            }
        }
    }

    /// The broker's refusal, with what it said.
    pub(crate) fn refused(&self, message: Option<String>) -> Error {
        let message = match (&self.state, message) {
            // More than the general sentence that comes with the error code.
            (State::OauthRefused(why), message) => match message.filter(|message| !message.contains(why)) {
                Some(message) => format!("{why}: {message}"),
                None => why.clone(),
            },
            (_, Some(message)) => message,
            (_, None) => "it does not say why".to_owned(),
        };
        Error::Refused {
            mechanism: self.mechanism,
            who: self.who.clone(),
            message,
        }
    }

    fn impostor(&self, what: String) -> Error {
        Error::Impostor {
            mechanism: self.mechanism,
            what,
        }
    }
}

/// The server's error of RFC 7628, 3.2.2: JSON with a `status`.
fn oauth_refusal(message: &[u8]) -> String {
    const LONGEST: usize = 200;
    let status = serde_json::from_slice::<serde_json::Value>(message)
        .ok()
        .and_then(|error| Some(error.get("status")?.as_str()?.to_owned()));
    let text = status.unwrap_or_else(|| String::from_utf8_lossy(message).into_owned());
    text.chars().filter(|c| !c.is_control()).take(LONGEST).collect()
}

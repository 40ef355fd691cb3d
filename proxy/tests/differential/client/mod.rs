//! Clients that send a case and keep all that came back.

mod http1;
mod http2;

use crate::words::{Case, Form};
use std::time::Duration;
use tokio::time::timeout;

/// Nothing here may take longer.
const LIMIT: Duration = Duration::from_secs(8);

/// One final answer and what came before it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    pub(crate) interim: Vec<String>,
    pub(crate) status: u16,
    pub(crate) version: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Vec<(String, String)>,
    /// `whole`, `cut`, or how the stream was reset.
    pub(crate) end: String,
}

/// What a case led to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) answers: Vec<Answer>,
    /// How it ended, where it is not simply with the last answer.
    pub(crate) end: String,
}

/// Sends `case` to the proxy at `port`; `number` names it in headers.
pub(crate) async fn send(case: &Case, number: &str, port: u16) -> Outcome {
    let sent = async {
        match case.form {
            Form::Http1 => http1::send(case, number, port).await,
            Form::Http2 => http2::send(case, number, port).await,
            Form::Raw => http1::send_raw(case, number, port).await,
        }
    };
    let timed_out = || Outcome {
        answers: Vec::new(),
        end: "nothing came".to_owned(),
    };
    timeout(LIMIT, sent).await.unwrap_or_else(|_| timed_out())
}

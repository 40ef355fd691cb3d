//! What a recording server does with a request. The request says it itself, in its header `x-do`:
//! commands separated by `;`.

use std::time::Duration;

/// The header that carries the commands.
pub(crate) const HEADER: &str = "x-do";

/// What is done with one request.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Before anything is said.
    pub(crate) delay: Duration,
    pub(crate) act: Act,
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Vec<(String, String)>,
    /// Without a length: chunked, or over HTTP/2 without `content-length`.
    pub(crate) unsized_body: bool,
    /// The connection ends, or is reset, in the middle of the body.
    pub(crate) cut: bool,
    /// The answer comes before the body has been read.
    pub(crate) early: bool,
    /// An interim answer that comes first.
    pub(crate) interim: Option<u16>,
}

/// How a request is answered.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Act {
    Answer,
    /// Close without a word.
    Close,
    /// HTTP/2: reset with this code. HTTP/1: a TCP reset.
    Reset(u32),
    /// Exactly these bytes, then close.
    Bytes(Vec<u8>),
}

impl Plan {
    /// Reads `commands`; `attempt` counts from 1.
    pub(crate) fn read(name: &str, commands: &str, attempt: usize) -> Self {
        let mut plan = Self {
            delay: Duration::ZERO,
            act: Act::Answer,
            status: 200,
            headers: vec![
                ("x-origin".into(), name.into()),
                ("x-from".into(), "origin".into()),
            ],
            body: format!("from {name}").into_bytes(),
            trailers: Vec::new(),
            unsized_body: false,
            cut: false,
            early: false,
            interim: None,
        };
        for command in commands.split(';').map(str::trim).filter(|c| !c.is_empty()) {
            plan.obey(command, attempt);
        }
        plan
    }

    fn obey(&mut self, command: &str, attempt: usize) {
        let (word, rest) = command.split_once(' ').unwrap_or((command, ""));
        let (first, second) = rest.split_once(' ').unwrap_or((rest, ""));
        let number = || first.parse::<usize>().unwrap_or(0);
        match word {
            // The first so many attempts only.
            "first" if attempt <= number() => self.obey(second, attempt),
            "first" => {}
            "status" => self.status = number() as u16,
            "delay" => self.delay = Duration::from_millis(number() as u64),
            "close" => self.act = Act::Close,
            "reset" => self.act = Act::Reset(number() as u32),
            "raw" => self.act = Act::Bytes(super::super::words::unescaped(rest)),
            "header" => self.headers.push((first.into(), second.into())),
            "trailer" => {
                self.trailers.push((first.into(), second.into()));
                self.unsized_body = true;
            }
            "body" => self.body = vec![b'b'; number()],
            "text" => self.body = rest.into(),
            "chunked" => self.unsized_body = true,
            "cut" => self.cut = true,
            "early" => self.early = true,
            "interim" => self.interim = Some(number() as u16),
            other => panic!("the recording servers do not know `{other}`"),
        }
    }
}

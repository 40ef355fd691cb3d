//! Bodies on the wire: where the data stands in a buffer (RFC 9112 §6.3 and §7.1).

use super::parse::{self, Limits, Refused};
use crate::data::http::fields::Fields;
use crate::data::http::head::Length;

/// Longest chunk-size line, extensions included.
const MAX_SIZE_LINE: usize = 4096;
/// Longest trailer block.
const MAX_TRAILERS: usize = 16 * 1024;
/// Most bytes of chunk extensions in one message.
const MAX_EXTENSIONS: usize = 16 * 1024;

/// Reads one body off a buffer. Pure: the caller owns the buffer and the socket.
#[derive(Debug, Default)]
pub enum Decoder {
    /// Nothing more comes.
    #[default]
    Done,
    /// That many bytes are still to come.
    Exactly(u64),
    /// Everything until the end of the connection.
    UntilClose,
    /// A chunk-size line is next; so many bytes of extensions came before.
    Size(usize),
    /// That many bytes of a chunk are still to come, then CRLF.
    Chunk(u64, usize),
    /// The CRLF after a chunk is next.
    ChunkEnd(usize),
    /// Trailers are next.
    Trailers,
}

/// What the start of a buffer holds.
#[derive(Debug, PartialEq)]
pub enum Step {
    /// Not enough to tell.
    More,
    /// So many bytes of framing, to be skipped; then ask again.
    Skip(usize),
    /// So many bytes of data.
    Data(usize),
    /// The end, after so many bytes of framing.
    End(usize, Option<Fields>),
}

impl Decoder {
    /// A decoder for a body of that length.
    pub fn new(length: Length) -> Self {
        match length {
            Length::Empty => Self::Done,
            Length::Exactly(bytes) => Self::Exactly(bytes),
            Length::Unknown => Self::Size(0),
            Length::UntilClose => Self::UntilClose,
        }
    }

    /// Whether the body has been read to its end.
    pub fn is_done(&self) -> bool {
        matches!(self, Self::Done | Self::Exactly(0))
    }

    /// Looks at `buffer`; `closed` says that nothing will be added to it.
    ///
    /// # Errors
    /// Bad chunk framing, or a connection that ended too early.
    pub fn step(&mut self, buffer: &[u8], closed: bool) -> Result<Step, Refused> {
        let step = match self {
            Self::Done | Self::Exactly(0) => Step::End(0, None),
            Self::UntilClose if buffer.is_empty() && closed => Step::End(0, None),
            Self::UntilClose if buffer.is_empty() => Step::More,
            Self::UntilClose => Step::Data(buffer.len()),
            Self::Exactly(left) | Self::Chunk(left, _) if !buffer.is_empty() => Step::Data(
                usize::try_from(*left)
                    .unwrap_or(usize::MAX)
                    .min(buffer.len()),
            ),
            Self::Exactly(_) | Self::Chunk(..) => Step::More,
            Self::Size(extensions) => {
                let extensions = *extensions;
                self.size_line(buffer, extensions)?
            }
            Self::ChunkEnd(extensions) => match buffer {
                [b'\r', b'\n', ..] => {
                    *self = Self::Size(*extensions);
                    Step::Skip(2)
                }
                [] | [b'\r'] => Step::More,
                _ => return Err(Refused::Malformed("end of chunk")),
            },
            Self::Trailers => self.trailers(buffer)?,
        };
        match step {
            Step::More if closed => Err(Refused::Malformed("connection ended within a body")),
            Step::End(..) => {
                *self = Self::Done;
                Ok(step)
            }
            Step::More | Step::Skip(_) | Step::Data(_) => Ok(step),
        }
    }

    /// Says that so many bytes of data were taken off the buffer.
    pub fn took(&mut self, bytes: usize) {
        let bytes = bytes as u64;
        match self {
            Self::Exactly(left) => *left -= bytes,
            Self::Chunk(left, extensions) => {
                *left -= bytes;
                if *left == 0 {
                    *self = Self::ChunkEnd(*extensions);
                }
            }
            Self::Done | Self::UntilClose | Self::Size(_) | Self::ChunkEnd(_) | Self::Trailers => {}
        }
    }

    fn size_line(&mut self, buffer: &[u8], extensions: usize) -> Result<Step, Refused> {
        let Some(line) = line(buffer, MAX_SIZE_LINE)? else {
            return Ok(Step::More);
        };
        let digits = line
            .iter()
            .take_while(|byte| byte.is_ascii_hexdigit())
            .count();
        let extension = &line[digits..];
        let extensions = extensions + extension.len();
        if digits == 0 || digits > 16 || !are_extensions(extension) || extensions > MAX_EXTENSIONS {
            return Err(Refused::Malformed("chunk size"));
        }
        let size = line[..digits]
            .iter()
            .fold(0u64, |sum, digit| sum << 4 | hex(*digit));
        *self = if size == 0 {
            Self::Trailers
        } else {
            Self::Chunk(size, extensions)
        };
        Ok(Step::Skip(line.len() + 2))
    }

    fn trailers(&mut self, buffer: &[u8]) -> Result<Step, Refused> {
        match buffer {
            [] | [b'\r'] => return Ok(Step::More),
            [b'\r', b'\n', ..] => return Ok(Step::End(2, None)),
            _ => {}
        }
        match parse::find_end(buffer, 0, MAX_TRAILERS)? {
            Some(end) => {
                let fields = parse::trailers(&buffer[..end], Limits::default())?;
                Ok(Step::End(end, Some(fields)))
            }
            None => Ok(Step::More),
        }
    }
}

/// The line at the start of `buffer` without its CRLF, if it is complete.
fn line(buffer: &[u8], limit: usize) -> Result<Option<&[u8]>, Refused> {
    match buffer.iter().take(limit).position(|byte| *byte == b'\n') {
        Some(at) if at > 0 && buffer[at - 1] == b'\r' => Ok(Some(&buffer[..at - 1])),
        Some(_) => Err(Refused::Malformed("bare line feed")),
        None if buffer.len() >= limit => Err(Refused::Malformed("chunk size line too long")),
        None => Ok(None),
    }
}

/// `*( ";" name [ "=" value ] )` with a token or quoted string as value; no blanks.
fn are_extensions(mut text: &[u8]) -> bool {
    while let Some(rest) = text.strip_prefix(b";") {
        let name = token(rest);
        if name == 0 {
            return false;
        }
        text = &rest[name..];
        if let Some(value) = text.strip_prefix(b"=") {
            let length = if value.first() == Some(&b'"') {
                quoted(value)
            } else {
                token(value)
            };
            if length == 0 {
                return false;
            }
            text = &value[length..];
        }
    }
    text.is_empty()
}

fn token(text: &[u8]) -> usize {
    text.iter()
        .take_while(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(b))
        .count()
}

/// Length of the quoted string at the start, quotes included; 0 when it is not one.
fn quoted(text: &[u8]) -> usize {
    let mut escaped = false;
    for (at, byte) in text.iter().enumerate().skip(1) {
        match byte {
            _ if byte.is_ascii_control() && *byte != b'\t' => return 0,
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    0
}

fn hex(digit: u8) -> u64 {
    u64::from(match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit - b'A' + 10,
    })
}

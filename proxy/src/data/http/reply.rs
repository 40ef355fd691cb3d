//! The way back to the client, whatever it speaks.

use super::body::{Broken, Outgoing};
use super::head::Response;
use super::{h1, h2};

/// Where the answer to one request goes.
#[derive(Debug)]
pub enum Reply<'a> {
    /// To an HTTP/1 client.
    H1(h1::server::Reply<'a>),
    /// To an HTTP/2 client.
    H2(h2::server::Reply),
}

impl<'a> Reply<'a> {
    /// Sends an interim response.
    ///
    /// # Errors
    /// When the client has gone.
    pub async fn interim(&mut self, response: &Response) -> Result<(), Broken> {
        match self {
            Self::H1(reply) => reply.interim(response).await,
            Self::H2(reply) => reply.interim(response),
        }
    }

    /// Begins the final response; its body goes to what is returned.
    ///
    /// # Errors
    /// When the client has gone.
    pub fn head(&mut self, response: &Response) -> Result<Outgoing<'a>, Broken> {
        match self {
            Self::H1(reply) => Ok(Outgoing::H1(reply.head(response))),
            Self::H2(reply) => reply.head(response).map(Outgoing::H2),
        }
    }
}

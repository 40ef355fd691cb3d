//! Netlink's encoding: messages of nested attributes, each aligned to four bytes.
//!
//! Source: Linux `include/uapi/linux/netlink.h`.

/// Marks an attribute that holds attributes.
const NESTED: u16 = 0x8000;

/// A request that wants an answer.
pub(super) const REQUEST: u16 = 0x01;
/// An answer also when all is well.
pub(super) const ACK: u16 = 0x04;
/// Replace what is there.
pub(super) const REPLACE: u16 = 0x100;
/// Make what is not there.
pub(super) const CREATE: u16 = 0x400;
/// At the end of a list.
pub(super) const APPEND: u16 = 0x800;

/// Length of a message's header.
pub(super) const HEADER: usize = 16;

/// One message under construction, or finished.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    bytes: Vec<u8>,
    /// What it does, for errors.
    pub(super) purpose: &'static str,
}

impl Message {
    /// A message of `kind` whose fixed part after the header is `family`.
    pub(super) fn new(kind: u16, flags: u16, purpose: &'static str, family: &[u8]) -> Self {
        let mut bytes = vec![0; HEADER];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes[6..8].copy_from_slice(&flags.to_ne_bytes());
        bytes.extend_from_slice(family);
        Self { bytes, purpose }
    }

    /// Adds attributes.
    pub(super) fn with(mut self, fill: impl FnOnce(&mut Attributes<'_>)) -> Self {
        fill(&mut Attributes(&mut self.bytes));
        self
    }

    /// Whether the kernel will answer it.
    pub(super) fn wants_answer(&self) -> bool {
        u16::from_ne_bytes([self.bytes[6], self.bytes[7]]) & ACK != 0
    }

    /// The bytes, numbered `sequence` so that an answer can be told.
    pub(super) fn numbered(&self, sequence: u32) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        let length = u32::try_from(bytes.len()).expect("a message is far below 4 GiB");
        bytes[..4].copy_from_slice(&length.to_ne_bytes());
        bytes[8..12].copy_from_slice(&sequence.to_ne_bytes());
        bytes
    }
}

/// Where attributes are appended.
#[derive(Debug)]
pub(super) struct Attributes<'a>(&'a mut Vec<u8>);

impl Attributes<'_> {
    pub(super) fn bytes(&mut self, kind: u16, payload: &[u8]) {
        self.scoped(kind, |inner| inner.0.extend_from_slice(payload));
    }

    /// Text with the zero byte that the kernel wants.
    pub(super) fn text(&mut self, kind: u16, text: &str) {
        self.scoped(kind, |inner| {
            inner.0.extend_from_slice(text.as_bytes());
            inner.0.push(0);
        });
    }

    /// A number in network order, as nftables has all of its numbers.
    pub(super) fn number(&mut self, kind: u16, number: u32) {
        self.bytes(kind, &number.to_be_bytes());
    }

    pub(super) fn nested(&mut self, kind: u16, fill: impl FnOnce(&mut Attributes<'_>)) {
        self.scoped(kind | NESTED, fill);
    }

    fn scoped(&mut self, kind: u16, fill: impl FnOnce(&mut Attributes<'_>)) {
        let start = self.0.len();
        self.0.extend_from_slice(&[0, 0]);
        self.0.extend_from_slice(&kind.to_ne_bytes());
        fill(&mut Attributes(self.0));
        let length = u16::try_from(self.0.len() - start).expect("our attributes are short");
        self.0[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        self.0.resize(self.0.len().next_multiple_of(4), 0);
    }
}

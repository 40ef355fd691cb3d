//! Access logs: Envoy's `%COMMANDS%` compiled once, lines written by a thread that nobody waits for.

mod field;
mod record;
mod template;
mod writer;

pub use record::{HttpRecord, Record, UpstreamRecord};
pub use template::{BadTemplate, Template};
pub(super) use writer::Logs;

use crate::config::LogFormat;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use template::Format;

/// One worker's compiled formats, by the address of their text.
#[derive(Debug, Default)]
pub(super) struct Templates(RefCell<HashMap<usize, (LogFormat, Rc<Format>)>>);

impl Templates {
    /// The line that `format` makes of `record`, with its line feed.
    pub(super) fn line(&self, format: &LogFormat, record: &Record<'_>) -> String {
        self.compiled(format).line(record)
    }

    pub(super) fn forget(&self) {
        self.0.borrow_mut().clear();
    }

    fn compiled(&self, format: &LogFormat) -> Rc<Format> {
        let address = match format {
            LogFormat::Text(text) => text.as_ptr().addr(),
            LogFormat::Json(fields) => fields.as_ptr().addr(),
        };
        let mut known = self.0.borrow_mut();
        // The entry holds the text, so that its address cannot be used again meanwhile.
        let (_, compiled) = known
            .entry(address)
            .or_insert_with(|| (format.clone(), Rc::new(Format::compile(format))));
        Rc::clone(compiled)
    }
}

#[cfg(test)]
mod tests;

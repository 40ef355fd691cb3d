//! What all HTTP connections of one worker share.

use super::buffers::Buffers;
use super::route::Table;
use crate::config::{Config, RouteTable, Routes};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Buffers, indexed route tables and the time as a header.
#[derive(Debug, Default)]
pub struct Shared {
    /// Free buffers.
    pub buffers: Rc<Buffers>,
    tables: RefCell<HashMap<Arc<str>, Rc<Table>>>,
    date: RefCell<(u64, String)>,
}

impl Shared {
    /// The route table that `routes` names; `None` when `config` has none of that name.
    pub fn table(&self, routes: &Routes, config: &Config) -> Option<Rc<Table>> {
        let current = match routes {
            Routes::Named(name) => config.routes.get(name)?,
            Routes::Inline(table) => table,
        };
        Some(self.indexed(current))
    }

    fn indexed(&self, current: &Arc<RouteTable>) -> Rc<Table> {
        let mut tables = self.tables.borrow_mut();
        if let Some(known) = tables.get(&current.name)
            && Arc::ptr_eq(&known.config, current)
        {
            return Rc::clone(known);
        }
        let table = Table::new(Arc::clone(current));
        tables.insert(Arc::clone(&current.name), Rc::clone(&table));
        table
    }

    /// Calls `with` with the value of a `date` header.
    pub fn with_date<T>(&self, with: impl FnOnce(&[u8]) -> T) -> T {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |time| time.as_secs());
        let mut date = self.date.borrow_mut();
        if date.0 != now || date.1.is_empty() {
            *date = (now, imf_fixdate(now));
        }
        with(date.1.as_bytes())
    }
}

/// RFC 9110 §5.6.7.
fn imf_fixdate(seconds: u64) -> String {
    let seconds = i64::try_from(seconds).unwrap_or_default();
    let time = jiff::Timestamp::from_second(seconds).unwrap_or_default();
    time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_written_as_http_wants_it() {
        assert_eq!(imf_fixdate(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
    }
}

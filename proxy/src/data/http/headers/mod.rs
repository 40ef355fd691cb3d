//! What the proxy itself adds to and removes from heads.

mod edit;
mod forwarded;
mod path;
mod xfcc;

pub use edit::{Values, apply};
pub use forwarded::{prepare, underscores};
pub use path::{Escaped, normalize};
pub use xfcc::{element, forward};

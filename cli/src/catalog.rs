//! The kinds this program knows.

use engine::Catalog;

/// Every kind, in the order of the manual.
pub(crate) fn catalog() -> Catalog {
    Catalog::new(&[operators::CATALOG])
}

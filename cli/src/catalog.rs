//! The kinds this program knows.

use std::sync::OnceLock;

use engine::{Catalog, Kind};

/// Kinds that the program was built with besides those that are built in. Set before anything
/// else happens, and the same for everybody.
static OWN: OnceLock<Vec<&'static Kind>> = OnceLock::new();

/// The kinds of every crate that supplies some, in the order of the manual.
const BUILT_IN: &[&[&Kind]] = &[operators::CATALOG, model::CATALOG];

/// Adds kinds for good.
pub(crate) fn add(own: &[&'static Kind]) {
    let built_in = Catalog::new(BUILT_IN);
    for (number, kind) in own.iter().enumerate() {
        let name = kind.name;
        let is_taken = built_in.find(name).is_some()
            || own[..number].iter().any(|earlier| earlier.name == name);
        assert!(!is_taken, "there is another kind called `{name}`");
    }
    assert!(OWN.set(own.to_vec()).is_ok(), "kinds are added once");
}

/// Every kind, in the order of the manual; one's own come last.
pub(crate) fn catalog() -> Catalog {
    let own = OWN.get().map_or(&[][..], Vec::as_slice);
    Catalog::new(&[BUILT_IN, &[own]].concat())
}

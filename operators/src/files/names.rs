//! Names of channels, each of its own.

use std::collections::HashMap;

/// Gives a number to every name that occurred before: `ecg`, `ecg_2`, `ecg_3`. Of two channels of
/// one name nobody could ask for the second.
pub(crate) fn make_unique<'a>(names: impl Iterator<Item = &'a mut String>) {
    // Each name that is taken, and the last number that was given to it.
    let mut taken: HashMap<String, u32> = HashMap::new();
    for name in names {
        let first = name.clone();
        while taken.contains_key(name) {
            let last = taken.entry(first.clone()).or_insert(1);
            *last += 1;
            *name = format!("{first}_{last}");
        }
        taken.insert(name.clone(), 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_occurs_once() {
        let mut names = ["ecg", "ecg_2", "ecg", "ecg", "v5"].map(str::to_owned);
        make_unique(names.iter_mut());
        assert_eq!(names, ["ecg", "ecg_2", "ecg_3", "ecg_4", "v5"]);
    }
}

//! Atoms become stages: by depth first, then across depths where nothing lies between.

use std::collections::HashSet;

use super::order::Ends;

/// Atoms on their way into stages: sets with the edges that leave them.
pub(super) struct Merging {
    parent: Vec<usize>,
    /// Consumers of each set, as atoms, and whether the edge is cut.
    out: Vec<Vec<(usize, bool)>>,
}

/// Edges looked at in all when stages of different depth are joined. Beyond, graphs are cut a
/// little finer than they need be; without a limit, thousands of stages could take minutes.
const LOOKS_MAX: usize = 4_000_000;

impl Merging {
    pub(super) fn new(order: &[usize], ends: &[Ends], cuts: &[bool]) -> Self {
        let count = order.len();
        let mut out = vec![Vec::new(); count];
        for (&(from, to), &cut) in ends.iter().zip(cuts) {
            out[from].push((to, cut));
        }
        let mut depth = vec![0_usize; count];
        for &atom in order {
            for &(to, cut) in &out[atom] {
                depth[to] = depth[to].max(depth[atom] + usize::from(cut));
            }
        }
        let mut this = Self { parent: (0..count).collect(), out };
        let mut later = Vec::new();
        for (&(from, to), _) in ends.iter().zip(cuts).filter(|&(_, &cut)| !cut) {
            if depth[from] == depth[to] {
                this.unite(from, to);
            } else {
                later.push((from, to));
            }
        }
        this.join_across_depths(&later);
        this
    }

    /// The set an atom is in, by one of its atoms.
    pub(super) fn find(&mut self, mut atom: usize) -> usize {
        while self.parent[atom] != atom {
            self.parent[atom] = self.parent[self.parent[atom]];
            atom = self.parent[atom];
        }
        atom
    }

    fn unite(&mut self, a: usize, b: usize) {
        let (a, b) = (self.find(a), self.find(b));
        if a == b {
            return;
        }
        let (keep, give) = if self.out[a].len() >= self.out[b].len() { (a, b) } else { (b, a) };
        self.parent[give] = keep;
        let given = std::mem::take(&mut self.out[give]);
        self.out[keep].extend(given);
    }

    fn join_across_depths(&mut self, edges: &[Ends]) {
        let mut looks = 0;
        let mut refused = HashSet::new();
        let mut seen = vec![usize::MAX; self.parent.len()];
        for (attempt, &(from, to)) in edges.iter().enumerate() {
            let pair = (self.find(from), self.find(to));
            if pair.0 == pair.1 || refused.contains(&pair) {
                continue;
            }
            if looks > LOOKS_MAX {
                return;
            }
            if self.only_directly(pair, &mut seen, attempt, &mut looks) {
                self.unite(pair.0, pair.1);
            } else {
                // Paths only become more, so a refusal stands.
                refused.insert(pair);
            }
        }
    }

    /// Whether every path from one set to the other is a single edge, and none is cut.
    fn only_directly(
        &mut self,
        (from, to): Ends,
        seen: &mut [usize],
        attempt: usize,
        looks: &mut usize,
    ) -> bool {
        let mut open = vec![from];
        seen[from] = attempt;
        while let Some(set) = open.pop() {
            for edge in 0..self.out[set].len() {
                *looks += 1;
                let (next, cut) = self.out[set][edge];
                let next = self.find(next);
                if next == to && (set != from || cut) {
                    return false;
                }
                if next != to && seen[next] != attempt {
                    seen[next] = attempt;
                    open.push(next);
                }
            }
        }
        true
    }
}

use engine::{Arrow, BoxOf, PictureBox, PictureEdge, PictureNode};

use super::*;

/// Numbers from a seed, the same everywhere.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) as usize % limit.max(1)
    }
}

/// Any picture: boxes in boxes, nodes anywhere, edges from earlier nodes to later ones.
fn picture(seed: u64) -> Picture {
    let mut dice = Dice(seed);
    let mut picture = Picture::default();
    for number in 0..dice.below(5) {
        let within = (dice.below(2) == 0 && number > 0).then(|| dice.below(number));
        let label = format!("box {number} ({}.toml)", "x".repeat(dice.below(12)));
        picture.boxes.push(PictureBox { label, is: BoxOf::Include, within });
    }
    for number in 0..=dice.below(14) {
        let within = (dice.below(3) > 0 && !picture.boxes.is_empty())
            .then(|| dice.below(picture.boxes.len()));
        let from: Vec<usize> = (0..dice.below(4).min(number)).map(|_| dice.below(number)).collect();
        for &from in &from {
            let output = (dice.below(3) == 0).then(|| format!("n{from}.other"));
            let format = format!("{} ch mV @ 250 Hz × 5", dice.below(3));
            let edge = PictureEdge { from, to: number, output, format, by: Arrow::Plain };
            picture.edges.push(edge);
        }
        picture.nodes.push(PictureNode {
            name: format!("node_{}", "n".repeat(dice.below(9))),
            kind: "bandpass",
            is_source: from.is_empty(),
            is_sink: false,
            within,
        });
    }
    picture
}

fn overlap(a: Rect, b: Rect) -> bool {
    a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height
}

fn contains(outer: Rect, inner: Rect) -> bool {
    outer.x <= inner.x
        && outer.y <= inner.y
        && inner.x + inner.width <= outer.x + outer.width
        && inner.y + inner.height <= outer.y + outer.height
}

/// The room that a label takes.
fn room(label: &Label) -> Rect {
    let width = text_width(&label.text, LABEL_PX);
    Rect { x: label.x, y: label.y - LABEL_PX + 1.0, width, height: LABEL_PX }
}

#[test]
fn nothing_overlaps_and_all_is_where_it_belongs() {
    for seed in 0..400 {
        let picture = picture(seed);
        let layout = layout(&picture);
        let whole = Rect { x: 0.0, y: 0.0, width: layout.width, height: layout.height };
        let is_in = |node: usize, number: usize| {
            let mut next = picture.nodes[node].within;
            while let Some(within) = next {
                if within == number {
                    return true;
                }
                next = picture.boxes[within].within;
            }
            false
        };
        for (number, &rect) in layout.nodes.iter().enumerate() {
            assert!(contains(whole, rect), "seed {seed}: node {number} {rect:?}");
            for (other, &next) in layout.nodes.iter().enumerate().skip(number + 1) {
                assert!(!overlap(rect, next), "seed {seed}: nodes {number} and {other}");
            }
            for (around, &outer) in layout.boxes.iter().enumerate().filter(|(_, it)| it.width > 0.0)
            {
                match is_in(number, around) {
                    true => assert!(contains(outer, rect), "seed {seed}: {number} in {around}"),
                    false => {
                        assert!(!overlap(outer, rect), "seed {seed}: {number} not in {around}")
                    }
                }
            }
        }
        let rooms: Vec<Rect> = layout.labels.iter().map(room).collect();
        for (number, &label) in rooms.iter().enumerate() {
            assert!(contains(whole, label), "seed {seed}: label {number}");
            let others = rooms[number + 1..].iter().chain(&layout.nodes);
            for &other in others {
                assert!(!overlap(label, other), "seed {seed}: label {number} {label:?} {other:?}");
            }
        }
    }
}

/// An edge is level where there may be nodes, and those levels cross none of them.
#[test]
fn edges_cross_no_node() {
    for seed in 0..400 {
        let picture = picture(seed);
        let layout = layout(&picture);
        for (number, points) in layout.edges.iter().enumerate() {
            assert!(
                points.windows(2).all(|pair| pair[0].0 <= pair[1].0),
                "seed {seed}: to the right"
            );
            for level in points.chunks_exact(2) {
                let (begin, end) = (level[0], level[1]);
                assert_eq!(begin.1.to_bits(), end.1.to_bits(), "seed {seed}: level");
                let line = Rect { x: begin.0, y: begin.1, width: end.0 - begin.0, height: 0.1 };
                for (node, &rect) in layout.nodes.iter().enumerate() {
                    let is_end = node == picture.edges[number].from;
                    assert!(
                        is_end || !overlap(line, rect),
                        "seed {seed}: edge {number}, node {node}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_chain_is_a_line() {
    let node = |name: &str, is_source| PictureNode {
        name: name.to_owned(),
        kind: "copy",
        is_source,
        is_sink: false,
        within: None,
    };
    let edge = |from, to| PictureEdge {
        from,
        to,
        output: None,
        format: "1 ch".to_owned(),
        by: Arrow::Plain,
    };
    let picture = Picture {
        boxes: Vec::new(),
        nodes: vec![node("a", true), node("b", false), node("c", false)],
        edges: vec![edge(0, 1), edge(1, 2)],
    };

    let layout = layout(&picture);

    let middle = |rect: &Rect| rect.y + rect.height / 2.0;
    assert!(layout.nodes.windows(2).all(|pair| middle(&pair[0]) == middle(&pair[1])), "{layout:?}");
}

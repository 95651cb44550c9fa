//! Where boxes, nodes and arrows of a picture stand: columns from left to right, in which nothing overlaps.
//!
//! A node stands in the column behind those of all its producers (longest path), a source right before
//! its first consumer. A column has room for its nodes and, to their right, for what their outputs carry.
//! An edge over several columns passes each in a row of its own, in the innermost box around both its
//! ends, so that it crosses no node. Box by box, from the inside, things are put into the first row that is free in all of
//! their columns, not above what leads to them.
//!
//! ```text
//!   column 0              gap    column 1              gap
//! ┌──────────────────────┐     ┌──────────────────────┐
//! │ [node]  label ────── ╪ ~~~ ╪ [node]  label ────── ╪ ~~~
//! │ (an edge that passes)╪─────╪──────────────────────╪ ~~~
//! ```

use std::collections::BTreeMap;

use engine::Picture;

use super::short;

/// A rectangle, from its upper left corner.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Rect {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// What an output carries, written to the right of its node.
#[derive(Clone, Debug)]
pub(super) struct Label {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) text: String,
    /// All of it.
    pub(super) title: String,
}

/// A picture with places.
#[derive(Debug, Default)]
pub(super) struct Layout {
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) boxes: Vec<Rect>,
    pub(super) nodes: Vec<Rect>,
    pub(super) labels: Vec<Label>,
    /// Of each edge the points it goes through: level between the first and second of each pair,
    /// curved from there to the next.
    pub(super) edges: Vec<Vec<(f64, f64)>>,
}

pub(super) const NAME_PX: f64 = 13.0;
pub(super) const LABEL_PX: f64 = 11.0;
/// Above what stands in a box, for its title.
pub(super) const TITLE_PX: f64 = 24.0;
const PAD_PX: f64 = 12.0;
const ROW_GAP_PX: f64 = 14.0;
const CURVE_PX: f64 = 44.0;
/// A row of an edge that passes, or of one output of a node.
const LINE_PX: f64 = 20.0;

/// Columns that a text takes, at least: letters are as wide as in a wide face.
pub(super) fn text_width(text: &str, size_px: f64) -> f64 {
    let wide = |c: char| if u32::from(c) < 0x1100 { 0.58 } else { 1.0 };
    text.chars().map(wide).sum::<f64>() * size_px
}

/// What leaves a node by one output, for one or several consumers.
#[derive(Debug)]
struct Outlet {
    text: String,
    title: String,
    edges: Vec<usize>,
}

/// Something that is put into rows: a node, a box with what is in it, an edge that passes.
#[derive(Debug)]
struct Item {
    is: Is,
    /// First and last column.
    columns: (usize, usize),
    height: f64,
    /// Of what is inside: the middle, from the top of the item.
    inside: BTreeMap<Is, f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Is {
    Box(usize),
    Node(usize),
    /// An edge and the column that it passes.
    Pass(usize, usize),
}

pub(super) fn layout(picture: &Picture) -> Layout {
    let columns = columns(picture);
    let outlets = outlets(picture);
    let mut entering: Vec<Vec<usize>> = picture.nodes.iter().map(|_| Vec::new()).collect();
    for (number, edge) in picture.edges.iter().enumerate() {
        entering[edge.to].push(number);
    }
    let drawing = Drawing { picture, columns: &columns, outlets: &outlets, entering: &entering };
    let whole = drawing.container(None);
    drawing.placed(&whole)
}

/// The column of each node.
fn columns(picture: &Picture) -> Vec<usize> {
    let mut columns = vec![0; picture.nodes.len()];
    // Producers come before consumers, and edges in the order of these.
    let mut edges: Vec<_> = picture.edges.iter().map(|edge| (edge.to, edge.from)).collect();
    edges.sort_unstable();
    for (to, from) in &edges {
        columns[*to] = columns[*to].max(columns[*from] + 1);
    }
    for (number, _) in picture.nodes.iter().enumerate().filter(|(_, node)| node.is_source) {
        let consumers = edges.iter().filter(|(_, from)| *from == number);
        let first = consumers.map(|(to, _)| columns[*to]).min();
        columns[number] = first.map_or(0, |first| first - 1);
    }
    columns
}

/// What leaves each node, in the order of its edges.
fn outlets(picture: &Picture) -> Vec<Vec<Outlet>> {
    let mut outlets: Vec<Vec<Outlet>> = picture.nodes.iter().map(|_| Vec::new()).collect();
    for (number, edge) in picture.edges.iter().enumerate() {
        let carried = short(&edge.format);
        let (text, title) = match &edge.output {
            Some(output) => (format!("{output}: {carried}"), format!("{output}: {}", edge.format)),
            None => (carried, edge.format.clone()),
        };
        let of_node = &mut outlets[edge.from];
        match of_node.iter_mut().find(|outlet| outlet.title == title) {
            Some(outlet) => outlet.edges.push(number),
            None => of_node.push(Outlet { text, title, edges: vec![number] }),
        }
    }
    outlets
}

struct Drawing<'a> {
    picture: &'a Picture,
    columns: &'a [usize],
    outlets: &'a [Vec<Outlet>],
    /// Edges into each node.
    entering: &'a [Vec<usize>],
}

impl Drawing<'_> {
    fn node_height(&self, node: usize) -> f64 {
        let entering = self.entering[node].len();
        let lines = if self.has_kind(node) { 40.0 } else { 30.0 };
        let leaving = self.outlets[node].len() as f64 * LINE_PX;
        leaving.max(entering as f64 * 9.0).max(lines)
    }

    fn has_kind(&self, node: usize) -> bool {
        let node = &self.picture.nodes[node];
        node.kind != node.name
    }

    fn node_width(&self, node: usize) -> f64 {
        let node = &self.picture.nodes[node];
        let name = text_width(&node.name, NAME_PX) * 1.08;
        name.max(text_width(node.kind, LABEL_PX)).max(34.0) + 26.0
    }

    /// Boxes around a node, the outermost first.
    fn around(&self, node: usize) -> Vec<usize> {
        let mut around = Vec::new();
        let mut next = self.picture.nodes[node].within;
        while let Some(number) = next {
            around.push(number);
            next = self.picture.boxes[number].within;
        }
        around.reverse();
        around
    }

    /// The innermost box around both ends of an edge.
    fn home(&self, edge: usize) -> Option<usize> {
        let edge = &self.picture.edges[edge];
        let (from, to) = (self.around(edge.from), self.around(edge.to));
        from.iter().zip(&to).take_while(|(a, b)| a == b).last().map(|(a, _)| *a)
    }

    /// What stands in a box, or in none, as one item.
    fn container(&self, number: Option<usize>) -> Item {
        let mut items = Vec::new();
        for (inner, known) in self.picture.boxes.iter().enumerate() {
            if known.within == number {
                let item = self.container(Some(inner));
                // A box without nodes is no box.
                items.extend((!item.inside.is_empty()).then_some(item));
            }
        }
        for (node, known) in self.picture.nodes.iter().enumerate() {
            if known.within == number {
                let column = self.columns[node];
                items.push(self.item(Is::Node(node), column, self.node_height(node)));
            }
        }
        for (edge, known) in self.picture.edges.iter().enumerate() {
            if self.home(edge) == number {
                let between = self.columns[known.from] + 1..self.columns[known.to];
                items.extend(
                    between.map(|column| self.item(Is::Pass(edge, column), column, LINE_PX)),
                );
            }
        }
        self.stacked(number, items)
    }

    fn item(&self, is: Is, column: usize, height: f64) -> Item {
        let inside = BTreeMap::from([(is, height / 2.0)]);
        Item { is, columns: (column, column), height, inside }
    }

    /// Puts items into rows, column by column.
    fn stacked(&self, number: Option<usize>, mut items: Vec<Item>) -> Item {
        let (title, pad) = if number.is_some() { (TITLE_PX, PAD_PX) } else { (0.0, 0.0) };
        let first = items.iter().map(|item| item.columns.0).min().unwrap_or(0);
        let last = items.iter().map(|item| item.columns.1).max().unwrap_or(0);
        let mut free = vec![title + pad; last - first + 1];
        let mut inside: BTreeMap<Is, f64> = BTreeMap::new();
        items.sort_by_key(|item| item.columns.0);
        let mut rest = items;
        while let Some(next) = rest.first() {
            let column = next.columns.0;
            let count = rest.iter().take_while(|item| item.columns.0 == column).count();
            let mut here: Vec<Item> = rest.drain(..count).collect();
            let wanted = |item: &Item| self.wanted(item, &inside);
            // What nothing leads to goes last, in the order of the graph.
            let rank = |item: &Item| wanted(item).unwrap_or(f64::MAX);
            here.sort_by(|a, b| rank(a).total_cmp(&rank(b)));
            for item in here {
                let range = item.columns.0 - first..=item.columns.1 - first;
                let top = free[range.clone()].iter().copied().fold(0.0, f64::max);
                let top = wanted_top(&item, &inside, self).map_or(top, |wanted| wanted.max(top));
                for row in &mut free[range] {
                    *row = top + item.height + ROW_GAP_PX;
                }
                inside.extend(item.inside.iter().map(|(is, middle)| (*is, top + middle)));
                if let Is::Box(inner) = item.is {
                    inside.insert(Is::Box(inner), top);
                }
            }
        }
        let bottom = free.iter().copied().fold(0.0, f64::max) - ROW_GAP_PX;
        let is = number.map_or(Is::Box(usize::MAX), Is::Box);
        Item { is, columns: (first, last), height: bottom + pad, inside }
    }

    /// The middle that an item would have were all that leads to it level.
    fn wanted(&self, item: &Item, placed: &BTreeMap<Is, f64>) -> Option<f64> {
        wanted_top(item, placed, self).map(|top| top + item.height / 2.0)
    }

    /// What comes right before an end of an edge: what it passes last, or its producer.
    fn before(&self, edge: usize, column: usize) -> Is {
        let known = &self.picture.edges[edge];
        match column {
            column if column > self.columns[known.from] + 1 => Is::Pass(edge, column - 1),
            _ => Is::Node(known.from),
        }
    }

    fn placed(&self, whole: &Item) -> Layout {
        let count = whole.columns.1 + 1;
        let depth = (0..self.picture.nodes.len()).map(|node| self.around(node).len()).max();
        let depth = depth.unwrap_or(0) as f64;
        let gap = CURVE_PX + 2.0 * PAD_PX * depth;
        let (mut nodes_px, mut labels_px) = (vec![0.0_f64; count], vec![0.0_f64; count]);
        for (node, column) in self.columns.iter().enumerate() {
            nodes_px[*column] = nodes_px[*column].max(self.node_width(node));
            for outlet in &self.outlets[node] {
                labels_px[*column] =
                    labels_px[*column].max(text_width(&outlet.text, LABEL_PX) + 14.0);
            }
        }
        let margin = 16.0;
        let mut left = Vec::with_capacity(count);
        let mut x = margin + PAD_PX * depth;
        for column in 0..count {
            left.push(x);
            x += nodes_px[column] + labels_px[column] + gap;
        }
        let right = |column: usize| left[column] + nodes_px[column] + labels_px[column];
        let mut layout = Layout {
            width: x - gap + PAD_PX * depth + margin,
            height: whole.height + 2.0 * margin,
            ..Layout::default()
        };
        let y = |is: Is| margin + whole.inside[&is];
        for node in 0..self.picture.nodes.len() {
            let height = self.node_height(node);
            layout.nodes.push(Rect {
                x: left[self.columns[node]],
                y: y(Is::Node(node)) - height / 2.0,
                width: nodes_px[self.columns[node]],
                height,
            });
        }
        self.rects(whole, &left, margin, &mut layout);
        self.lines(&left, &right, &y, &mut layout);
        layout
    }

    /// Boxes around what stands in them.
    fn rects(&self, whole: &Item, left: &[f64], margin: f64, layout: &mut Layout) {
        // Of each box its nodes, and how many boxes are around those within it.
        let mut members: Vec<Vec<(usize, usize)>> = vec![Vec::new(); self.picture.boxes.len()];
        for node in 0..self.picture.nodes.len() {
            let around = self.around(node);
            for (depth, &number) in around.iter().enumerate() {
                members[number].push((node, around.len() - 1 - depth));
            }
        }
        for (number, members) in members.iter().enumerate() {
            let Some(top) = whole.inside.get(&Is::Box(number)) else {
                layout.boxes.push(Rect::default());
                continue;
            };
            let inner = members.iter().map(|(_, depth)| *depth).max().unwrap_or(0) as f64;
            let pad = PAD_PX * (inner + 1.0);
            let columns = members.iter().map(|(node, _)| self.columns[*node]);
            let first = columns.min().unwrap_or(0);
            // What the outputs of its last nodes carry is written within the box, too.
            let ends = members.iter().map(|&(node, _)| {
                let labels = self.outlets[node].iter();
                let labels = labels.map(|outlet| text_width(&outlet.text, LABEL_PX) + 14.0);
                let rect = layout.nodes[node];
                rect.x + rect.width + labels.fold(0.0, f64::max)
            });
            let right = ends.fold(0.0, f64::max);
            let height = self.container(Some(number)).height;
            let x = left[first] - pad;
            // A title is not cut off by its box.
            let title = text_width(&self.picture.boxes[number].label, LABEL_PX) + 2.0 * PAD_PX;
            let width = (right + pad - x).max(title);
            layout.boxes.push(Rect { x, y: margin + top, width, height });
        }
    }

    /// Arrows, and what outputs carry.
    fn lines(
        &self,
        left: &[f64],
        right: &dyn Fn(usize) -> f64,
        y: &dyn Fn(Is) -> f64,
        layout: &mut Layout,
    ) {
        let mut begins = vec![(0.0, 0.0); self.picture.edges.len()];
        for (node, outlets) in self.outlets.iter().enumerate() {
            let rect = layout.nodes[node];
            for (number, outlet) in outlets.iter().enumerate() {
                let at = (number as f64 + 0.5) / outlets.len() as f64;
                let begin = (rect.x + rect.width, rect.y + rect.height * at);
                outlet.edges.iter().for_each(|&edge| begins[edge] = begin);
                let (text, title) = (outlet.text.clone(), outlet.title.clone());
                layout.labels.push(Label { x: begin.0 + 6.0, y: begin.1 - 4.0, text, title });
            }
        }
        let mut ends = vec![0.0; self.picture.edges.len()];
        for node in 0..self.picture.nodes.len() {
            let mut entering = self.entering[node].clone();
            let from = |edge: usize| match self.before(edge, self.columns[node]) {
                Is::Node(_) => begins[edge].1,
                pass => y(pass),
            };
            entering.sort_by(|&a, &b| from(a).total_cmp(&from(b)));
            let rect = layout.nodes[node];
            for (number, &edge) in entering.iter().enumerate() {
                ends[edge] = rect.y + rect.height * (number as f64 + 0.5) / entering.len() as f64;
            }
        }
        for (number, edge) in self.picture.edges.iter().enumerate() {
            let (from, to) = (self.columns[edge.from], self.columns[edge.to]);
            let (x, begin_y) = begins[number];
            let mut points = vec![(x, begin_y), (right(from), begin_y)];
            points.extend((from + 1..to).flat_map(|column| {
                let level = y(Is::Pass(number, column));
                [(left[column], level), (right(column), level)]
            }));
            points.push((left[to], ends[number]));
            layout.edges.push(points);
        }
    }
}

/// The highest top of an item at which something that leads to it is level.
fn wanted_top(item: &Item, placed: &BTreeMap<Is, f64>, drawing: &Drawing<'_>) -> Option<f64> {
    // Where edges enter the item, each with what comes before.
    let enters = |inner: &Is| match *inner {
        Is::Pass(edge, column) => vec![drawing.before(edge, column)],
        Is::Node(node) => {
            let edges = drawing.entering[node].iter();
            edges.map(|&edge| drawing.before(edge, drawing.columns[node])).collect()
        }
        Is::Box(_) => Vec::new(),
    };
    let tops = item.inside.iter().flat_map(|(inner, middle)| {
        let levels = enters(inner).into_iter().filter_map(|before| placed.get(&before));
        levels.map(move |level| level - middle)
    });
    tops.reduce(f64::min)
}

#[cfg(test)]
mod tests;

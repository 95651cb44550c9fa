//! [`Hello`]: what a side says first.

use super::{
    WireError,
    bytes::{Cursor, put_text},
    message::place,
};

/// Most cut edges between two hosts, all sessions together.
pub const EDGES_MAX: usize = 4_096;
/// Most properties of one edge's format: a signal has two per channel.
const PROPERTIES_MAX: usize = 8_192;
const TEXT_MAX: usize = 1_024;
/// The addition with the edges' countings, 8 bytes each in the order of the edges.
const COUNTS: u16 = 1;
/// Longest record of a control message; only a hello comes near it.
pub const CONTROL_MAX: usize = 4 << 20;

/// Who a side is, which graph it runs, and which edges it has. Its layout is the same in all
/// versions, as versions are agreed with it: what came later is added at the end, each addition with a
/// number (u16) and its length (u32), and who does not know the number reads on behind it.
#[derive(Clone, Debug, PartialEq)]
pub struct Hello {
    /// The newest version it reads; it writes no newer one than the other side reads.
    pub newest: u8,
    /// The oldest version it reads.
    pub oldest: u8,
    /// Hash of the graph file.
    pub graph: [u8; 16],
    /// The session, chosen by who called first: edges go on where they were if it is known.
    pub session: [u8; 16],
    /// Differs each time the process starts: what it knew of the session, it knows no more.
    pub life: u64,
    /// The cut edges, in the order of their numbers.
    pub edges: Vec<HelloEdge>,
}

/// One cut edge as a side sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct HelloEdge {
    /// `producer -> consumer`, in the graph's words.
    pub name: String,
    /// Whether this side takes the frames in.
    pub receives: bool,
    /// Whether nothing may be lost.
    pub durable: bool,
    /// For who takes the frames in: the first place that it has not, or has not noted to have. For
    /// who sends them: the first that it still has.
    pub next: u64,
    /// Which counting `next` belongs to: it outlives a process where there is a spool. 0 for who takes
    /// frames in and has never heard of any; `None` in a hello that does not say.
    pub count: Option<u64>,
    /// The format as properties with values, see [`describe`](engine::describe).
    pub format: Vec<(String, String)>,
}

impl Hello {
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[self.newest, self.oldest]);
        out.extend_from_slice(&self.graph);
        out.extend_from_slice(&self.session);
        out.extend_from_slice(&self.life.to_le_bytes());
        out.extend_from_slice(&(self.edges.len() as u16).to_le_bytes());
        for edge in &self.edges {
            put_text(out, &edge.name);
            out.push(u8::from(edge.receives) | u8::from(edge.durable) << 1);
            out.extend_from_slice(&edge.next.to_le_bytes());
            out.extend_from_slice(&(edge.format.len() as u16).to_le_bytes());
            for (property, value) in &edge.format {
                put_text(out, property);
                put_text(out, value);
            }
        }
        if self.edges.iter().all(|edge| edge.count.is_some()) {
            out.extend_from_slice(&COUNTS.to_le_bytes());
            out.extend_from_slice(&(self.edges.len() as u32 * 8).to_le_bytes());
            for count in self.edges.iter().filter_map(|edge| edge.count) {
                out.extend_from_slice(&count.to_le_bytes());
            }
        }
    }

    pub(crate) fn read(cursor: &mut Cursor<'_>) -> Result<Self, WireError> {
        let [newest, oldest] = cursor.array()?;
        let (graph, session, life) = (cursor.array()?, cursor.array()?, cursor.u64()?);
        let count = at_most("the number of edges", cursor.u16()?.into(), EDGES_MAX)?;
        // Lists grow with what is there, not with what is announced.
        let mut edges = Vec::new();
        for _ in 0..count {
            edges.push(read_edge(cursor)?);
        }
        while !cursor.rest().is_empty() {
            let (number, len) = (cursor.u16()?, cursor.u32()? as usize);
            let addition = cursor.take(len)?;
            if number == COUNTS {
                read_counts(addition, &mut edges)?;
            }
        }
        Ok(Self { newest, oldest, graph, session, life, edges })
    }
}

fn read_edge(cursor: &mut Cursor<'_>) -> Result<HelloEdge, WireError> {
    let name = cursor.text(TEXT_MAX)?.to_owned();
    let flags = cursor.u8()?;
    let next = place(cursor)?;
    let count = at_most("the number of properties", cursor.u16()?.into(), PROPERTIES_MAX)?;
    let mut format = Vec::new();
    for _ in 0..count {
        format.push((cursor.text(TEXT_MAX)?.to_owned(), cursor.text(TEXT_MAX)?.to_owned()));
    }
    Ok(HelloEdge {
        name,
        receives: flags & 1 == 1,
        durable: flags & 2 == 2,
        next,
        count: None,
        format,
    })
}

fn read_counts(addition: &[u8], edges: &mut [HelloEdge]) -> Result<(), WireError> {
    let mut cursor = Cursor::new("the countings of a hello", addition);
    for edge in edges {
        edge.count = Some(cursor.u64()?);
    }
    cursor.end()
}

fn at_most(what: &'static str, is: usize, max: usize) -> Result<usize, WireError> {
    if is <= max {
        Ok(is)
    } else {
        Err(WireError::TooLong { what, is: is as u64, max: max as u64 })
    }
}

use std::sync::{Arc, Mutex};

use mcap::{MessageStream, Summary};

use super::*;

/// A disk with so much room.
#[derive(Clone, Default)]
struct Shelf(Arc<Mutex<(Vec<u8>, usize)>>);

impl Shelf {
    fn of(room: usize) -> Self {
        Self(Arc::new(Mutex::new((Vec::new(), room))))
    }

    fn make_room(&self, room: usize) {
        self.0.lock().expect("whole").1 = room;
    }

    fn bytes(&self) -> Vec<u8> {
        self.0.lock().expect("whole").0.clone()
    }
}

impl Store for Shelf {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let (held, room) = &mut *self.0.lock().expect("whole");
        let fits = bytes.len().min(room.saturating_sub(held.len()));
        held.extend_from_slice(&bytes[..fits]);
        if fits < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.0.lock().expect("whole").0.truncate(len as usize);
        Ok(())
    }
}

fn begin(shelf: &Shelf) -> Writer<Shelf> {
    let channel = |topic: &str, schema| Channel {
        topic: topic.to_owned(),
        schema,
        metadata: BTreeMap::from([("output".to_owned(), topic.to_owned())]),
    };
    let schemas =
        [Schema::of_reached(), Schema { name: "afferent.b".to_owned(), descriptors: vec![] }];
    let channels = [channel("/a", 0), channel("/b", 1)];
    let about = BTreeMap::from([("graph".to_owned(), "g".to_owned())]);
    Writer::begin(shelf.clone(), &schemas, &channels, &[("about".to_owned(), about)])
        .expect("there is room")
}

/// Puts message `n` of a channel.
fn put(writer: &mut Writer<Shelf>, channel: u16, n: u64) -> Result<(), Lost> {
    let at = Moment { log_ns: n, publish_ns: n + 1 };
    writer.message(channel, n as u32, at, 1 + n % 2, |out| out.extend_from_slice(&[n as u8; 1_000]))
}

fn finish(writer: &mut Writer<Shelf>) -> io::Result<u64> {
    let mut told = 0;
    writer.finish(|lost| {
        told = lost.iter().map(|of| of.frames).sum();
        ("end".to_owned(), BTreeMap::from([("lost".to_owned(), told.to_string())]))
    })?;
    Ok(told)
}

/// Channel, number and content of every message, as the crate `mcap` reads them.
fn read(bytes: &[u8]) -> Vec<(u16, u64)> {
    let messages = MessageStream::new(bytes).expect("begins as it should");
    let messages = messages.map(|message| message.expect("a message"));
    messages
        .map(|message| {
            assert!(message.data.iter().all(|&byte| byte == message.log_time as u8));
            assert_eq!(message.publish_time, message.log_time + 1);
            (message.channel.id, message.log_time)
        })
        .collect()
}

fn summary(bytes: &[u8]) -> Summary {
    Summary::read(bytes).expect("can be read").expect("is there")
}

#[test]
fn others_read_what_is_written_and_find_their_way_in_it() {
    let shelf = Shelf::of(usize::MAX);
    let mut writer = begin(&shelf);
    for n in 0..3_000 {
        put(&mut writer, (n % 2) as u16, n).expect("there is room");
    }
    assert_eq!(finish(&mut writer).expect("there is room"), 0);

    let bytes = shelf.bytes();
    assert_eq!(writer.len(), bytes.len() as u64);
    let all: Vec<_> = (0..3_000).map(|n| ((n % 2) as u16, n)).collect();
    assert_eq!(read(&bytes), all);
    let summary = summary(&bytes);
    let statistics = summary.stats.as_ref().expect("counted");
    assert_eq!(statistics.message_count, 3_000);
    assert_eq!(statistics.channel_message_counts, BTreeMap::from([(0, 1_500), (1, 1_500)]));
    assert_eq!((statistics.message_start_time, statistics.message_end_time), (0, 2_999));
    assert_eq!((statistics.metadata_count, statistics.schema_count), (2, 2));
    assert!(summary.chunk_indexes.len() > 2, "a chunk a megabyte");
    let mut found = Vec::new();
    for chunk in &summary.chunk_indexes {
        for message in summary.stream_chunk(&bytes, chunk).expect("a chunk") {
            found.push(message.expect("a message").log_time);
        }
        let indexes = summary.read_message_indexes(&bytes, chunk).expect("indexes");
        assert_eq!(indexes.len(), 2);
        for (channel, places) in indexes {
            for place in places {
                let message = summary.seek_message(&bytes, chunk, &place).expect("a message");
                assert_eq!((message.channel.id, message.log_time), (channel.id, place.log_time));
            }
        }
    }
    assert_eq!(found, (0..3_000).collect::<Vec<_>>());
    let names: Vec<_> = summary.metadata_indexes.iter().map(|index| &*index.name).collect();
    assert_eq!(names, ["about", "end"]);
    for index in &summary.metadata_indexes {
        assert_eq!(mcap::read::metadata(&bytes, index).expect("is there").name, index.name);
    }
}

#[test]
fn a_disk_that_is_full_for_a_while_leaves_a_hole_and_nothing_else() {
    let shelf = Shelf::of(2_500_000);
    let mut writer = begin(&shelf);
    let mut lost = 0;
    for n in 0..6_000 {
        if n == 4_000 {
            shelf.make_room(usize::MAX);
        }
        if let Err(told) = put(&mut writer, 0, n) {
            assert_eq!(told.error.kind(), io::ErrorKind::StorageFull);
            lost += told.of.iter().map(|of| of.frames).sum::<u64>();
        }
        let whole = shelf.bytes().len() as u64;
        assert_eq!(whole, writer.len(), "what did not fit is taken back");
    }
    assert_eq!(finish(&mut writer).expect("there is room"), 0);

    let found: Vec<_> = read(&shelf.bytes()).into_iter().map(|(_, n)| n).collect();
    assert!(found.is_sorted() && found.contains(&0) && found.contains(&5_999));
    let frames: u64 = found.iter().map(|n| 1 + n % 2).sum();
    assert!(lost > 0);
    assert_eq!(frames + lost, (0..6_000).map(|n| 1 + n % 2).sum::<u64>());
    assert_eq!(summary(&shelf.bytes()).stats.expect("counted").message_count, found.len() as u64);
}

#[test]
fn on_a_full_disk_the_last_chunks_make_room_for_the_end() {
    for room in [2_200_000, 3_000_000, 3_170_000] {
        let shelf = Shelf::of(room);
        let mut writer = begin(&shelf);
        let mut lost = 0;
        for n in 0..5_000 {
            if let Err(told) = put(&mut writer, 1, n) {
                lost += told.of.iter().map(|of| of.frames).sum::<u64>();
            }
        }
        lost += finish(&mut writer).expect("chunks make room");
        let found = read(&shelf.bytes());
        let frames: u64 = found.iter().map(|(_, n)| 1 + n % 2).sum();
        assert!(!found.is_empty());
        assert_eq!(frames + lost, (0..5_000).map(|n| 1 + n % 2).sum::<u64>(), "{room}");
        assert_eq!(
            summary(&shelf.bytes()).stats.expect("counted").message_count,
            found.len() as u64
        );
    }
}

#[test]
fn without_any_room_nothing_begins_and_without_room_for_an_end_there_is_none() {
    let begun = Writer::begin(Shelf::of(20), &[], &[], &[]);
    assert_eq!(begun.err().map(|error| error.kind()), Some(io::ErrorKind::StorageFull));

    let head = Shelf::of(usize::MAX);
    begin(&head);
    let shelf = Shelf::of(head.bytes().len() + 10);
    let mut writer = begin(&shelf);
    put(&mut writer, 0, 1).expect("it is held");
    assert!(finish(&mut writer).is_err());
    assert_eq!(shelf.bytes(), head.bytes(), "what is there can be read");
}

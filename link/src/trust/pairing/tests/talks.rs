//! Pairing over real connections on loopback. Time limits here are guards, never what is tested.

use std::{cell::RefCell, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime::Builder,
};

use super::{
    super::{
        Code, PairError, Paired, Refusal,
        talk::{TalkError, guest, wait},
    },
    support::{Party, code, wrong_code},
};

const GUARD: Duration = Duration::from_secs(60);

fn on_runtime<T>(work: impl Future<Output = T>) -> T {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(work)
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("bound");
    (listener, address)
}

async fn calls(party: &Party, address: SocketAddr, code: Code) -> Result<Paired, TalkError> {
    guest(TcpStream::connect(address).await.expect("loopback"), party.me(), &code).await
}

type Kept = Result<Paired, TalkError>;

/// A host that waits, while `visit` happens; what each ended with, and how many failed before.
async fn waits<T>(
    cloud: &Party,
    visit: impl AsyncFnOnce(SocketAddr) -> T,
    keep: impl Fn(&Paired) -> Result<Paired, String>,
) -> (Kept, T, Vec<String>) {
    let (listener, address) = listener().await;
    let failed = RefCell::new(Vec::new());
    let waiting = wait(
        &listener,
        cloud.me(),
        code(),
        GUARD,
        |paired, _| keep(paired),
        |_, error| failed.borrow_mut().push(error.to_string()),
    );
    let (kept, visited) = tokio::join!(waiting, visit(address));
    (kept, visited, failed.into_inner())
}

#[test]
fn two_hosts_pair_over_a_connection() {
    let (edge, cloud) = (Party::new(1, "edge"), Party::new(2, "cloud"));
    let visit = async |address| calls(&edge, address, code()).await;
    let (kept, visited, failed) = on_runtime(waits(&cloud, visit, |paired| Ok(paired.clone())));

    assert_eq!(kept.expect("paired"), edge.paired());
    assert_eq!(visited.expect("paired"), cloud.paired());
    assert_eq!(failed, [""; 0]);
}

#[test]
fn a_wrong_code_ends_the_waiting() {
    let (edge, cloud) = (Party::new(1, "edge"), Party::new(2, "cloud"));
    let visit = async |address| calls(&edge, address, wrong_code()).await;
    let (kept, visited, failed) = on_runtime(waits(&cloud, visit, |paired| Ok(paired.clone())));

    let burned = kept.expect_err("burned");
    assert!(matches!(burned, TalkError::Pair(PairError::Burned)), "{burned}");
    let refused = visited.expect_err("refused");
    let wrong = PairError::Refused(Refusal::WrongCode);
    assert!(matches!(&refused, TalkError::Pair(error) if *error == wrong), "{refused}");
    assert_eq!(failed.len(), 1);
}

#[test]
fn those_who_talk_nonsense_hang_up_or_say_nothing_keep_nobody_out() {
    let (edge, cloud) = (Party::new(1, "edge"), Party::new(2, "cloud"));
    let visit = async |address| {
        let connect = || async move { TcpStream::connect(address).await.expect("loopback") };
        let mut silent = Vec::new();
        for _ in 0..5 {
            silent.push(connect().await);
        }
        // Only looks, which is no try and not worth a line.
        drop(connect().await);
        let mut web = connect().await;
        web.write_all(b"GET / HTTP/1.1\r\n\r\n").await.expect("open");
        let mut said = Vec::new();
        web.read_to_end(&mut said).await.ok();
        // One that has our answer and hangs up has tried something.
        let mut gone = connect().await;
        let (_, greeting) = edge.greets(&code());
        gone.write_all(&greeting).await.expect("open");
        let _ = gone.read(&mut [0]).await;
        drop(gone);
        let mut flood = connect().await;
        // Until it is hung up on, which it must be: nobody reads so much.
        while flood.write_all(&[0x41; 65_536]).await.is_ok() {}
        calls(&edge, address, code()).await
    };
    let (kept, visited, failed) = on_runtime(waits(&cloud, visit, |paired| Ok(paired.clone())));

    assert_eq!(kept.expect("paired"), edge.paired());
    assert_eq!(visited.expect("paired"), cloud.paired());
    assert_eq!(failed.len(), 3, "{failed:?}");
}

#[test]
fn one_address_cannot_take_all_places() {
    let (edge, cloud) = (Party::new(1, "edge"), Party::new(2, "cloud"));
    let visit = async |address| {
        let mut silent = Vec::new();
        for _ in 0..8 {
            silent.push(TcpStream::connect(address).await.expect("loopback"));
        }
        let mut one_more = TcpStream::connect(address).await.expect("loopback");
        // Hung up on at once, while the others are waited for.
        assert_eq!(one_more.read(&mut [0]).await.unwrap_or(0), 0);
        silent.pop();
        loop {
            // Until the host has seen that one is gone.
            if let Ok(paired) = calls(&edge, address, code()).await {
                return paired;
            }
        }
    };
    let (kept, visited, _) = on_runtime(waits(&cloud, visit, |paired| Ok(paired.clone())));

    assert_eq!(kept.expect("paired"), edge.paired());
    assert_eq!(visited, cloud.paired());
}

#[test]
fn a_guest_that_cannot_be_listed_is_told() {
    let (edge, cloud) = (Party::new(1, "edge"), Party::new(2, "cloud"));
    let visit = async |address| calls(&edge, address, code()).await;
    let (kept, visited, _) =
        on_runtime(waits(&cloud, visit, |_| Err("the disk is full".to_owned())));

    assert_eq!(kept.expect_err("not kept").to_string(), "the disk is full");
    let refused = visited.expect_err("told");
    let failed = PairError::Refused(Refusal::Failed);
    assert!(matches!(&refused, TalkError::Pair(error) if *error == failed), "{refused}");
}

#[test]
fn waiting_ends_when_the_code_does() {
    let cloud = Party::new(2, "cloud");
    let over = on_runtime(async {
        tokio::time::pause();
        let (listener, _) = listener().await;
        wait(&listener, cloud.me(), code(), Duration::from_secs(300), |_, _| Ok(()), |_, _| ())
            .await
    });
    let over = over.expect_err("nobody came");
    assert!(matches!(over, TalkError::Pair(PairError::Expired)), "{over}");
}

#[test]
fn a_host_that_says_nothing_is_given_up() {
    let edge = Party::new(1, "edge");
    let slow = on_runtime(async {
        tokio::time::pause();
        let (_silent, stream) = tokio::io::duplex(1_024);
        guest(stream, edge.me(), &code()).await
    });
    let slow = slow.expect_err("silence");
    assert!(matches!(slow, TalkError::Slow), "{slow}");
}

//! Files and texts that say who is trusted, and a handshake with a stranger.

use std::{fs, sync::Arc, time::UNIX_EPOCH};

use engine::is_name;
use link::trust::{
    Expected, Fingerprint, Identity, PEERS_MAX, PeerKey, Peers, Reach, SERVER_NAME, as_name,
    client_config, pairing::Code, peer_key, read_peers, server_config,
};
use rustls::{
    ClientConnection, ServerConnection,
    pki_types::{CertificateDer, ServerName},
};

use crate::{fuzz, shape};

fn key(n: u8) -> PeerKey {
    Identity::from_seed(&[n; 32]).key()
}

#[test]
fn lists_of_peers() {
    let home = tempfile::tempdir().expect("a folder");
    let peers = Peers::at(home.path());
    for (n, name) in ["lab", "cart", "ward_3"].into_iter().enumerate() {
        peers.add(name, key(n as u8), UNIX_EPOCH, "192.0.2.7").expect("added");
    }
    let whole = fs::read(peers.path()).expect("there");
    let short = b"[peer.lab]\nkey = \"x\"\nsince = 2026-03-01T09:30:00Z\n".to_vec();
    // The TOML reader keeps some hundred bytes for the smallest thing, which has two.
    fuzz(
        5_000,
        &[whole, short],
        |len| 65_536 + 512 * len,
        |bytes| {
            let read = read_peers(&String::from_utf8_lossy(bytes));
            if let Ok(peers) = &read {
                assert!(peers.len() <= PEERS_MAX && peers.iter().all(|peer| is_name(&peer.name)));
                let mut keys: Vec<_> = peers.iter().map(|peer| peer.key).collect();
                keys.sort();
                keys.dedup();
                assert_eq!(keys.len(), peers.len(), "each key once");
            }
            shape(&read.map(|peers| peers.len()))
        },
    );
}

#[test]
fn keys_codes_and_names_as_text() {
    let whole = [key(1).to_string(), Code::new().to_string(), "Lab-PC.example.org".to_owned()];
    let whole = whole.map(String::into_bytes);
    fuzz(
        50_000,
        &whole,
        |len| 1_024 + 8 * len,
        |bytes| {
            let text = String::from_utf8_lossy(bytes);
            let (key, code) = (text.parse::<PeerKey>(), text.parse::<Code>());
            if let Ok(key) = key {
                assert_eq!(key.to_string().parse(), Ok(key));
            }
            if let Ok(code) = &code {
                assert_eq!(code.to_string().parse().as_ref(), Ok(code));
            }
            assert!(is_name(&as_name(&text)));
            shape(&(key.map(|_| ()), code.map(|_| ())))
        },
    );
}

#[test]
fn the_identity() {
    let home = tempfile::tempdir().expect("a folder");
    let known = Identity::open(home.path()).expect("made").key();
    let path = home.path().join("identity.key");
    let whole = fs::read(&path).expect("there");
    fuzz(
        300,
        std::slice::from_ref(&whole),
        |len| 65_536 + 8 * len,
        |bytes| {
            fs::write(&path, bytes).expect("writable");
            let opened = Identity::open(home.path());
            // Damage inside the key makes another, which pins of others then refuse.
            let outcome = opened.map(|identity| identity.key() == known).map_err(|error| {
                assert!(error.is_about_a_file() && !error.hint().is_empty());
                error.to_string().replace(&*home.path().to_string_lossy(), "")
            });
            assert_eq!(fs::read(&path).expect("there"), bytes, "it is never overwritten");
            shape(&outcome)
        },
    );
}

#[test]
fn what_a_handshake_shows() {
    let home = tempfile::tempdir().expect("a folder");
    drop(home);
    let spki = [&[0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0][..], &[7; 32]].concat();
    fuzz(
        20_000,
        std::slice::from_ref(&spki),
        |len| 1_024 + 4 * len,
        |bytes| {
            let key = peer_key(&CertificateDer::from(bytes.to_vec()));
            assert_eq!(key.is_some(), bytes.len() == 44 && bytes[..12] == spki[..12]);
            let print: Option<Fingerprint> = key.map(|key| key.fingerprint());
            u64::from(print.is_some())
        },
    );
}

#[test]
fn a_handshake_of_tls() {
    let home = tempfile::tempdir().expect("a folder");
    let peers = Arc::new(Peers::at(home.path()));
    peers.add("edge", key(1), UNIX_EPOCH, "by hand").expect("added");
    let cloud = Identity::from_seed(&[2; 32]);
    let server = server_config(&cloud, peers, Reach::Network);
    let client = client_config(&Identity::from_seed(&[1; 32]), Expected::key(cloud.key()));
    let flight = || {
        let name = ServerName::try_from(SERVER_NAME).expect("a name");
        let mut client = ClientConnection::new(client.clone(), name).expect("possible");
        let mut flight = Vec::new();
        client.write_tls(&mut flight).expect("into memory");
        (client, flight)
    };
    let (_, first) = flight();
    fuzz(
        1_000,
        &[first],
        |len| 131_072 + 64 * len,
        |bytes| {
            let mut server = ServerConnection::new(server.clone()).expect("possible");
            let mut rest = bytes;
            let mut outcome = Ok(());
            while !rest.is_empty() && outcome.is_ok() {
                if server.read_tls(&mut rest).is_err() {
                    break;
                }
                outcome = server.process_new_packets().map(drop);
            }
            assert!(server.is_handshaking(), "nobody has shown a key");
            assert!(server.peer_certificates().is_none());
            shape(&outcome)
        },
    );
}

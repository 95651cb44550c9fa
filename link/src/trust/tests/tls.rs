//! Handshakes in memory: who passes, who does not, and what they speak.

use std::{sync::Arc, time::UNIX_EPOCH};

use rustls::{
    ClientConfig, ClientConnection, ProtocolVersion, ServerConfig, ServerConnection,
    pki_types::{CertificateDer, ServerName},
};
use tempfile::TempDir;

use crate::trust::{
    ALPN, Expected, Identity, PeerKey, Peers, Reach, SERVER_NAME, TrustError, client_config,
    may_listen, peer_key, server_config,
};

fn identity(n: u8) -> Identity {
    Identity::from_seed(&[n; 32])
}

fn peers(keys: &[PeerKey]) -> (TempDir, Arc<Peers>) {
    let home = tempfile::tempdir().expect("a folder");
    let peers = Peers::at(home.path());
    for (n, key) in keys.iter().enumerate() {
        peers.add(&format!("host_{n}"), *key, UNIX_EPOCH, "by hand").expect("added");
    }
    (home, Arc::new(peers))
}

/// Whom each side has seen, or the first error.
fn shake(
    client: &Arc<ClientConfig>,
    server: &Arc<ServerConfig>,
) -> Result<(ClientConnection, ServerConnection), rustls::Error> {
    let name = ServerName::try_from(SERVER_NAME).expect("a name");
    let mut client = ClientConnection::new(client.clone(), name)?;
    let mut server = ServerConnection::new(server.clone())?;
    while client.is_handshaking() || server.is_handshaking() || server.wants_write() {
        let mut bytes = Vec::new();
        client.write_tls(&mut bytes).expect("into memory");
        server.read_tls(&mut &bytes[..]).expect("out of memory");
        server.process_new_packets()?;
        bytes.clear();
        server.write_tls(&mut bytes).expect("into memory");
        client.read_tls(&mut &bytes[..]).expect("out of memory");
        client.process_new_packets()?;
    }
    Ok((client, server))
}

fn seen(shown: Option<&[CertificateDer<'_>]>) -> Option<PeerKey> {
    let [shown] = shown? else { return None };
    peer_key(shown)
}

#[test]
fn two_that_know_each_other_see_each_others_keys() {
    let (edge, cloud) = (identity(1), identity(2));
    let (_home, listed) = peers(&[edge.key()]);

    let (client, server) = shake(
        &client_config(&edge, Expected::key(cloud.key())),
        &server_config(&cloud, listed, Reach::Network),
    )
    .expect("they know each other");

    assert_eq!(seen(client.peer_certificates()), Some(cloud.key()));
    assert_eq!(seen(server.peer_certificates()), Some(edge.key()));
    assert_eq!(server.alpn_protocol(), Some(ALPN));
    assert_eq!(server.protocol_version(), Some(ProtocolVersion::TLSv1_3));
}

#[test]
fn a_stranger_does_not_get_in_and_one_that_was_removed_is_a_stranger() {
    let (edge, cloud, stranger) = (identity(1), identity(2), identity(3));
    let (_home, listed) = peers(&[edge.key()]);
    let server = server_config(&cloud, listed.clone(), Reach::Network);
    let to_cloud = Expected::key(cloud.key());
    let calls = client_config(&edge, to_cloud.clone());

    shake(&client_config(&stranger, to_cloud), &server).expect_err("nobody knows it");
    shake(&calls, &server).expect("listed");
    // The same settings again: what was agreed with them before opens no door.
    listed.remove("host_0").expect("there");
    shake(&calls, &server).expect_err("removed");
}

#[test]
fn a_host_with_another_key_than_expected_is_not_spoken_to() {
    let (edge, cloud, man_in_the_middle) = (identity(1), identity(2), identity(3));
    let (_home, listed) = peers(&[edge.key()]);
    let server = server_config(&man_in_the_middle, listed, Reach::Network);

    shake(&client_config(&edge, Expected::key(cloud.key())), &server).expect_err("not the cloud");
}

#[test]
fn our_own_key_is_ourselves_on_this_machine_and_a_copy_elsewhere() {
    let own = identity(1);
    let (_home, nobody) = peers(&[]);
    let calls = client_config(&own, Expected::key(own.key()));

    shake(&calls, &server_config(&own, nobody.clone(), Reach::Machine)).expect("one user");
    shake(&calls, &server_config(&own, nobody, Reach::Network)).expect_err("a copy");
}

#[test]
fn a_list_that_cannot_be_read_lets_nobody_in() {
    let (edge, cloud) = (identity(1), identity(2));
    let (_home, listed) = peers(&[edge.key()]);
    std::fs::write(listed.path(), "[peer.").expect("writable");

    let error = shake(
        &client_config(&edge, Expected::key(cloud.key())),
        &server_config(&cloud, listed, Reach::Network),
    );

    // QUIC hands this on to who calls, so where the list is does not stand in it.
    let said = error.expect_err("nobody is known").to_string();
    assert!(said.contains("the list of peers cannot be read") && !said.contains(".toml"), "{said}");
}

#[test]
fn who_shows_a_certificate_or_nothing_is_refused() {
    let (edge, cloud) = (identity(1), identity(2));
    let (_home, listed) = peers(&[edge.key()]);
    let server = server_config(&cloud, listed, Reach::Network);
    let calls = client_config(&edge, Expected::key(cloud.key()));

    let mut nobody = (*calls).clone();
    nobody.client_auth_cert_resolver = Arc::new(Nothing);
    shake(&Arc::new(nobody), &server).expect_err("shows nothing");

    let mut other_alpn = (*calls).clone();
    other_alpn.alpn_protocols = vec![b"h3".to_vec()];
    shake(&Arc::new(other_alpn), &server).expect_err("speaks something else");
}

#[derive(Debug)]
struct Nothing;

impl rustls::client::ResolvesClientCert for Nothing {
    fn resolve(
        &self,
        _: &[&[u8]],
        _: &[rustls::SignatureScheme],
    ) -> Option<Arc<rustls::sign::CertifiedKey>> {
        None
    }

    fn has_certs(&self) -> bool {
        false
    }

    fn only_raw_public_keys(&self) -> bool {
        true
    }
}

#[test]
fn whom_to_expect_depends_on_where() {
    let own = identity(1);
    let (_home, listed) = peers(&[identity(2).key()]);
    let at = |ip: &str, name| Expected::at(ip.parse().expect("an address"), name, &own, &listed);
    let named = |ip| at(ip, "host_0").expect("listed");
    let (_home, two) = peers(&[identity(2).key(), identity(3).key()]);
    let network = "192.0.2.7".parse().expect("an address");
    let one = Expected::at(network, "host_1", &own, &two).expect("listed");
    let contains = |expected: &Expected, n| expected.contains(identity(n).key()).expect("it reads");
    assert!(contains(&one, 3) && !contains(&one, 2), "that one alone");

    for here in ["127.0.0.1", "::1", "127.8.8.8", "::ffff:127.0.0.1"] {
        assert!(contains(&at(here, "cloud").expect("ourselves"), 1), "{here}");
        assert!(contains(&named(here), 1) && contains(&named(here), 2));
    }
    for there in ["192.0.2.7", "::ffff:192.0.2.7", "2001:db8::1"] {
        // Paired under another name than the graph gives the host, too.
        for expected in [named(there), at(there, "cloud").expect("one is listed")] {
            assert!(contains(&expected, 2) && !contains(&expected, 1), "{there}");
        }
        let (_home, nobody) = peers(&[]);
        let unknown = Expected::at(there.parse().expect("an address"), "cloud", &own, &nobody);
        let unknown = unknown.expect_err("nobody is listed");
        assert!(matches!(unknown, TrustError::NoSuchPeer { .. }), "{unknown}");
    }
}

#[test]
fn who_is_removed_or_added_is_so_from_the_next_call_on() {
    let own = identity(1);
    let (_home, listed) = peers(&[identity(2).key()]);
    let there = "192.0.2.7".parse().expect("an address");
    let expected = Expected::at(there, "host_0", &own, &listed).expect("listed");
    let contains = |n| expected.contains(identity(n).key());

    assert!(contains(2).expect("it reads"));
    listed.remove("host_0").expect("it is there");
    assert!(matches!(contains(2), Err(TrustError::NoSuchPeer { .. })), "nobody is left");
    listed.add("host_0", identity(3).key(), UNIX_EPOCH, "by hand").expect("added");
    assert!(contains(3).expect("it reads") && !contains(2).expect("it reads"));
}

#[test]
fn beyond_this_machine_nobody_listens_unpaired() {
    let (_home, nobody) = peers(&[]);
    let (_home, somebody) = peers(&[identity(2).key()]);
    let may = |address: &str, peers| may_listen(address.parse().expect("an address"), peers);

    may("127.0.0.1:24433", &nobody).expect("this machine");
    may("[::1]:0", &nobody).expect("this machine");
    for open in ["0.0.0.0:24433", "[::]:24433", "192.0.2.7:1"] {
        let problem = may(open, &nobody).expect_err("open to all");
        assert!(problem.to_string().contains(open), "{problem}");
        assert!(problem.hint().contains("afferent pair"), "{}", problem.hint());
        may(open, &somebody).expect("paired");
    }
}

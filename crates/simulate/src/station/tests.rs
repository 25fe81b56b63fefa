//! Requests wait for a server, and for no longer.

use super::*;

#[test]
fn one_server_takes_one_after_the_other() {
    let mut station = Station::new(1);
    assert_eq!(station.serve(10, |start| start + 5), 15);
    assert_eq!(station.serve(11, |start| start + 5), 20);
    assert_eq!(station.serve(100, |start| start + 5), 105);
}

#[test]
fn two_servers_take_two_at_a_time() {
    let mut station = Station::new(2);
    assert_eq!(station.serve(0, |start| start + 10), 10);
    assert_eq!(station.serve(1, |start| start + 2), 3);
    assert_eq!(station.serve(2, |start| start + 10), 13);
    assert_eq!(station.serve(4, |start| start + 1), 11);
}

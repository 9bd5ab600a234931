//! The runs: devices at the built-in listener with InfluxDB behind it; Mosquitto between them that lives; Mosquitto that dies too.

use std::path::Path;

use foremend::journal::JournalReader;
use tokio::runtime::Runtime;

use crate::bell::Bell;
use crate::bell::Ear;
use crate::bell::bell;
use crate::chance::Chance;
use crate::fleet::Fleet;
use crate::influxd::TOKEN;
use crate::lives::Lives;
use crate::lives::Tally;
use crate::lives::kills;
use crate::mosquitto::Mosquitto;
use crate::neighbours::Influx;
use crate::neighbours::Neighbour;
use crate::place::Place;
use crate::points;
use crate::points::Points;
use crate::proof;
use crate::proof::Exported;
use crate::publisher::Said;
use crate::sameness;
use crate::technician::Deed;
use crate::technician::Technician;
use crate::witness::Witness;

/// Stops in order until a slow series store has taken everything.
const LAST_STOPS: u32 = 20;

/// What a run leaves behind, with the daemon stopped.
struct Left {
    clients: Vec<Vec<Said>>,
    deeds: Vec<Deed>,
    tally: Tally,
}

/// Lives and deaths under load until the daemon was killed so often; then one life in which everything is worked off.
fn survive(
    place: &Place,
    mut chance: Chance,
    kills: u64,
    server: impl Fn() -> Option<String> + Clone + Send + 'static,
    (bell, ear): (Bell, Ear),
    mut neighbour: Option<Neighbour<'_>>,
) -> Left {
    let mut lives = Lives::begin(place, chance.fork(), kills, ear);
    let fleet = Fleet::start(server, &bell);
    let technician = Technician::start(&place.door);
    while lives.tally.kills < kills || neighbour.as_ref().is_some_and(|one| !one.is_done()) {
        let killed = lives.tally.kills;
        lives.live(|| {
            if let Some(neighbour) = &mut neighbour {
                neighbour.meanwhile(killed);
            }
        });
    }
    let daemon = lives.running();
    if let Some(neighbour) = &mut neighbour {
        neighbour.come_back();
    }
    fleet.wait_until_all_is_told();
    let deeds = technician.end();
    let clients = fleet.end();
    proof::wait_for_deliveries(&daemon, &place.data());
    proof::wait_for_accounts(&daemon);
    place.stop(daemon);
    for _ in 0..LAST_STOPS {
        if proof::is_worked_off(&place.data()) {
            break;
        }
        let daemon = lives.running();
        proof::wait_for_deliveries(&daemon, &place.data());
        place.stop(daemon);
    }
    assert!(
        proof::is_worked_off(&place.data()),
        "after {LAST_STOPS} stops"
    );
    Left {
        clients,
        deeds,
        tally: lives.tally,
    }
}

/// What holds for every run; gives the export, and the points that its replay makes.
fn check(place: &Place, left: &Left) -> (Exported, Points) {
    let data = place.data();
    let file = place.path("export.jsonl");
    let exported = Exported::of(&data, &file);
    eprintln!(
        "{:?}, {} messages in the journal, {} actions of a person",
        left.tally,
        exported.len(),
        left.deeds.len()
    );
    exported.check_invents_nothing(&left.clients);
    exported.check_starts(&left.tally);
    proof::check_one_ticket(&data);
    proof::check_deeds(&data, &left.deeds);
    sameness::check_state(&data);
    let kept = place.path("kept");
    Place::command(&["replay", "--json"], &[("", &file), ("--into", &kept)]);
    sameness::check_replay(&data, &kept);
    (exported, embedded(&kept))
}

/// The points of a data directory with an embedded series store.
fn embedded(data: &Path) -> Points {
    let journal = JournalReader::open(&data.join("journal")).unwrap();
    let points = points::of_embedded(data, journal.id());
    Runtime::new().unwrap().block_on(points)
}

#[test]
fn devices_at_the_listener_lose_nothing_when_foremend_and_influxdb_are_killed() {
    let mut influx = Influx::start();
    let place = Place::new(&format!(
        "[listener]\nlisten = \"127.0.0.1:0\"\n[influxdb]\nurl = \"{}\"\norg = \"home\"\nbucket = \"telemetry\"\ntoken_file = \"influx-token\"\n",
        influx.server.url
    ));
    place.put("influx-token", TOKEN);
    let chance = Chance::of_this_run("listener");
    let kills = kills(60);
    let door = place.door.clone();
    let server = move || door.address()?.mqtt;
    let neighbour = Neighbour::new(&mut influx, kills);
    let left = survive(&place, chance, kills, server, bell(), Some(neighbour));
    let (exported, expected) = check(&place, &left);
    exported.check_holds(
        "a device was told are kept",
        &proof::acknowledged(&left.clients),
    );
    exported.check_order(&left.clients);
    let found = influx.runtime.block_on(points::of_influxdb(&influx.server));
    points::check_equal(&found, &expected);
}

/// Mosquitto lives, so what it told the devices is a promise too, and Foremend keeps it.
#[test]
fn what_mosquitto_acknowledged_is_not_lost_when_foremend_is_killed() {
    let broker = Mosquitto::start("");
    let place = Place::new(&format!(
        "[[broker]]\nname = \"plant\"\nurl = \"{}\"\n",
        broker.url()
    ));
    let chance = Chance::of_this_run("mosquitto");
    let address = format!("127.0.0.1:{}", broker.port());
    let left = survive(
        &place,
        chance,
        kills(20),
        move || Some(address.clone()),
        bell(),
        None,
    );
    let (exported, expected) = check(&place, &left);
    exported.check_holds(
        "a device was told are kept",
        &proof::acknowledged(&left.clients),
    );
    points::check_equal(&embedded(&place.data()), &expected);
}

/// Mosquitto that is killed forgets what it acknowledged, so nothing can be promised to its devices. What is proven: each message
/// that Foremend told Mosquitto it had is in the journal, and the journal is all that the results rest on.
#[test]
fn what_foremend_acknowledged_is_not_lost_when_mosquitto_is_killed_too() {
    let mut broker = Mosquitto::start("");
    // Here it is Foremend's promises that count, not Mosquitto's.
    let ((deaf, _), (bell, ear)) = (bell(), bell());
    let witness = Witness::before(broker.port(), &bell);
    let place = Place::new(&format!(
        "[[broker]]\nname = \"plant\"\nurl = \"{}\"\n",
        witness.url()
    ));
    let chance = Chance::of_this_run("both");
    let address = format!("127.0.0.1:{}", broker.port());
    let kills = kills(20);
    let neighbour = Neighbour::new(&mut broker, kills);
    let left = survive(
        &place,
        chance,
        kills,
        move || Some(address.clone()),
        (deaf, ear),
        Some(neighbour),
    );
    let (exported, expected) = check(&place, &left);
    let acknowledged = witness.acknowledged();
    assert!(
        acknowledged.len() > 500,
        "Foremend acknowledged {} messages",
        acknowledged.len()
    );
    exported.check_holds("Foremend said it had", &acknowledged);
    points::check_equal(&embedded(&place.data()), &expected);
}

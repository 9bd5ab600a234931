//! A collection of numbers by device, swept while the numbers change in every order that a seed draws.

use std::collections::BTreeMap;

use super::Mark;
use super::Marked;
use super::Sweep;
use super::Swept;
use crate::telemetry::DeviceId;

#[derive(Default)]
struct Numbers {
    by_id: BTreeMap<DeviceId, (u64, Mark)>,
    sweep: Sweep<u64>,
}

impl Swept for Numbers {
    type Copy = u64;

    fn sweep(&mut self) -> &mut Sweep<u64> {
        &mut self.sweep
    }

    fn mark(&mut self, device: &DeviceId) -> Option<&mut Mark> {
        self.by_id.get_mut(device).map(|(_, mark)| mark)
    }

    fn copy_marked(&mut self, device: &DeviceId, marked: Marked) -> Option<u64> {
        let (number, mark) = self.by_id.get_mut(device)?;
        marked.take(mark).then_some(*number)
    }
}

impl Numbers {
    fn set(&mut self, device: &DeviceId, number: u64) {
        self.before_change(device);
        let (kept, mark) = self.by_id.entry(device.clone()).or_default();
        *kept = number;
        self.sweep.soil(mark, device);
    }

    fn forget(&mut self, device: &DeviceId) {
        self.before_change(device);
        if self.by_id.remove(device).is_some() {
            self.sweep.forget(device);
        }
    }

    fn now(&self) -> BTreeMap<DeviceId, u64> {
        let numbers = self.by_id.iter();
        numbers
            .map(|(id, (number, _))| (id.clone(), *number))
            .collect()
    }
}

fn name(nth: u64) -> DeviceId {
    format!("x/{nth}").parse().expect("a name")
}

fn slice_of(numbers: &mut Numbers, mut limit: usize) -> Vec<(DeviceId, u64)> {
    numbers.take_slice(&mut limit)
}

/// What a file holds after a snapshot on top of what it held.
fn apply(file: &mut BTreeMap<DeviceId, u64>, gone: &[DeviceId], rows: Vec<(DeviceId, u64)>) {
    for device in gone {
        file.remove(device);
    }
    file.extend(rows);
}

#[test]
fn what_is_handed_out_is_as_it_was_when_the_snapshot_began() {
    for seed in 0..200_u64 {
        let mut state = seed;
        let mut roll = |below: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) % below
        };
        let (mut numbers, mut file) = (Numbers::default(), BTreeMap::new());
        for round in 0..20 {
            let change = |numbers: &mut Numbers, roll: &mut dyn FnMut(u64) -> u64| {
                let device = name(roll(8));
                if roll(4) == 0 {
                    numbers.forget(&device);
                } else {
                    let number = roll(1_000);
                    numbers.set(&device, number);
                }
            };
            for _ in 0..roll(12) {
                change(&mut numbers, &mut roll);
            }
            let begun = numbers.now();
            let gone = numbers.begin_sweep();
            let (mut after, mut rows) = (file.clone(), Vec::new());
            for _ in 0..roll(6) {
                let slice = usize::try_from(roll(4)).expect("small");
                rows.extend(slice_of(&mut numbers, slice));
                change(&mut numbers, &mut roll);
            }
            if roll(3) == 0 {
                // The disk refused, or nobody ended it: the file is as before, and the next snapshot has it all.
                if roll(2) == 0 {
                    numbers.sweep_refused();
                }
                continue;
            }
            rows.extend(slice_of(&mut numbers, usize::MAX));
            assert!(!numbers.sweep.is_left());
            numbers.sweep_saved();
            apply(&mut after, &gone, rows);
            assert_eq!(after, begun, "seed {seed}, round {round}");
            file = after;
        }
        let all = numbers.take_all();
        for (device, number) in all {
            match number {
                Some(number) => file.insert(device, number),
                None => file.remove(&device),
            };
        }
        assert_eq!(file, numbers.now(), "seed {seed}, at the end");
        assert!(numbers.take_all().is_empty());
    }
}

#[test]
fn a_device_is_handed_out_once() {
    let mut numbers = Numbers::default();
    for nth in 0..5 {
        numbers.set(&name(nth), nth);
    }
    numbers.begin_sweep();
    numbers.set(&name(3), 30);
    numbers.set(&name(3), 31);
    let first = slice_of(&mut numbers, 1);
    assert_eq!(first, [(name(3), 3), (name(0), 0)]);
    assert_eq!(
        slice_of(&mut numbers, usize::MAX),
        [(name(1), 1), (name(2), 2), (name(4), 4)]
    );
    numbers.sweep_saved();
    assert_eq!(numbers.take_all(), [(name(3), Some(31))]);
}

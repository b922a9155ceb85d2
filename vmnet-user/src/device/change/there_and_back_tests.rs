//! Channels and XPS of a veth pair, on the kernel that this runs on.

use std::process::Command;

use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, unshare},
};

use super::*;
use crate::model::{
    experiment::Setting,
    fix::{ChannelRequest, DeviceId, QueueCpus, not_as_before, way_back},
};

/// In a network namespace of this thread's own, with `/sys` as its interfaces are seen there; says so where that cannot be had.
fn in_own_namespace(test: fn()) {
    fn enter() -> nix::Result<()> {
        let none = None::<&str>;
        unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS)?;
        mount(none, "/", none, MsFlags::MS_SLAVE | MsFlags::MS_REC, none)?;
        let _ = umount2("/sys", MntFlags::MNT_DETACH);
        mount(Some("sysfs"), "/sys", Some("sysfs"), MsFlags::empty(), none)
    }
    let in_thread = move || match enter() {
        Ok(()) => test(),
        Err(errno) => println!("skipped: no network namespace of our own ({errno})"),
    };
    std::thread::spawn(in_thread).join().unwrap();
}

/// Whether it worked; a child of this thread is in its namespace.
fn run(line: &str) -> bool {
    let mut words = line.split_whitespace();
    let run = Command::new(words.next().unwrap()).args(words).output();
    let ok = run.as_ref().is_ok_and(|output| output.status.success());
    if !ok {
        println!("{line}: {run:?}");
    }
    ok
}

/// veth0, or None with the reason printed.
fn veth(changer: &mut Changer) -> Option<DeviceState> {
    const ADD: &str = "ip link add veth0 numtxqueues 4 numrxqueues 4 type veth peer name veth1";
    if !run(ADD) {
        println!("skipped: no veth pair of four queues");
        return None;
    }
    let device = changer.read("veth0").unwrap();
    if device.channels.is_none() || device.xps.is_empty() {
        println!("skipped: this kernel's veth has no channels, or no XPS");
        return None;
    }
    Some(device)
}

fn go(changer: &mut Changer, target: &DeviceState) -> DeviceState {
    let now = changer.read("veth0").unwrap();
    for step in way_back(target, &now) {
        changer.carry_out(&step).unwrap();
    }
    changer.read("veth0").unwrap()
}

fn arm(found: &DeviceState, settings: &[Setting]) -> DeviceState {
    let mut target = found.clone();
    for setting in settings {
        // One CPU, which every machine has.
        setting.put_into(&mut target, 1).unwrap();
    }
    target
}

#[test]
fn channels_and_xps_go_there_and_back() {
    in_own_namespace(|| {
        let mut changer = Changer::open().unwrap();
        let Some(found) = veth(&mut changer) else { return };
        let transmit = found.channels.and_then(|channels| channels.transmit()).unwrap();
        assert_eq!((transmit.count as usize, transmit.most), (found.xps.len(), 4));
        // From arm to arm, not by way of what was found.
        let arms: [&[Setting]; 4] = [
            &[Setting::Xps { on: true }],
            &[Setting::Channels { count: 2 }, Setting::Xps { on: true }],
            &[Setting::Channels { count: 1 }],
            &[Setting::Channels { count: 3 }, Setting::Xps { on: false }],
        ];
        for settings in arms {
            let target = arm(&found, settings);
            let there = go(&mut changer, &target);
            assert_eq!(not_as_before(&target, &there), Vec::<String>::new(), "{settings:?}");
            assert_ne!(not_as_before(&found, &there), Vec::<String>::new(), "{settings:?}");
        }
        let back = go(&mut changer, &found);
        assert_eq!((back.channels, &back.xps), (found.channels, &found.xps));
        assert_eq!(not_as_before(&found, &back), Vec::<String>::new());
    });
}

#[test]
fn what_the_kernel_writes_is_what_was_written_and_its_refusals_are_told() {
    in_own_namespace(|| {
        let mut changer = Changer::open().unwrap();
        let Some(found) = veth(&mut changer) else { return };
        let steered = go(&mut changer, &arm(&found, &[Setting::Xps { on: true }]));
        let mask = std::fs::read_to_string("/sys/class/net/veth0/queues/tx-0/xps_cpus").unwrap();
        assert_eq!(u32::from_str_radix(mask.trim().rsplit(',').next().unwrap(), 16), Ok(1), "{mask:?}");
        assert_eq!(steered.xps[0], [0]);
        let device = DeviceId { ifindex: found.ifindex, name: found.name.clone() };
        let queue = |queue, cpus: &[u32]| QueueCpus { queue, cpus: cpus.to_vec() };
        let beyond = Step::Xps { device: device.clone(), queues: vec![queue(9, &[0]), queue(0, &[])] };
        let error = changer.carry_out(&beyond).unwrap_err().to_string();
        assert!(
            error.starts_with("cannot write /sys/class/net/veth0/queues/tx-9/xps_cpus: No such"),
            "{error}"
        );
        assert!(changer.read("veth0").unwrap().xps[0].is_empty(), "the others are tried all the same");
        // By its index, whatever it is called by now.
        assert!(run("ip link set veth0 name veth7"));
        let again = Step::Xps { device: device.clone(), queues: vec![queue(0, &[0])] };
        changer.carry_out(&again).unwrap();
        assert_eq!(changer.read("veth7").unwrap().xps[0], [0]);
        assert!(run("ip link delete veth7"));
        assert!(matches!(changer.carry_out(&again), Err(ChangeError::Gone)));
        let request = ChannelRequest { tx: Some(1), ..Default::default() };
        assert!(changer.carry_out(&Step::Channels { device, request }).is_err());
    });
}

#[test]
fn where_sys_shows_another_namespace_xps_is_not_known_and_nothing_is_written() {
    let thread = std::thread::spawn(|| {
        if let Err(errno) = unshare(CloneFlags::CLONE_NEWNET) {
            println!("skipped: no network namespace of our own ({errno})");
            return;
        }
        let mut changer = Changer::open().unwrap();
        if !run("ip link add veth0 numtxqueues 4 numrxqueues 4 type veth peer name veth1") {
            println!("skipped: no veth pair of four queues");
            return;
        }
        // The rest of its state is read all the same.
        let device = changer.read("veth0").unwrap();
        assert_eq!(device.xps, Vec::<Vec<u32>>::new());
        assert!(device.features.iter().count() > 0);
        let queues = vec![QueueCpus { queue: 0, cpus: vec![0] }];
        let device = DeviceId { ifindex: device.ifindex, name: device.name };
        assert!(matches!(changer.carry_out(&Step::Xps { device, queues }), Err(ChangeError::File { .. })));
    });
    thread.join().unwrap();
}

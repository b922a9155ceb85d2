//! What holds is in `vmnet-user/src/fuzzing/netlink.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| vmnet::fuzzing::look("netlink", bytes));

//! QEMU's command line.

use std::path::{Path, PathBuf};

use super::host_end::TAP;
use super::ovs::Switch;
use super::{Accel, HostEnd, Vm};

/// The emulator.
pub(super) const PROGRAM: &str = "qemu-system-x86_64";

/// What the arguments refer to, below one directory.
#[derive(Debug)]
pub(super) struct Files<'a> {
    /// The machine's own directory.
    pub(super) directory: &'a Path,
}

impl Files<'_> {
    /// Where the console goes.
    pub(super) fn console(&self) -> PathBuf {
        self.directory.join("console")
    }

    /// Where the guest's outbox goes, as tar.
    pub(super) fn outbox(&self) -> PathBuf {
        self.directory.join("outbox.tar")
    }

    /// What the guest unpacks when it is told to go.
    pub(super) fn luggage(&self) -> PathBuf {
        self.directory.join("luggage")
    }

    /// What the kernel unpacks.
    pub(super) fn initramfs(&self) -> PathBuf {
        self.directory.join("initramfs")
    }

    /// Where the monitor listens.
    pub(super) fn monitor(&self) -> PathBuf {
        self.directory.join("monitor.sock")
    }
}

/// How a machine comes to life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Birth<'a> {
    /// By booting this kernel's image, with all devices in place.
    Boot(&'a Path),
    /// The same, without network and drive: to be saved.
    Bare(&'a Path),
    /// From a saved state, which the monitor is told of. Network and drive are plugged in then.
    Restore,
}

/// All arguments. The second serial port is QEMU's standard input and output.
pub(super) fn arguments(vm: &Vm, files: &Files<'_>, birth: Birth<'_>) -> Vec<String> {
    let mut line = processor(vm);
    let mut add = |key: &str, value: String| line.extend([key.to_owned(), value]);
    add("-smp", vm.cpus.to_string());
    add("-m", vm.memory_mib.to_string());
    match birth {
        Birth::Boot(image) | Birth::Bare(image) => {
            add("-kernel", image.display().to_string());
            add("-initrd", files.initramfs().display().to_string());
            // Mitigations cost much in emulation and change no count.
            add("-append", "console=ttyS0 rdinit=/init panic=-1 mitigations=off quiet".to_owned());
        }
        Birth::Restore => add("-incoming", "defer".to_owned()),
    }
    add("-display", "none".to_owned());
    add("-monitor", "none".to_owned());
    add("-qmp", format!("unix:{},server=on,wait=off", files.monitor().display()));
    add("-serial", format!("file:{}", files.console().display()));
    add("-serial", "stdio".to_owned());
    add("-device", "virtio-serial-pci".to_owned());
    add("-chardev", format!("file,id=outbox,path={}", files.outbox().display()));
    add("-device", "virtserialport,chardev=outbox,name=outbox".to_owned());
    if let HostEnd::OvsDpdk { .. } = vm.host_end {
        // The switch reads and writes the guest's memory.
        add("-object", format!("memory-backend-memfd,id=memory,size={}M,share=on", vm.memory_mib));
        add("-machine", "memory-backend=memory".to_owned());
        let socket = Switch::socket(files.directory);
        add("-chardev", format!("socket,id=switch,path={},server=on,wait=off", socket.display()));
    }
    if !matches!(birth, Birth::Bare(_)) {
        add("-netdev", netdev(vm));
        let drive = format!("if=none,id=luggage,format=raw,readonly=on,file={}", files.luggage().display());
        add("-drive", drive);
    }
    if matches!(birth, Birth::Boot(_)) {
        for device in devices(vm) {
            add("-device", device);
        }
    }
    line.extend(["-nodefaults", "-no-user-config", "-no-reboot"].map(str::to_owned));
    line
}

/// What runs the guest's instructions, and which processor it sees.
pub(super) fn processor(vm: &Vm) -> Vec<String> {
    let arguments = match vm.accel {
        // qemu64 is what all four kernels boot on in emulation.
        Accel::Emulated => ["-accel", "tcg,thread=multi", "-cpu", "qemu64"],
        Accel::Kvm => ["-accel", "kvm", "-cpu", "host"],
    };
    arguments.map(str::to_owned).to_vec()
}

/// Network and drive.
pub(super) fn devices(vm: &Vm) -> [String; 2] {
    ["virtio-blk-pci,drive=luggage".to_owned(), nic(vm)]
}

fn netdev(vm: &Vm) -> String {
    match vm.host_end {
        HostEnd::Tap if vm.queues > 1 => {
            format!("tap,id=net0,ifname={TAP},script=no,downscript=no,queues={}", vm.queues)
        }
        HostEnd::Tap => format!("tap,id=net0,ifname={TAP},script=no,downscript=no"),
        HostEnd::User => "user,id=net0,net=10.10.1.0/24,host=10.10.1.10,ipv6-prefix=fd00:10:10:1::,ipv6-host=fd00:10:10:1::10".to_owned(),
        HostEnd::OvsDpdk { .. } => format!("vhost-user,id=net0,chardev=switch,queues={}", vm.queues),
    }
}

fn nic(vm: &Vm) -> String {
    let mut device = format!("{},netdev=net0,mac=52:54:00:10:10:02", vm.model);
    if vm.queues > 1 {
        // A vector for each direction of each queue, one for control and one for changes of configuration.
        device.push_str(&format!(",mq=on,vectors={}", 2 * vm.queues + 2));
    }
    if let Some(properties) = &vm.nic {
        device.push(',');
        device.push_str(properties);
    }
    device
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kernel;

    #[test]
    fn several_queues_need_vectors_on_the_device_and_queues_on_the_tap() {
        let vm = Vm::new(Kernel::V6_1).queues(4).nic("csum=off");
        assert!(nic(&vm).ends_with("mq=on,vectors=10,csum=off"));
        assert!(netdev(&vm).ends_with("queues=4"));
    }
}

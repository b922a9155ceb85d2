//! QEMU's command line.

use std::path::Path;

use super::host_end::TAP;
use super::{Accel, HostEnd, Vm};

/// What the arguments refer to.
#[derive(Debug)]
pub(super) struct Files<'a> {
    /// The kernel's image.
    pub(super) image: &'a Path,
    /// The guest's file system.
    pub(super) initramfs: &'a Path,
    /// Where the console goes.
    pub(super) console: &'a Path,
    /// Where the guest's outbox goes, as tar.
    pub(super) outbox: &'a Path,
    /// Where a switch connects to.
    pub(super) vhost_user: &'a Path,
}

/// All arguments. The second serial port is QEMU's standard input and output.
pub(super) fn arguments(vm: &Vm, files: &Files<'_>) -> Vec<String> {
    let Files { image, initramfs, console, outbox, vhost_user } = files;
    let accel = match vm.accel {
        // qemu64 is what all four kernels boot on in emulation.
        Accel::Emulated => ["-accel", "tcg,thread=multi", "-cpu", "qemu64"],
        Accel::Kvm => ["-accel", "kvm", "-cpu", "host"],
    };
    let mut line: Vec<String> = accel.map(str::to_owned).to_vec();
    let mut add = |key: &str, value: String| line.extend([key.to_owned(), value]);
    add("-smp", vm.cpus.to_string());
    add("-m", vm.memory_mib.to_string());
    add("-kernel", image.display().to_string());
    add("-initrd", initramfs.display().to_string());
    // Mitigations cost much in emulation and change no count.
    add("-append", "console=ttyS0 rdinit=/init panic=-1 mitigations=off quiet".to_owned());
    add("-display", "none".to_owned());
    add("-monitor", "none".to_owned());
    add("-serial", format!("file:{}", console.display()));
    add("-serial", "stdio".to_owned());
    add("-device", "virtio-serial-pci".to_owned());
    add("-chardev", format!("file,id=outbox,path={}", outbox.display()));
    add("-device", "virtserialport,chardev=outbox,name=outbox".to_owned());
    if let HostEnd::OvsDpdk { .. } = vm.host_end {
        // The switch reads and writes the guest's memory.
        add("-object", format!("memory-backend-memfd,id=memory,size={}M,share=on", vm.memory_mib));
        add("-machine", "memory-backend=memory".to_owned());
        add("-chardev", format!("socket,id=switch,path={},server=on,wait=off", vhost_user.display()));
    }
    add("-netdev", netdev(vm));
    add("-device", nic(vm));
    line.extend(["-nodefaults", "-no-user-config", "-no-reboot"].map(str::to_owned));
    line
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
    let mut device = "virtio-net-pci,netdev=net0,mac=52:54:00:10:10:02".to_owned();
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

//! The conditions of a `[Match]` section that are about the machine rather than the interface (`ConditionHost=` and its like in
//! systemd.unit(5); condition.c of systemd, 252 to 257).

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use nix::sys::utsname::{UtsName, uname};
use serde::{Deserialize, Serialize};

use super::Fact;
use super::facts::{read, unread};
use super::pattern::{Quotes, glob_any_case, words};
use super::version;
use crate::device::programs;

/// What the kernel says of the machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostFacts {
    /// The host name now.
    pub name: Fact<String>,
    /// Of the installation, of this boot and of the product, as far as there is each: 32 hexadecimal digits in lower case. The last one is
    /// root's to read.
    pub ids: Vec<Fact<String>>,
    /// As the boot loader gave it.
    pub kernel_command_line: Fact<String>,
    /// `uname -r`.
    pub kernel_release: Fact<String>,
    /// `uname -m`.
    pub machine: Fact<String>,
    /// What the system runs in.
    pub virtualization: Fact<Virtualization>,
    /// Names of what systemd gave udevd.
    pub credentials: Fact<Vec<String>>,
    /// Of what is below `/sys/firmware`: `devicetree`, `efi`.
    pub firmware: Vec<String>,
    /// What a device tree calls the machine, the closest first; empty where there is none.
    pub compatible: Vec<String>,
    /// The fields of `/sys/class/dmi/id`.
    pub smbios: BTreeMap<String, Fact<String>>,
}

/// What `systemd-detect-virt` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Virtualization {
    /// Bare metal.
    None,
    /// In this kind of virtual machine.
    Vm(String),
    /// In this kind of container.
    Container(String),
}

impl Default for HostFacts {
    /// Nothing was read.
    fn default() -> Self {
        Self {
            name: unread(),
            ids: vec![unread()],
            kernel_command_line: unread(),
            kernel_release: unread(),
            machine: unread(),
            virtualization: unread(),
            credentials: unread(),
            firmware: Vec::new(),
            compatible: Vec::new(),
            smbios: BTreeMap::new(),
        }
    }
}

impl HostFacts {
    pub(super) fn read() -> Self {
        let names = uname().map_err(|error| format!("uname: {error}"));
        let of_kernel = |part: fn(&UtsName) -> &OsStr| {
            names.as_ref().map(|names| part(names).to_string_lossy().into_owned()).map_err(String::clone)
        };
        let compatible = fs::read("/proc/device-tree/compatible").unwrap_or_default();
        Self {
            name: of_kernel(UtsName::nodename),
            ids: ["/etc/machine-id", "/proc/sys/kernel/random/boot_id", "/sys/class/dmi/id/product_uuid"]
                .into_iter()
                .filter(|path| Path::new(path).exists())
                .map(|path| id(&read(Path::new(path))?).ok_or_else(|| format!("{path} holds no id")))
                .collect(),
            kernel_command_line: read(Path::new("/proc/cmdline")),
            kernel_release: of_kernel(UtsName::release),
            machine: of_kernel(UtsName::machine),
            virtualization: virtualization(),
            // Where there are none, the directory is not there; but it is not there either where udevd does not run.
            credentials: names_in(Path::new("/run/credentials/systemd-udevd.service")),
            firmware: names_in(Path::new("/sys/firmware")).unwrap_or_default(),
            compatible: String::from_utf8_lossy(&compatible)
                .split_terminator('\0')
                .map(str::to_owned)
                .collect(),
            smbios: smbios(Path::new("/sys/class/dmi/id")),
        }
    }

    /// Whether a condition holds. systemd lets one that it cannot read fail, with a `!` as well.
    pub(super) fn holds(&self, key: &str, value: &str) -> Fact<bool> {
        let (negated, wanted) = match value.strip_prefix('!') {
            Some(wanted) => (true, wanted),
            None => (false, value),
        };
        let held = match key {
            "Host" => self.is_called(wanted).map(Some),
            "Virtualization" => self.runs_in(wanted).map(Some),
            "KernelCommandLine" => self.was_booted_with(wanted).map(Some),
            "KernelVersion" => known(&self.kernel_release).map(|release| version::all_hold(wanted, release)),
            "Credential" => {
                known(&self.credentials).map(|names| Some(names.iter().any(|name| name == wanted)))
            }
            "Architecture" => self.is_a(wanted).map(Some),
            "Firmware" => self.has_firmware(wanted),
            _ => Err("it is not in systemd.link(5) of systemd 257".to_owned()),
        };
        Ok(held?.is_some_and(|held| held != negated))
    }

    fn is_called(&self, wanted: &str) -> Fact<bool> {
        // A host may be named like an id.
        if glob_any_case(wanted, known(&self.name)?) {
            return Ok(true);
        }
        let Some(wanted) = id(wanted) else { return Ok(false) };
        if self.ids.iter().any(|id| id.as_ref() == Ok(&wanted)) {
            return Ok(true);
        }
        match self.ids.iter().find_map(|id| id.as_ref().err()) {
            Some(why) => Err(why.clone()),
            None => Ok(false),
        }
    }

    fn runs_in(&self, wanted: &str) -> Fact<bool> {
        if wanted == "private-users" {
            return Err("whether udevd has users of its own is not asked here".to_owned());
        }
        let here = known(&self.virtualization)?;
        Ok(match wanted.to_ascii_lowercase().as_str() {
            "1" | "yes" | "y" | "true" | "t" | "on" => *here != Virtualization::None,
            "0" | "no" | "n" | "false" | "f" | "off" => *here == Virtualization::None,
            _ => match here {
                Virtualization::None => false,
                Virtualization::Vm(kind) => wanted == "vm" || wanted == kind,
                Virtualization::Container(kind) => wanted == "container" || wanted == kind,
            },
        })
    }

    fn was_booted_with(&self, wanted: &str) -> Fact<bool> {
        let line = known(&self.kernel_command_line)?;
        Ok(words(line, Quotes::Unquote).iter().any(|word| {
            let name = word.split_once('=').map_or(word.as_str(), |(name, _)| name);
            if wanted.contains('=') { word == wanted } else { name == wanted }
        }))
    }

    fn is_a(&self, wanted: &str) -> Fact<bool> {
        let machine = known(&self.machine)?;
        let here =
            architecture(machine).ok_or_else(|| format!("systemd's name for {machine} is not known here"))?;
        if wanted == "native" {
            return Err("what udevd was built for is not known here".to_owned());
        }
        Ok(wanted == here)
    }

    fn has_firmware(&self, wanted: &str) -> Fact<Option<bool>> {
        let argument = |function: &str| wanted.strip_prefix(function)?.strip_prefix('(')?.strip_suffix(')');
        let has = |name: &str| self.firmware.iter().any(|known| known == name);
        if let Some(machine) = argument("device-tree-compatible") {
            return Ok(Some(self.compatible.iter().any(|name| name == machine)));
        }
        if let Some(expression) = argument("smbios-field") {
            let end = expression.find(['=', '!', '<', '>', '$']).unwrap_or(expression.len());
            let (field, expression) = expression.split_at(end);
            return match self.smbios.get(field.trim()) {
                Some(actual) => Ok(version::one_holds(expression, known(actual)?)),
                None => Ok(Some(false)),
            };
        }
        match wanted {
            "uefi" => Ok(Some(has("efi"))),
            "device-tree" => Ok(Some(has("devicetree"))),
            _ => Err(format!("systemd 257 has no kind of firmware {wanted:?}")),
        }
    }
}

fn known<T>(fact: &Fact<T>) -> Fact<&T> {
    fact.as_ref().map_err(String::clone)
}

/// 128 bits in hexadecimal, with dashes or without.
fn id(text: &str) -> Option<String> {
    let digits = text.trim().replace('-', "").to_ascii_lowercase();
    (digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(digits)
}

/// systemd's name for what `uname -m` says (architecture.c), where vmnet may run.
fn architecture(machine: &str) -> Option<&'static str> {
    Some(match machine {
        "x86_64" => "x86-64",
        "i386" | "i486" | "i586" | "i686" => "x86",
        "aarch64" => "arm64",
        "aarch64_be" => "arm64-be",
        "armv6l" | "armv7l" | "armv8l" => "arm",
        "ppc64" => "ppc64",
        "ppc64le" => "ppc64-le",
        "riscv64" => "riscv64",
        "s390x" => "s390x",
        "loongarch64" => "loongarch64",
        _ => return None,
    })
}

/// Asks systemd's own program, which knows as udevd knows.
fn virtualization() -> Fact<Virtualization> {
    let ask = |arguments: &[&str]| {
        let output = programs::system("systemd-detect-virt").args(arguments).output();
        let output = output.map_err(|error| format!("systemd-detect-virt: {error}"))?;
        // Its exit code is not 0 where it says `none`.
        let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        if said.is_empty() { Err("systemd-detect-virt says nothing".to_owned()) } else { Ok(said) }
    };
    match (ask(&[])?.as_str(), ask(&["--container"])?.as_str()) {
        ("none", _) => Ok(Virtualization::None),
        (vm, "none") => Ok(Virtualization::Vm(vm.to_owned())),
        (_, container) => Ok(Virtualization::Container(container.to_owned())),
    }
}

fn names_in(directory: &Path) -> Fact<Vec<String>> {
    let entries =
        fs::read_dir(directory).map_err(|error| format!("cannot read {}: {error}", directory.display()))?;
    Ok(entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
}

fn smbios(directory: &Path) -> BTreeMap<String, Fact<String>> {
    let fields = names_in(directory).unwrap_or_default().into_iter();
    let fields = fields.map(|field| (directory.join(&field), field)).filter(|(path, _)| path.is_file());
    fields.map(|(path, field)| (field, read(&path).map(|text| text.trim_end().to_owned()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host() -> HostFacts {
        HostFacts {
            name: Ok("Web1.example.org".to_owned()),
            ids: vec![
                Ok("0a3fd0c73f3e4c8e8f0e4d1f3a0e3a11".to_owned()),
                Err("product_uuid is root's".to_owned()),
            ],
            kernel_command_line: Ok("root=/dev/vda1 quiet net.ifnames=0 dyndbg=\"file a +p\"\n".to_owned()),
            kernel_release: Ok("6.1.0-25-amd64".to_owned()),
            machine: Ok("x86_64".to_owned()),
            virtualization: Ok(Virtualization::Vm("kvm".to_owned())),
            credentials: Ok(vec!["network.link.50-a".to_owned()]),
            firmware: vec!["efi".to_owned(), "dmi".to_owned()],
            compatible: vec!["raspberrypi,4-model-b".to_owned()],
            smbios: BTreeMap::from([
                ("sys_vendor".to_owned(), Ok("QEMU".to_owned())),
                ("product_serial".to_owned(), Err("permission denied".to_owned())),
            ]),
        }
    }

    #[test]
    fn each_condition_holds_as_systemd_has_it() {
        for (key, value, expected) in [
            ("Host", "web1.*", true),
            ("Host", "web2", false),
            ("Host", "!web2", true),
            ("Host", "0A3FD0C7-3f3e-4c8e-8f0e-4d1f3a0e3a11", true),
            ("Virtualization", "yes", true),
            ("Virtualization", "vm", true),
            ("Virtualization", "kvm", true),
            ("Virtualization", "container", false),
            ("Virtualization", "!container", true),
            ("Virtualization", "no", false),
            ("KernelCommandLine", "quiet", true),
            ("KernelCommandLine", "net.ifnames", true),
            ("KernelCommandLine", "net.ifnames=0", true),
            ("KernelCommandLine", "net.ifnames=1", false),
            ("KernelCommandLine", "net", false),
            ("KernelCommandLine", "!debug", true),
            ("KernelCommandLine", "dyndbg=file a +p", true),
            ("KernelVersion", ">=6.1 <6.2", true),
            ("KernelVersion", "!6.1.*", false),
            ("KernelVersion", ">=", false),
            ("KernelVersion", "!>=", false),
            ("Credential", "network.link.50-a", true),
            ("Credential", "network.link.50-b", false),
            ("Architecture", "x86-64", true),
            ("Architecture", "arm64", false),
            ("Architecture", "!arm64", true),
            ("Firmware", "uefi", true),
            ("Firmware", "device-tree", false),
            ("Firmware", "device-tree-compatible(raspberrypi,4-model-b)", true),
            ("Firmware", "device-tree-compatible(raspberrypi)", false),
            ("Firmware", "smbios-field(sys_vendor=QEMU)", true),
            ("Firmware", "smbios-field(sys_vendor =$ Q*)", true),
            ("Firmware", "smbios-field(no_such=QEMU)", false),
            ("Firmware", "smbios-field(sys_vendor)", false),
        ] {
            assert_eq!(host().holds(key, value), Ok(expected), "{key}={value}");
        }
    }

    #[test]
    fn what_is_not_known_has_its_reason() {
        for (key, value, why) in [
            ("Host", "11111111111111111111111111111111", "product_uuid"),
            ("Virtualization", "private-users", "users"),
            ("Architecture", "native", "built for"),
            ("Firmware", "smbios-field(product_serial=1)", "permission denied"),
            ("Firmware", "coreboot", "coreboot"),
            ("Version", "systemd>=258", "257"),
        ] {
            let said = host().holds(key, value).unwrap_err();
            assert!(said.contains(why), "{key}={value}: {said}");
        }
        for key in
            ["Host", "Virtualization", "KernelCommandLine", "KernelVersion", "Credential", "Architecture"]
        {
            assert!(HostFacts::default().holds(key, "a").is_err(), "{key}");
        }
    }

    #[test]
    fn an_id_is_the_same_with_dashes_and_without() {
        let bare = "0a3fd0c73f3e4c8e8f0e4d1f3a0e3a11".to_owned();
        assert_eq!(id("0A3FD0C7-3f3e-4c8e-8f0e-4d1f3a0e3a11\n"), Some(bare.clone()));
        assert_eq!((id(&bare), id("web1")), (Some(bare), None));
    }

    #[test]
    fn this_machine_is_read() {
        let here = HostFacts::read();
        assert!(here.kernel_release.is_ok() && here.machine.is_ok() && here.name.is_ok());
        assert_eq!(here.holds("KernelVersion", here.kernel_release.as_ref().unwrap()), Ok(true));
    }
}

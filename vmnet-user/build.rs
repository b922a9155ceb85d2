//! Embeds the kernel side, built by `cargo xtask build`, which names it in `VMNET_EBPF_OBJECT`. Without it an empty
//! stub is embedded, so that checking and unit-testing the code needs no eBPF toolchain.

use std::{env, fs, path::PathBuf};

fn main() -> std::io::Result<()> {
    println!("cargo:rerun-if-env-changed=VMNET_EBPF_OBJECT");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("vmnet-ebpf");
    match env::var_os("VMNET_EBPF_OBJECT") {
        Some(object) => {
            println!("cargo:rerun-if-changed={}", PathBuf::from(&object).display());
            fs::copy(object, out)?;
        }
        None => fs::write(out, [])?,
    }
    Ok(())
}

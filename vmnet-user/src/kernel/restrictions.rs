//! Settings of the kernel's that keep programs out, by the names that people know them by.

use std::{fs, path::Path};

/// What verifiers say of a helper that reads the kernel's memory where they may not give it: before 6.8, and since
/// (`check_helper_call`). aya asks for its older twin where it was refused.
const REFUSED_TO_READ: [&str; 2] = ["unknown func bpf_probe_read", "cannot use helper bpf_probe_read"];

/// The setting behind what the kernel answered, in a sentence. None where no such setting is known.
#[must_use]
pub fn behind(refusal: &str) -> Option<String> {
    behind_in(Path::new("/"), refusal)
}

fn behind_in(root: &Path, refusal: &str) -> Option<String> {
    if REFUSED_TO_READ.iter().any(|words| refusal.contains(words)) {
        // `bpf_base_func_proto`: LOCKDOWN_BPF_READ_KERNEL, which is one of confidentiality's.
        let path = root.join("sys/kernel/security/lockdown");
        let known = fs::read_to_string(&path).is_ok_and(|text| text.contains("[confidentiality]"));
        let how = if known { "" } else { ", by what it refused" };
        return Some(format!(
            "the kernel is locked down (lockdown=confidentiality{how}), so no program may read its memory"
        ));
    }
    if refusal.contains("failed to create map")
        && refusal.contains("Operation not permitted")
        && is_memory_limited()
    {
        return Some(
            "kernels before 5.11 charge what programs count in to RLIMIT_MEMLOCK, which is too small here, and to raise it takes \
             CAP_SYS_RESOURCE: `ulimit -l unlimited` beforehand, or LimitMEMLOCK=infinity of a service"
                .to_owned(),
        );
    }
    let is_filtered = || {
        let status = fs::read_to_string(root.join("proc/self/status")).unwrap_or_default();
        status.lines().any(|line| line.strip_prefix("Seccomp:").is_some_and(|mode| mode.trim() == "2"))
    };
    (refusal.contains("Operation not permitted") && is_filtered()).then(|| {
        "a seccomp filter is in force (a container's profile, or a service's SystemCallFilter), which refuses bpf(2) or perf_event_open(2)"
            .to_owned()
    })
}

fn is_memory_limited() -> bool {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the struct outlives the call.
    let answered = unsafe { libc::getrlimit(libc::RLIMIT_MEMLOCK, &raw mut limit) } == 0;
    answered && limit.rlim_cur != libc::RLIM_INFINITY
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (file, content) in files {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        root
    }

    #[test]
    fn a_kernel_that_is_locked_down_is_told_by_its_setting_or_by_what_it_refused() {
        let locked = machine(&[("sys/kernel/security/lockdown", "none integrity [confidentiality]\n")]);
        let unknown = machine(&[]);
        for refusal in [
            "fexit+fentry not loaded (Invalid argument; verifier: unknown func bpf_probe_read#4)",
            "raw_tp not loaded (Invalid argument; verifier: program of this type cannot use helper bpf_probe_read#4)",
        ] {
            let said = behind_in(locked.path(), refusal).unwrap();
            assert!(said.contains("(lockdown=confidentiality)"), "{said}");
            let said = behind_in(unknown.path(), refusal).unwrap();
            assert!(said.contains("lockdown=confidentiality, by what it refused"), "{said}");
        }
    }

    #[test]
    fn a_filter_is_told_only_where_there_is_one_and_something_was_not_permitted() {
        let filtered = machine(&[("proc/self/status", "NoNewPrivs:\t0\nSeccomp:\t2\n")]);
        let free = machine(&[("proc/self/status", "Seccomp:\t0\n")]);
        let refusal = "fexit+fentry not loaded (Operation not permitted)";
        assert!(behind_in(filtered.path(), refusal).unwrap().contains("seccomp"));
        assert_eq!(behind_in(free.path(), refusal), None);
        assert_eq!(behind_in(filtered.path(), "this kernel's BTF has no function x"), None);
    }
}

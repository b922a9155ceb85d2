use proptest::prelude::*;

use super::*;

fn ens4() -> Target {
    Target {
        names: vec!["ens4".to_owned(), "enp0s4".to_owned()],
        mac_address: Some("52:54:00:12:34:56".to_owned()),
        driver: Some("virtio_net".to_owned()),
        kind: None,
    }
}

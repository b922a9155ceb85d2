//! netplan's YAML, and what is like it (cloud-init's network-config version 2): what a file says of each interface.

use saphyr::{LoadableYamlNode as _, MarkedYaml};

/// What one file says of one interface.
pub(crate) struct Definition {
    /// `ethernets`, `bonds`, …
    pub(crate) section: String,
    pub(crate) id: String,
    pub(crate) set_name: Option<String>,
    pub(crate) matches: Option<Match>,
    /// Each key of the definition that has a value.
    pub(crate) scalars: Vec<Scalar>,
}

/// Which interface is meant, where that is not the one called like the id.
#[derive(Default)]
pub(crate) struct Match {
    pub(crate) name: Option<String>,
    pub(crate) mac: Option<String>,
    pub(crate) drivers: Vec<String>,
}

/// A key with its value as text.
pub(crate) struct Scalar {
    pub(crate) key: String,
    pub(crate) value: String,
    /// Of the key, from 1.
    pub(crate) line: usize,
}

/// A file that is no YAML.
pub(crate) struct Damage {
    /// From 1.
    pub(crate) line: usize,
    pub(crate) why: String,
}

/// The keys above an interface's.
const SECTIONS: [&str; 9] =
    ["ethernets", "vlans", "bonds", "bridges", "tunnels", "wifis", "modems", "vrfs", "dummy-devices"];

/// All definitions of a file, in order.
pub(crate) fn definitions(text: &str) -> Result<Vec<Definition>, Damage> {
    let documents = MarkedYaml::load_from_str(text)
        .map_err(|error| Damage { line: error.marker().line(), why: error.info().to_owned() })?;
    let mut all = Vec::new();
    for document in &documents {
        // cloud-init leaves out the outermost key.
        let network = document.data.as_mapping_get("network").unwrap_or(document);
        let Some(sections) = network.data.as_mapping() else { continue };
        for (section, interfaces) in sections {
            let Some(section) = section.data.as_str().filter(|name| SECTIONS.contains(name)) else {
                continue;
            };
            let Some(interfaces) = interfaces.data.as_mapping() else { continue };
            let named = interfaces.iter().filter_map(|(id, node)| Some((id.data.as_str()?, node)));
            all.extend(named.map(|(id, node)| Definition {
                section: section.to_owned(),
                id: id.to_owned(),
                set_name: text_of(node, "set-name"),
                matches: node.data.as_mapping_get("match").map(match_of),
                scalars: scalars_of(node),
            }));
        }
    }
    Ok(all)
}

fn match_of(node: &MarkedYaml<'_>) -> Match {
    let driver = node.data.as_mapping_get("driver").map(|driver| &driver.data);
    let one = driver.and_then(|driver| driver.as_str()).into_iter();
    let several = driver.and_then(|driver| driver.as_sequence()).into_iter().flatten();
    let drivers = one.chain(several.filter_map(|one| one.data.as_str())).map(str::to_owned).collect();
    Match { name: text_of(node, "name"), mac: text_of(node, "macaddress"), drivers }
}

fn text_of(node: &MarkedYaml<'_>, key: &str) -> Option<String> {
    node.data.as_mapping_get(key)?.data.as_str().map(str::to_owned)
}

fn scalars_of(node: &MarkedYaml<'_>) -> Vec<Scalar> {
    let Some(mapping) = node.data.as_mapping() else { return Vec::new() };
    let scalar = |(key, value): (&MarkedYaml<'_>, &MarkedYaml<'_>)| {
        let text = value.data.as_bool().map(|on| on.to_string());
        let value = text.or_else(|| value.data.as_str().map(str::to_owned))?;
        Some(Scalar { key: key.data.as_str()?.to_owned(), value, line: key.span.start.line() })
    };
    mapping.iter().filter_map(scalar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_interface_is_told_with_the_lines_of_its_keys() {
        let text = "network:\n  version: 2\n  ethernets:\n    nic:\n      match: {driver: [virtio_net, veth]}\n      \
                    tcp-segmentation-offload: no\n  vlans:\n    v5: {id: 5, link: nic}\n";
        let Ok(found) = definitions(text) else { panic!("it is YAML") };
        let said: Vec<_> = found.iter().map(|one| (one.section.as_str(), one.id.as_str())).collect();
        assert_eq!(said, [("ethernets", "nic"), ("vlans", "v5")]);
        assert_eq!(found[0].matches.as_ref().unwrap().drivers, ["virtio_net", "veth"]);
        let scalar = &found[0].scalars[0];
        assert_eq!(
            (scalar.key.as_str(), scalar.value.as_str(), scalar.line),
            ("tcp-segmentation-offload", "no", 6)
        );
    }

    #[test]
    fn without_the_outermost_key_it_is_cloud_inits_and_what_is_no_yaml_says_where() {
        assert_eq!(definitions("ethernets:\n  eth0: {dhcp4: true}\n").map(|found| found.len()).ok(), Some(1));
        assert_eq!(definitions("just words").map(|found| found.len()).ok(), Some(0));
        assert!(definitions("a: [1,\nb").is_err_and(|damage| damage.line >= 1 && !damage.why.is_empty()));
    }
}

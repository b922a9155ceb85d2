//! Holds ARCHITECTURE.md's map against the house: what each room imports, outside its tests, is what its row says.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use syn::visit::{self, Visit};

type Rooms = BTreeMap<String, BTreeSet<String>>;

/// `stats` and `units` are parts of the crate `vmnet-model`.
fn room_of(name: &str) -> &str {
    if matches!(name, "stats" | "units") { "model" } else { name }
}

/// What follows `crate::`, wherever it stands.
#[derive(Default)]
struct Imports(BTreeSet<String>);

impl Imports {
    fn add_tree(&mut self, tree: &syn::UseTree, is_below_crate: bool) {
        match tree {
            syn::UseTree::Path(path) if is_below_crate => self.add(&path.ident),
            syn::UseTree::Path(path) => self.add_tree(&path.tree, path.ident == "crate"),
            syn::UseTree::Group(group) => {
                group.items.iter().for_each(|tree| self.add_tree(tree, is_below_crate));
            }
            syn::UseTree::Name(name) if is_below_crate => self.add(&name.ident),
            syn::UseTree::Rename(name) if is_below_crate => self.add(&name.ident),
            _ => {}
        }
    }

    fn add(&mut self, name: &syn::Ident) {
        self.0.insert(room_of(&name.to_string()).to_owned());
    }
}

fn is_of_tests(attributes: &[syn::Attribute]) -> bool {
    let is_test = |attribute: &syn::Attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Path>().is_ok_and(|path| path.is_ident("test"))
    };
    attributes.iter().any(is_test)
}

impl<'ast> Visit<'ast> for Imports {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        match item {
            syn::Item::Mod(module) if is_of_tests(&module.attrs) => {}
            syn::Item::Use(import) if is_of_tests(&import.attrs) => {}
            syn::Item::Use(import) => self.add_tree(&import.tree, false),
            _ => visit::visit_item(self, item),
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let mut names = path.segments.iter().map(|segment| &segment.ident);
        if names.next().is_some_and(|first| first == "crate")
            && let Some(room) = names.next()
        {
            self.add(room);
        }
        visit::visit_path(self, path);
    }
}

/// Files of modules that are for tests alone, as their declarations say.
fn read(file: &Path, imports: &mut Imports) {
    let Ok(text) = fs::read_to_string(file) else { return };
    let parsed = syn::parse_file(&text).unwrap();
    imports.visit_file(&parsed);
    let name = file.file_stem().unwrap().to_string_lossy();
    let directory = if name == "mod" { file.parent().unwrap().to_owned() } else { file.with_extension("") };
    for item in &parsed.items {
        let syn::Item::Mod(module) = item else { continue };
        if module.content.is_none() && !is_of_tests(&module.attrs) {
            let beside = directory.join(format!("{}.rs", module.ident));
            let folder = directory.join(module.ident.to_string()).join("mod.rs");
            read(if beside.is_file() { &beside } else { &folder }, imports);
        }
    }
}

fn house() -> Rooms {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let entries = fs::read_dir(&source).unwrap().map(|entry| entry.unwrap().path());
    let rooms = entries.filter(|path| path.join("mod.rs").is_file() || path.ends_with("output.rs"));
    rooms
        .map(|path| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            let mut imports = Imports::default();
            read(&if path.is_dir() { path.join("mod.rs") } else { path }, &mut imports);
            imports.0.remove(&name);
            (name, imports.0)
        })
        .collect()
}

/// Its third column, of the rows whose first is `…/ROOM`.
fn map() -> Rooms {
    let text = include_str!("../../ARCHITECTURE.md");
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `…/"));
    rows.map(|row| {
        let (name, rest) = row.split_once('`').unwrap();
        let last = rest.trim_end().trim_end_matches('|').rsplit(" | ").next().unwrap();
        let named = last.split('`').skip(1).step_by(2).map(str::to_owned);
        (name.to_owned(), named.filter(|name| name.chars().all(|c| c.is_ascii_lowercase())).collect())
    })
    .collect()
}

#[test]
fn the_map_is_the_house() {
    let (map, house) = (map(), house());
    let row = |(name, imports): (&String, &BTreeSet<String>)| {
        format!("{name}: {}", imports.iter().cloned().collect::<Vec<_>>().join(", "))
    };
    let shown = |rooms: &Rooms| rooms.iter().map(row).collect::<Vec<_>>().join("\n");
    assert_eq!(shown(&map), shown(&house), "left: ARCHITECTURE.md, right: the imports");
}

//! A reader of BTF, the kernel's description of its own types: enough to find members, functions and enumerators.
//!
//! aya reads BTF too, but does not show members. Format: `include/uapi/linux/btf.h`, kernels 5.2 to 7.2.

use std::{collections::HashMap, path::Path};

use thiserror::Error;

/// Where the running kernel keeps its BTF.
pub const VMLINUX: &str = "/sys/kernel/btf/vmlinux";

const MAGIC: u16 = 0xeb9f;
/// The kind of enumerations whose values take 64 bits.
const ENUM64: u32 = 19;
/// Structures nest; anonymous ones deeper than this are a damaged file.
const MAX_DEPTH: u32 = 16;

/// Why types could not be read.
#[derive(Debug, Error)]
pub enum BtfError {
    /// No file: the kernel was built without CONFIG_DEBUG_INFO_BTF.
    #[error("could not read {path}: {source}; the kernel needs CONFIG_DEBUG_INFO_BTF")]
    Unreadable {
        /// What was tried.
        path: String,
        /// What the kernel answered.
        source: std::io::Error,
    },
    /// Not BTF, or cut off.
    #[error("{0} at byte {1} of the BTF")]
    Damaged(&'static str, usize),
    /// No such type.
    #[error("the kernel's BTF has no {kind} named {name}")]
    NoType {
        /// struct, enumerator, …
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// No such member.
    #[error("the kernel's struct {structure} has no member {member}")]
    NoMember {
        /// The structure.
        structure: String,
        /// The member, dotted where it is nested.
        member: String,
    },
}

/// What a BTF type is. The numbers are `BTF_KIND_*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Struct,
    Union,
    Modifier,
    Function,
    Typedef,
    Enum,
    Other,
}

impl Kind {
    fn of(number: u32) -> Self {
        match number {
            4 => Self::Struct,
            5 => Self::Union,
            6 | ENUM64 => Self::Enum,
            8 => Self::Typedef,
            9..=11 | 18 => Self::Modifier,
            12 => Self::Function,
            _ => Self::Other,
        }
    }
}

/// Where a member lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// From the start of the outermost structure.
    pub offset_bits: u32,
    /// Width of a bit field; 0 for other members.
    pub bitfield_bits: u32,
}

/// Types of one kernel, indexed by name.
pub struct Btf {
    data: Vec<u8>,
    /// Byte of each type; type 0 is void.
    types: Vec<usize>,
    strings: usize,
    strings_end: usize,
    structs: HashMap<String, u32>,
    functions: HashMap<String, u32>,
    typedefs: HashMap<String, u32>,
    /// Byte of each enumeration.
    enums: Vec<usize>,
}

impl Btf {
    /// The running kernel's types.
    ///
    /// # Errors
    /// [`BtfError::Unreadable`] where the kernel has none, [`BtfError::Damaged`] where they make no sense.
    pub fn running() -> Result<Self, BtfError> {
        Self::from_file(Path::new(VMLINUX))
    }

    /// Types in a file.
    ///
    /// # Errors
    /// As [`Self::running`].
    pub fn from_file(path: &Path) -> Result<Self, BtfError> {
        let data = std::fs::read(path)
            .map_err(|source| BtfError::Unreadable { path: path.display().to_string(), source })?;
        Self::parse(data)
    }

    /// Types in memory.
    ///
    /// # Errors
    /// [`BtfError::Damaged`].
    pub fn parse(data: Vec<u8>) -> Result<Self, BtfError> {
        let magic = data.get(..2).map(|two| u16::from_ne_bytes([two[0], two[1]]));
        if magic != Some(MAGIC) {
            return Err(BtfError::Damaged("no magic number", 0));
        }
        let header_len = word(&data, 4)? as usize;
        let section = |at: usize| -> Result<(usize, usize), BtfError> {
            let start = header_len.saturating_add(word(&data, at)? as usize);
            let end = start.saturating_add(word(&data, at + 4)? as usize);
            if end > data.len() {
                Err(BtfError::Damaged("a section beyond the end", at))
            } else {
                Ok((start, end))
            }
        };
        let (types_start, types_end) = section(8)?;
        let (strings, strings_end) = section(16)?;
        let mut btf = Self {
            types: vec![0],
            strings,
            strings_end,
            structs: HashMap::new(),
            functions: HashMap::new(),
            typedefs: HashMap::new(),
            enums: Vec::new(),
            data,
        };
        let mut at = types_start;
        while at < types_end {
            let id = btf.types.len() as u32;
            let info = word(&btf.data, at + 4)?;
            btf.types.push(at);
            let kind = Kind::of(kind_number(info));
            if kind == Kind::Enum {
                btf.enums.push(at);
            }
            if matches!(kind, Kind::Struct | Kind::Function | Kind::Typedef) {
                let name = btf.name_of(at)?.to_owned();
                match kind {
                    Kind::Struct => btf.structs.insert(name, id),
                    Kind::Function => btf.functions.insert(name, id),
                    _ => btf.typedefs.insert(name, id),
                };
            }
            at = at
                .checked_add(12 + body_len(info).ok_or(BtfError::Damaged("an unknown kind of type", at))?)
                .ok_or(BtfError::Damaged("a type too long", at))?;
        }
        Ok(btf)
    }

    /// Whether the kernel describes a function of this very name (one that was inlined everywhere is not there).
    #[must_use]
    pub fn has_function(&self, name: &str) -> bool {
        self.functions.contains_key(name)
    }

    /// Whether the kernel describes a tracepoint (`btf_trace_NAME`).
    #[must_use]
    pub fn has_tracepoint(&self, name: &str) -> bool {
        self.tracepoint(name).is_some()
    }

    /// The number of a tracepoint's type, by which a program of tp_btf names it.
    #[must_use]
    pub fn tracepoint(&self, name: &str) -> Option<u32> {
        self.typedefs.get(&format!("btf_trace_{name}")).copied()
    }

    /// Finds `structure.member`, looking into anonymous members; dots in `member` descend into named ones.
    ///
    /// # Errors
    /// [`BtfError::NoType`], [`BtfError::NoMember`], [`BtfError::Damaged`].
    pub fn member(&self, structure: &str, member: &str) -> Result<Member, BtfError> {
        let mut id = *self
            .structs
            .get(structure)
            .ok_or_else(|| BtfError::NoType { kind: "struct", name: structure.to_owned() })?;
        let mut found = Member { offset_bits: 0, bitfield_bits: 0 };
        for name in member.split('.') {
            let (step, type_id) = self.find(id, name, MAX_DEPTH)?.ok_or_else(|| BtfError::NoMember {
                structure: structure.to_owned(),
                member: member.to_owned(),
            })?;
            found.offset_bits = found.offset_bits.saturating_add(step.offset_bits);
            found.bitfield_bits = step.bitfield_bits;
            id = type_id;
        }
        Ok(found)
    }

    /// The values of enumerators, whatever enumeration they are of; those that the kernel does not have are left out. Values of
    /// 32 bits come without their sign: they are flags.
    ///
    /// # Errors
    /// [`BtfError::Damaged`].
    pub fn enumerators<'a>(&self, names: &[&'a str]) -> Result<HashMap<&'a str, u64>, BtfError> {
        let wanted: HashMap<&str, &'a str> = names.iter().map(|name| (*name, *name)).collect();
        let mut found = HashMap::new();
        for &at in &self.enums {
            let info = word(&self.data, at + 4)?;
            let is_wide = kind_number(info) == ENUM64;
            for index in 0..(info & 0xffff) as usize {
                let entry = at + 12 + index * if is_wide { 12 } else { 8 };
                if let Some(name) = wanted.get(self.string(word(&self.data, entry)? as usize)?) {
                    let high = if is_wide { word(&self.data, entry + 8)? } else { 0 };
                    let value = u64::from(high) << 32 | u64::from(word(&self.data, entry + 4)?);
                    found.entry(*name).or_insert(value);
                }
            }
        }
        Ok(found)
    }

    fn find(&self, id: u32, name: &str, depth: u32) -> Result<Option<(Member, u32)>, BtfError> {
        let Some(id) = self.strip_modifiers(id)? else { return Ok(None) };
        let at = self.at(id)?;
        let info = word(&self.data, at + 4)?;
        if depth == 0 || !matches!(Kind::of(kind_number(info)), Kind::Struct | Kind::Union) {
            return Ok(None);
        }
        let has_bitfields = info >> 31 == 1;
        for index in 0..(info & 0xffff) as usize {
            let member = at + 12 + index * 12;
            let type_id = word(&self.data, member + 4)?;
            let packed = word(&self.data, member + 8)?;
            let (offset_bits, bitfield_bits) =
                if has_bitfields { (packed & 0x00ff_ffff, packed >> 24) } else { (packed, 0) };
            let member_name = self.string(word(&self.data, member)? as usize)?;
            if member_name == name {
                return Ok(Some((Member { offset_bits, bitfield_bits }, type_id)));
            }
            if member_name.is_empty()
                && let Some((mut inner, type_id)) = self.find(type_id, name, depth - 1)?
            {
                inner.offset_bits = inner.offset_bits.saturating_add(offset_bits);
                return Ok(Some((inner, type_id)));
            }
        }
        Ok(None)
    }

    fn strip_modifiers(&self, mut id: u32) -> Result<Option<u32>, BtfError> {
        for _ in 0..MAX_DEPTH {
            if id == 0 {
                return Ok(None);
            }
            let at = self.at(id)?;
            match Kind::of(kind_number(word(&self.data, at + 4)?)) {
                Kind::Modifier | Kind::Typedef => id = word(&self.data, at + 8)?,
                _ => return Ok(Some(id)),
            }
        }
        Ok(None)
    }

    fn at(&self, id: u32) -> Result<usize, BtfError> {
        self.types
            .get(id as usize)
            .copied()
            .ok_or(BtfError::Damaged("a reference to a missing type", id as usize))
    }

    fn name_of(&self, at: usize) -> Result<&str, BtfError> {
        self.string(word(&self.data, at)? as usize)
    }

    fn string(&self, offset: usize) -> Result<&str, BtfError> {
        let damaged = || BtfError::Damaged("a name beyond the strings", offset);
        let start =
            self.strings.checked_add(offset).filter(|start| *start < self.strings_end).ok_or_else(damaged)?;
        let bytes = self.data.get(start..self.strings_end).ok_or_else(damaged)?;
        let end = bytes.iter().position(|byte| *byte == 0).ok_or_else(damaged)?;
        std::str::from_utf8(&bytes[..end]).map_err(|_| damaged())
    }
}

fn word(data: &[u8], at: usize) -> Result<u32, BtfError> {
    at.checked_add(4)
        .and_then(|end| data.get(at..end))
        .and_then(|bytes| bytes.try_into().ok())
        .map(u32::from_ne_bytes)
        .ok_or(BtfError::Damaged("the end", at))
}

fn kind_number(info: u32) -> u32 {
    info >> 24 & 0x1f
}

/// Bytes that follow the 12 of every type; None for kinds that did not exist when this was written.
fn body_len(info: u32) -> Option<usize> {
    let vlen = (info & 0xffff) as usize;
    Some(match kind_number(info) {
        1 | 14 | 17 => 4,
        3 => 12,
        4 | 5 | 15 | 19 => vlen * 12,
        6 | 13 => vlen * 8,
        2 | 7..=12 | 16 | 18 => 0,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hand-made BTF: `struct outer { u32 a; struct { u32 b:3; u32 c:5; }; struct inner in; }`, `struct inner { u32 x; u32 y; }`,
    /// `enum { low = -1, high = 1 << 31 }`, `enum { wide = 1 << 40 }`.
    fn sample() -> Vec<u8> {
        let strings = b"\0u32\0outer\0inner\0a\0b\0c\0in\0x\0y\0do_it\0low\0high\0wide\0";
        let name = |text: &str| {
            let needle = [b"\0", text.as_bytes(), b"\0"].concat();
            strings.windows(needle.len()).position(|window| window == needle).unwrap() as u32 + 1
        };
        let mut types: Vec<u32> = Vec::new();
        types.extend([name("u32"), 1 << 24, 4, 32]); // 1: int
        types.extend([0, 1 << 31 | 4 << 24 | 2, 4]); // 2: anonymous struct with bit fields
        types.extend([name("b"), 1, 3 << 24, name("c"), 1, 5 << 24 | 3]);
        types.extend([name("inner"), 4 << 24 | 2, 8, name("x"), 1, 0, name("y"), 1, 32]); // 3
        types.extend([0, 10 << 24, 3]); // 4: const inner
        types.extend([name("outer"), 4 << 24 | 3, 16]); // 5
        types.extend([name("a"), 1, 0, 0, 2, 32, name("in"), 4, 64]);
        types.extend([0, 13 << 24, 0]); // 6: function prototype
        types.extend([name("do_it"), 12 << 24, 6]); // 7
        types.extend([0, 1 << 31 | 6 << 24 | 2, 4, name("low"), u32::MAX, name("high"), 1 << 31]); // 8
        types.extend([0, 19 << 24 | 1, 8, name("wide"), 0, 1 << 8]); // 9
        let types: Vec<u8> = types.iter().flat_map(|word| word.to_ne_bytes()).collect();
        let mut data = Vec::new();
        data.extend(MAGIC.to_ne_bytes());
        data.extend([1, 0]);
        for word in [24, 0, types.len() as u32, types.len() as u32, strings.len() as u32] {
            data.extend(word.to_ne_bytes());
        }
        data.extend(types);
        data.extend(strings);
        data
    }

    #[test]
    fn members_are_found_plain_nested_and_anonymous() {
        let btf = Btf::parse(sample()).unwrap();
        let at = |offset_bits, bitfield_bits| Member { offset_bits, bitfield_bits };
        assert_eq!(btf.member("outer", "a").unwrap(), at(0, 0));
        assert_eq!(btf.member("outer", "b").unwrap(), at(32, 3));
        assert_eq!(btf.member("outer", "c").unwrap(), at(35, 5));
        assert_eq!(btf.member("outer", "in.y").unwrap(), at(96, 0));
        assert!(btf.has_function("do_it"));
        assert!(!btf.has_function("do_it.isra.0"));
    }

    #[test]
    fn enumerators_are_found_of_either_width_and_those_that_are_missing_are_left_out() {
        let btf = Btf::parse(sample()).unwrap();
        let found = btf.enumerators(&["high", "wide", "do_it", "none"]).unwrap();
        assert_eq!(found, HashMap::from([("high", 1 << 31), ("wide", 1 << 40)]));
    }

    #[test]
    fn what_is_not_there_is_named() {
        let btf = Btf::parse(sample()).unwrap();
        assert_eq!(
            btf.member("outer", "in.z").unwrap_err().to_string(),
            "the kernel's struct outer has no member in.z"
        );
        assert_eq!(
            btf.member("other", "a").err().unwrap().to_string(),
            "the kernel's BTF has no struct named other"
        );
    }

    #[test]
    fn truncated_and_altered_bytes_never_panic() {
        let whole = sample();
        for len in 0..whole.len() {
            if let Ok(btf) = Btf::parse(whole[..len].to_vec()) {
                let _ = btf.member("outer", "in.y");
                let _ = btf.enumerators(&["low", "wide"]);
            }
        }
        for index in 0..whole.len() {
            let mut altered = whole.clone();
            altered[index] ^= 0xff;
            if let Ok(btf) = Btf::parse(altered) {
                let _ = btf.member("outer", "in.y");
                let _ = btf.member("outer", "c");
                let _ = btf.enumerators(&["low", "wide"]);
            }
        }
    }
}

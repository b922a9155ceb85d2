//! Counters name themselves where they are laid out, so that a word and its column in a recording
//! cannot part.

/// An enum that indexes an array: its variants in order, their number, and the names of the places.
macro_rules! indices {
    (
        $(#[$meta:meta])*
        pub enum $name:ident, $count:ident {
            $($(#[$doc:meta])* $variant:ident => $label:literal,)*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(usize)]
        pub enum $name {
            $($(#[$doc])* $variant,)*
        }

        #[doc = concat!("Number of [`", stringify!($name), "`]s.")]
        pub const $count: usize = [$($label),*].len();

        impl $name {
            /// All of them, each at its own index.
            pub const ALL: [Self; $count] = [$(Self::$variant),*];
            /// Their names, each at its own index. Recordings keep them.
            pub const NAMES: [&'static str; $count] = [$($label),*];
        }
    };
}

/// A struct of words, each of which has a name: its field's. A pattern behind `=>` takes the place of
/// the field's name; `{lane}` and the like in it stand for an array's index, the outermost first. An
/// empty pattern adds nothing to the names of what is inside.
macro_rules! counters {
    (
        $(#[$meta:meta])*
        pub struct $name:ident {
            $($(#[$doc:meta])* pub $field:ident: $type:ty $(=> $pattern:literal)?,)*
        }
    ) => {
        $(#[$meta])*
        pub struct $name {
            $($(#[$doc])* pub $field: $type,)*
        }

        #[cfg(feature = "user")]
        impl $crate::names::Named for $name {
            fn names(place: &str, names: &mut alloc::vec::Vec<alloc::string::String>) {
                $({
                    let own = [stringify!($field) $(, $pattern)?];
                    let place = $crate::names::within(place, own[own.len() - 1]);
                    <$type as $crate::names::Named>::names(&place, names);
                })*
            }
        }
    };
}

pub(crate) use {counters, indices};

#[cfg(feature = "user")]
mod user {
    use alloc::{borrow::ToOwned, format, string::String, string::ToString, vec::Vec};

    use crate::{Caller, Class, Lane, Refusal, Stage, bucket_lower};

    /// What has a name for each of its words.
    pub(crate) trait Named {
        /// Adds the names of its words, in their order. `place` is where it stands.
        fn names(place: &str, names: &mut Vec<String>);
    }

    impl Named for u64 {
        fn names(place: &str, names: &mut Vec<String>) {
            names.push(place.to_owned());
        }
    }

    impl<T: Named, const N: usize> Named for [T; N] {
        fn names(place: &str, names: &mut Vec<String>) {
            (0..N).for_each(|index| T::names(&at(place, index), names));
        }
    }

    /// The names of all words of a struct.
    pub(crate) fn of<T: Named>() -> Vec<String> {
        let mut names = Vec::with_capacity(size_of::<T>() / size_of::<u64>());
        T::names("", &mut names);
        names
    }

    /// `name` within `place`; either may be empty.
    pub(crate) fn within(place: &str, name: &str) -> String {
        let dot = if place.is_empty() || name.is_empty() { "" } else { "." };
        format!("{place}{dot}{name}")
    }

    /// `place` with `index` in the first of its braces.
    fn at(place: &str, index: usize) -> String {
        let parts = place.split_once('{').and_then(|(before, rest)| Some((before, rest.split_once('}')?)));
        let Some((before, (kind, after))) = parts else { return within(place, &index.to_string()) };
        let name = match kind {
            "stage" => Stage::NAMES.get(index),
            "lane" => Lane::NAMES.get(index),
            "class" => Class::NAMES.get(index),
            "caller" => Caller::NAMES.get(index),
            "refusal" => Refusal::NAMES.get(index),
            _ => None,
        };
        // A bucket goes by the smallest value that falls into it.
        let name = name.map_or_else(|| bucket_lower(index).to_string(), |name| (*name).to_owned());
        format!("{before}{name}{after}")
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use crate::{Counters, LANES};

        #[test]
        fn every_word_has_a_name_of_its_own() {
            let names = Counters::names();
            assert_eq!(names.len(), size_of::<Counters>() / size_of::<u64>());
            let mut sorted = names.clone();
            sorted.sort_unstable();
            sorted.dedup();
            assert_eq!(sorted.len(), names.len());
            assert!(names.iter().all(|name| !name.contains(['{', '}']) && !name.ends_with('.')));
        }

        #[test]
        fn an_index_stands_where_its_enum_says() {
            for (index, lane) in Lane::ALL.into_iter().enumerate() {
                assert_eq!(lane as usize, index);
            }
            assert_eq!(Lane::NAMES.len(), LANES);
            assert_eq!(at("{stage}.{lane}", 1), "driver.{lane}");
            assert_eq!(at("queued_len.{bucket}", 16), "queued_len.16");
            assert_eq!(at("queued_len.{bucket}", 17), "queued_len.18");
        }
    }
}

#[cfg(feature = "user")]
pub(crate) use user::{Named, of, within};

//! How a page is looked at.

/// What the page is told that it is shown on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Media {
    /// A screen whose person prefers light.
    Light,
    /// A screen whose person prefers dark.
    Dark,
    /// Paper.
    Print,
}

impl Media {
    /// `light`, `dark`, `print`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
            Self::Print => "print",
        }
    }
}

/// Size in CSS pixels, kind of device, and media.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View {
    /// Width, CSS pixels.
    pub width: u32,
    /// Height of what is seen without scrolling, CSS pixels.
    pub height: u32,
    /// Whether it is a phone: the page's `meta viewport` counts, and there is touch.
    pub mobile: bool,
    /// Light, dark, or print.
    pub media: Media,
}

impl View {
    /// A small phone.
    pub const PHONE: Self = Self { width: 360, height: 740, mobile: true, media: Media::Light };
    /// A window on a laptop.
    pub const DESKTOP: Self = Self { width: 1280, height: 900, mobile: false, media: Media::Light };

    /// The same in other media.
    #[must_use]
    pub const fn with(self, media: Media) -> Self {
        Self { media, ..self }
    }

    /// `360-dark` and the like.
    pub fn name(self) -> String {
        format!("{}-{}", self.width, self.media.name())
    }
}

//! How one line of the table in `mod.rs` becomes a field, its default, its range, its description and its place in the
//! space of searches: what a field may be is written once.

use super::GptRecipe;

/// A number of the recipe, and what a recipe may say.
pub(super) struct Range {
    pub(super) field: &'static str,
    pub(super) get: fn(&GptRecipe) -> f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

/// `name: type = default, in low..=high, search method(arguments) when field = value;`: numbers have a range, what is
/// to be searched has a method of [`ParamSpace`](autoresearch_core::ParamSpace).
macro_rules! recipe {
    (
        $(#[doc = $about:literal])+
        $recipe:ident {
            $($(#[doc = $doc:literal])+ $field:ident: $type:ty = $default:expr
                $(, in $low:literal..=$high:literal)?
                $(, search $method:ident($($arg:expr)?) $(when $parent:ident = $($is:literal)|+)?)?;)+
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $recipe {
            $($(#[doc = $doc])+ $(#[doc = concat!("\n\nFrom ", $low, " to ", $high, ".")])? pub $field: $type,)+
        }

        impl Default for $recipe {
            fn default() -> Self {
                Self { $($field: $default,)+ }
            }
        }

        const RANGES: &[table::Range] = &[$($(table::Range {
            field: stringify!($field),
            get: |recipe| f64::from(recipe.$field),
            low: $low as f64,
            high: $high as f64,
        },)?)+];

        fn searched(space: ParamSpace) -> ParamSpace {
            $(
                let _doc = concat!($($doc),+).trim();
                $(
                    let space = space.$method(stringify!($field) $(, $arg)?);
                    $(let space = space.when_any(stringify!($parent), [$($is),+]);)?
                    let space = space.doc(_doc);
                )?
            )+
            space
        }
    };
}
pub(super) use recipe;

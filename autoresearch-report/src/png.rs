//! Pictures of dots from SVG.

use crate::error::ReportError;
use resvg::{tiny_skia, usvg};
use std::sync::{Arc, OnceLock};

/// The machine's fonts, looked up once.
fn fonts() -> Arc<usvg::fontdb::Database> {
    static FONTS: OnceLock<Arc<usvg::fontdb::Database>> = OnceLock::new();
    let find = || {
        let mut fonts = usvg::fontdb::Database::new();
        fonts.load_system_fonts();
        // Whatever this machine calls a font without serifs.
        let wanted = ["Arial", "Liberation Sans", "DejaVu Sans", "Noto Sans", "Helvetica"];
        let has =
            |name: &str| fonts.faces().any(|face| face.families.iter().any(|(family, _)| family == name));
        let first =
            fonts.faces().next().and_then(|face| face.families.first()).map(|(family, _)| family.clone());
        let name = wanted.into_iter().find(|name| has(name)).map(str::to_owned).or(first);
        if let Some(name) = name {
            fonts.set_sans_serif_family(name);
        }
        Arc::new(fonts)
    };
    Arc::clone(FONTS.get_or_init(find))
}

/// Draws an SVG file, `scale` dots a unit. On a machine without any font the picture has no letters.
pub(crate) fn png(svg: &str, scale: f32) -> Result<Vec<u8>, ReportError> {
    let picture = |why: &dyn std::fmt::Display| ReportError::Picture(why.to_string());
    let options =
        usvg::Options { fontdb: fonts(), font_family: "sans-serif".into(), ..usvg::Options::default() };
    let tree = usvg::Tree::from_str(svg, &options).map_err(|error| picture(&error))?;
    let size = tree.size().to_int_size().scale_by(scale).ok_or_else(|| picture(&"it has no size"))?;
    let mut dots =
        tiny_skia::Pixmap::new(size.width(), size.height()).ok_or_else(|| picture(&"it is too large"))?;
    resvg::render(&tree, tiny_skia::Transform::from_scale(scale, scale), &mut dots.as_mut());
    dots.encode_png().map_err(|error| picture(&error))
}

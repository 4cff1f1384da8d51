//! Pictures of dots from SVG.

use crate::error::ReportError;
use resvg::{tiny_skia, usvg};
use std::sync::{Arc, OnceLock};

/// The letters of charts: ASCII and a few signs out of DejaVu Sans. They come along, so that a picture is the same on every
/// machine, and has its numbers where no font is installed.
const FONT: &[u8] = include_bytes!("../font/DejaVuSans-subset.ttf");

fn fonts() -> Arc<usvg::fontdb::Database> {
    static FONTS: OnceLock<Arc<usvg::fontdb::Database>> = OnceLock::new();
    let load = || {
        let mut fonts = usvg::fontdb::Database::new();
        fonts.load_font_data(FONT.to_vec());
        fonts.set_sans_serif_family("DejaVu Sans");
        Arc::new(fonts)
    };
    Arc::clone(FONTS.get_or_init(load))
}

/// Draws an SVG file, `scale` dots a unit.
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

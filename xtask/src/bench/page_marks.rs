//! The places of a page that are written by the benchmark: `<!-- figures: NAME -->` … `<!-- end -->`.
use anyhow::{Context, Result, bail};

const BEGIN: &str = "<!-- figures: ";
const CLOSE: &str = " -->";
const END: &str = "<!-- end -->";

/// A part of a page.
#[derive(Debug, PartialEq)]
enum Part<'a> {
    Prose(&'a str),
    Figures(&'a str),
}

fn parts(page: &str) -> Result<Vec<Part<'_>>> {
    let mut parts = Vec::new();
    let mut rest = page;
    while let Some((before, after)) = rest.split_once(BEGIN) {
        let (name, after) = after.split_once(CLOSE).context("a marker is not closed")?;
        let (inside, after) = after
            .split_once(END)
            .with_context(|| format!("the figures {name} have no {END}; add one below its marker"))?;
        if name.contains('\n') || inside.contains(BEGIN) {
            bail!("the figures {} do not end before others begin", name.lines().next().unwrap_or(name));
        }
        parts.extend([Part::Prose(before), Part::Figures(name)]);
        rest = after;
    }
    if rest.contains(END) {
        bail!("a {END} ends nothing");
    }
    parts.push(Part::Prose(rest));
    Ok(parts)
}

/// The names of all figures on a page, in its order.
#[cfg(test)]
pub(super) fn names(page: &str) -> Result<Vec<&str>> {
    let names = parts(page)?.into_iter().filter_map(|part| match part {
        Part::Figures(name) => Some(name),
        Part::Prose(_) => None,
    });
    Ok(names.collect())
}

/// The page with its figures written anew. What is between other markers, and outside of all, stays as it is.
pub(super) fn rewritten(page: &str, figures: impl Fn(&str) -> Result<String>) -> Result<String> {
    let mut text = String::with_capacity(page.len());
    for part in parts(page)? {
        match part {
            Part::Prose(prose) => text += prose,
            Part::Figures(name) => {
                text += &format!("{BEGIN}{name}{CLOSE}\n{}\n{END}", figures(name)?.trim_end());
            }
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str =
        "# A\n<!-- figures: one -->\nold\n<!-- end -->\nand\n<!-- figures: two --><!-- end -->\nend\n";

    #[test]
    fn figures_are_replaced_and_prose_stays() {
        assert_eq!(names(PAGE).unwrap(), ["one", "two"]);
        let new = rewritten(PAGE, |name| Ok(format!("{name}!\n"))).unwrap();
        let expected = "# A\n<!-- figures: one -->\none!\n<!-- end -->\nand\n\
                        <!-- figures: two -->\ntwo!\n<!-- end -->\nend\n";
        assert_eq!(new, expected);
        assert_eq!(rewritten(&new, |name| Ok(format!("{name}!"))).unwrap(), new, "twice is as once");
    }

    #[test]
    fn a_page_whose_markers_do_not_match_is_refused() {
        for page in [
            "<!-- figures: one -->\n",
            "<!-- figures: one -->\n<!-- figures: two -->\n<!-- end -->\n",
            "text <!-- end -->\n",
            "<!-- figures: one",
        ] {
            assert!(rewritten(page, |_| Ok(String::new())).is_err(), "{page}");
        }
        assert!(rewritten(PAGE, |name| bail!("no figures are called {name}")).is_err());
    }
}

//! The pages of diagnostics: what a code means, a wrong example and the right one.

/// One section for each code, its head `# CODE: what it is`.
const PAGES: &str = include_str!("codes.md");

/// The page of a code.
pub fn page(code: &str) -> Option<&'static str> {
    sections().find(|(known, _)| *known == code).map(|(_, page)| page)
}

/// All codes in order.
pub fn all() -> impl Iterator<Item = &'static str> {
    sections().map(|(code, _)| code)
}

/// Codes with their pages.
fn sections() -> impl Iterator<Item = (&'static str, &'static str)> {
    let starts = PAGES.match_indices("\n# ").map(|(at, _)| at + 1);
    let ends = starts.clone().chain([PAGES.len()]);
    let pages =
        std::iter::once(0).chain(starts).zip(ends).map(|(start, end)| PAGES[start..end].trim());
    pages.filter_map(|page| Some((page.strip_prefix("# ")?.split_once(':')?.0, page)))
}

//! `pullback explain`: what an error code means, and what an operator or a function is.

use super::args::Explain;
use super::out::{self, Failure};
use super::{codes, reference};
use crate::diagnostic::nearest;

/// Prints the page of a code, an operator or a function.
pub fn explain(args: &Explain) -> Result<(), Failure> {
    let topic = args.topic.as_str();
    if let Some(page) = codes::page(&topic.to_uppercase()) {
        return out::result(&format!("{}\n", page.trim()), None);
    }
    if let Some(page) = reference::page(topic) {
        return out::result(&page, None);
    }
    let near = nearest(topic, codes::all().chain(reference::names()))
        .map(|near| format!("; did you mean `{near}`?"))
        .unwrap_or_default();
    Err(Failure::Request(format!("there is no code and no function `{topic}`{near}")))
}

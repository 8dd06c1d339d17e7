//! Syntax tree to canonical text.
pub fn format(t: &str) -> Result<String, Vec<crate::diagnostic::Diagnostic>> { Ok(t.into()) }

//! The integration tests, one module for each subject.

mod data;
mod render;

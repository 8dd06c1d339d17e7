//! A symbolic computation-graph compiler: networks as formulas in, readable gradient graphs out.
//!
//! The pipeline, each step a free function named after its room:
//!
//! - [`syntax`] reads a `.nn` text into a tree, whatever the text, with everything wrong in it as [`diagnostic`]s;
//! - [`lower`] makes a [`graph::Model`] of the tree: names, symbolic sizes, types, broadcasting made explicit. The graph is
//!   append-only and hash-consed, so equal values are one node and the order of nodes is an order of evaluation;
//! - [`autodiff`] adds the nodes that compute derivatives, by the rules that [`ops`] states for each operator;
//! - [`passes`] bring the result into the form that reads best, by the laws of algebra;
//! - [`graph::print`] writes it as `.nn` again, [`export`] in other forms, [`exec`] computes its numbers over [`tensor`]s.
//!
//! [`compile`] owns the order of these steps, [`train`] repeats them over rows of data, and [`cli`] is the command `pullback`:
//! the only room that knows files and terminals.
//!
//! ```
//! use pullback::compile::{self, Level};
//! use pullback::graph::print::{Part, print};
//!
//! let text = "
//!     dim N, D
//!     input x: f64[N, D]
//!     input y: f64[N]
//!     param w: f64[D]
//!     loss C = mean((x @ w - y)^2)
//! ";
//! let model = compile::read(text, &[]).model.expect("a model without mistakes");
//! let request = compile::default_request(&model).expect("it has a loss");
//! let derived = compile::differentiate(&model, &[request], Level::Readable)?;
//! let gradient = print(&derived.model, Part::Adjoint).text;
//! assert!(gradient.contains("x' @ (x @ w - y)"), "{gradient}");
//! # Ok::<(), pullback::ops::Misfit>(())
//! ```

pub mod autodiff;
pub mod cli;
pub mod compile;
pub mod diagnostic;
pub mod exec;
pub mod export;
pub mod graph;
pub mod lower;
pub mod ops;
pub mod passes;
pub mod syntax;
pub mod tensor;
pub mod train;

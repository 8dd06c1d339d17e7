//! A model as `.nn` text.

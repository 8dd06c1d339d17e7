//! Training of models on rows of data.

pub mod rate;
pub mod settings;
pub mod step;

pub use settings::Settings;
pub use step::step;

//! Training of models on rows of data.

pub mod order;
pub mod rate;
pub mod rows;
pub mod run;
mod seat;
pub mod settings;
pub mod step;
pub mod stop;

pub use rate::Pace;
pub use rows::{Buffer, Buffered, Column, Held, Rows, RowsError};
pub use run::{Event, Job, Report, Run, TrainError};
pub use settings::Settings;
pub use step::step;

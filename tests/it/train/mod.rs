//! Training: data sets, steps, loops, and what is shown of them.

mod examples;
mod feed;
mod peer;
mod plain;
mod printed;
mod requests;
mod resume;
mod rows;
mod sweep;
mod watch;

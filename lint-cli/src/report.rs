//! How results are told: a file for each format.

pub mod json;
pub(crate) mod profile;
pub(crate) mod table;
pub mod text;

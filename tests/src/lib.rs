//! What the tests share.

pub mod cases;
pub mod corpus;
pub mod estate;
pub mod fuzz;
pub mod generate;
pub mod guest;
pub mod kubectl;
pub mod random;

//! What the tests share.

pub mod cases;
pub mod changes;
pub mod cluster;
pub mod corpus;
pub mod dns;
pub mod estate;
pub mod fixes;
pub mod fuzz;
pub mod generate;
pub mod guest;
pub mod helm;
pub mod kubectl;
pub mod mutations;
pub mod node;
pub mod parity;
pub mod random;
pub mod truth;

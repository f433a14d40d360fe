//! One file for each command.

pub(crate) mod dns;
pub(crate) mod explain;
pub(crate) mod generate;
pub(crate) mod init;
pub(crate) mod lint;
pub(crate) mod lsp;
pub(crate) mod review;
pub(crate) mod rules;

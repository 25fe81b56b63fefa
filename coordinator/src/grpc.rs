//! The gRPC surface: decode, call, encode. No rule of the domain lives here.

pub(crate) mod baselines;
pub(crate) mod collect;
pub(crate) mod control;
pub(crate) mod costs;
pub(crate) mod findings;
pub(crate) mod fleet;
pub(crate) mod health;
mod paging;
pub(crate) mod query;
pub(crate) mod site;
pub(crate) mod status;
mod unseen;

//! What calls to a model cost.

mod price;

pub use price::Price;

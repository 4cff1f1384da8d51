//! What tokens cost.

mod price;
mod prices;

pub use price::{Price, PriceError};
pub use prices::Prices;

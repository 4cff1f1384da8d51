//! The proposer: asks a model, repairs its answers, counts the money.

//! Other providers, over the `genai` crate.

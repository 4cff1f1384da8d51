//! The named choices of a recipe.

use serde::{Deserialize, Serialize};

/// An enum of names: as written in JSON, and as listed for a search.
macro_rules! choices {
    ($($(#[doc = $doc:literal])+ $name:ident { $($(#[doc = $of:literal])+ $variant:ident = $json:literal,)+ })+) => {$(
        $(#[doc = $doc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        pub enum $name {
            $($(#[doc = $of])+ #[serde(rename = $json)] $variant,)+
        }

        impl $name {
            /// All names, as they stand in JSON.
            pub const NAMES: &[&str] = &[$($json),+];
        }
    )+};
}

choices! {
    /// What moves the matrices between the hidden layers. Everything else is AdamW's in any case.
    OptimizerKind {
        /// AdamW throughout.
        AdamW = "adamw",
        /// Muon for the matrices of the blocks, with its own rate `muon_lr`.
        Muon = "muon",
    }
    /// The nonlinearity of the feed-forward layers.
    Activation {
        /// x times the normal distribution function of x.
        Gelu = "gelu",
        /// The square of max(x, 0).
        Relu2 = "relu2",
        /// silu(a) times b, with 2/3 of the hidden width, so that it has as many weights.
        Swiglu = "swiglu",
    }
    /// How activations are normalised.
    Norm {
        /// Mean off, divided by the standard deviation, times a gain.
        Layer = "layer",
        /// Divided by the root mean square, times a gain.
        Rms = "rms",
    }
    /// Where the two halves of a block are normalised.
    NormPlace {
        /// What goes in (as in GPT-2).
        Before = "before",
        /// What comes out, before it is added to the stream.
        After = "after",
        /// Both.
        Both = "both",
    }
    /// How the model knows where a token stands.
    Position {
        /// A learned vector for each place, added to the embedding.
        Learned = "learned",
        /// Queries and keys turned by angles that grow with the place.
        Rope = "rope",
        /// Not at all: what the causal mask tells.
        Unknown = "unknown",
    }
    /// Which blocks look back over the short window (S) and which over the whole context (L), repeated through the
    /// depth; the last block is always L.
    WindowPattern {
        /// All long.
        L = "L",
        /// Short and long in turn.
        SL = "SL",
        /// Two short, one long.
        SSL = "SSL",
        /// Three short, one long.
        SSSL = "SSSL",
    }
    /// How large initial weights are.
    Init {
        /// One standard deviation, `init_std`, for all; what is added to the stream is divided by the root of twice
        /// the depth (GPT-2).
        Fixed = "fixed",
        /// Matrices of the blocks: `init_std` times 8 over the root of the number of inputs, so that both agree at a
        /// width of 64; what is added to the stream is divided as with `fixed`. Embeddings, places and head as with
        /// `fixed`.
        FanIn = "fan_in",
    }
    /// How Muon makes a matrix orthogonal.
    Orthogonal {
        /// Newton-Schulz steps with Jordan's (2024) fixed coefficients.
        NewtonSchulz = "newton_schulz",
        /// Polar Express (Amsel et al., 2025): coefficients that are the best for each step in turn.
        PolarExpress = "polar_express",
    }
    /// How the learning rate rises at the beginning.
    Warmup {
        /// In a straight line.
        Linear = "linear",
        /// Along half a cosine: slowly at both ends.
        Cosine = "cosine",
        /// As the root of what has passed: fast at first.
        Sqrt = "sqrt",
    }
    /// How the learning rate falls at the end.
    Cooldown {
        /// In a straight line.
        Linear = "linear",
        /// Along half a cosine.
        Cosine = "cosine",
        /// As one minus the root of what has passed (Hägele et al., 2024).
        Sqrt = "sqrt",
    }
    /// Where the sequences of a batch begin.
    Packing {
        /// Anywhere in the training text, all documents one after the other with a line end before each; a sequence may
        /// begin within a document and reach over into the next.
        Stream = "stream",
        /// At the beginning of a document, or where the sequence before it in the document ended. The ends of
        /// documents, shorter than a sequence, are put together with others, each whole and with a line end before a
        /// document's first symbol; what does not fill up predicts nothing, and counts as tokens of the
        /// budget all the same. Attention sees the whole sequence.
        Documents = "documents",
    }
    /// How numbers are held while training. Evaluation is in 32 bits whatever this says.
    Precision {
        /// 32 bits throughout.
        F32 = "f32",
        /// Linear layers multiply in bfloat16, the feed-forward layers' nonlinearity is taken there, and Muon makes
        /// matrices orthogonal there; attention, normalisation, loss, weights and the optimiser's state stay in 32 bits.
        Bf16 = "bf16",
    }
}

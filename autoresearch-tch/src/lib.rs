//! A libtorch language-model trainer to search over.

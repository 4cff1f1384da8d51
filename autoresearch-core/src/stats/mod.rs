//! Statistics: pure functions, one family a file.

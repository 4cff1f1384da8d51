//! What a launcher was told.

use super::address::Address;
use secrecy::SecretString;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Clone)]
pub(super) struct Settings {
    pub(super) address: Address,
    pub(super) headers: Vec<(String, SecretString)>,
    pub(super) insecure: bool,
    pub(super) folder: Option<PathBuf>,
    pub(super) python: Option<String>,
    pub(super) cpus: f64,
    pub(super) resources: BTreeMap<String, f64>,
    pub(super) start: Duration,
    pub(super) away: Duration,
    pub(super) poll: Duration,
    pub(super) returned: u64,
    pub(super) forget: Duration,
}

impl Settings {
    pub(super) fn at(address: Address) -> Self {
        Self {
            address,
            headers: Vec::new(),
            insecure: false,
            folder: None,
            python: None,
            cpus: 1.0,
            resources: BTreeMap::new(),
            start: Duration::from_secs(1800),
            away: Duration::from_secs(300),
            poll: Duration::from_secs(2),
            returned: 16 << 20,
            forget: Duration::from_secs(3),
        }
    }
}

#[cfg(test)]
impl Default for Settings {
    fn default() -> Self {
        Self::at(Address::new("http://127.0.0.1:8265").unwrap_or_else(|why| panic!("{why}")))
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Settings")
            .field("address", &self.address)
            .field("headers", &headers)
            .field("folder", &self.folder)
            .field("start_within", &self.start)
            .field("away", &self.away)
            .finish_non_exhaustive()
    }
}

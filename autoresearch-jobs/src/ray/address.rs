//! Where a cluster's dashboard is.

use reqwest::Url;
use std::fmt;
use std::net::IpAddr;

/// The address of a dashboard, which has been looked at.
#[derive(Clone)]
pub(super) struct Address(Url);

impl Address {
    /// Reads a base URL.
    ///
    /// # Errors
    /// It is no http(s) URL, or it holds a user, password or query.
    pub(super) fn new(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let mut url = Url::parse(text).map_err(|why| {
            // Before an `@` there may be a password, behind a `?` or `#` a key.
            let shown: String = match text.contains('@') {
                true => "…".into(),
                false => text.chars().take_while(|c| !"?#".contains(*c)).take(60).collect(),
            };
            format!("the address `{shown}` of Ray's dashboard is no URL ({why}); it has to look like http://127.0.0.1:8265")
        })?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            let scheme = url.scheme();
            return Err(format!(
                "the address of Ray's dashboard starts with http:// or https://, not with {scheme}: (the Jobs API is asked, \
                 not the port that `ray.init` connects to)"
            ));
        }
        if !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
            return Err(
                "the address of Ray's dashboard has a user, password or query in it; hand secrets over with `.bearer(…)` \
                 or `.header(…)`"
                    .into(),
            );
        }
        url.set_fragment(None);
        let path = format!("{}/", url.path().trim_end_matches('/'));
        url.set_path(&path);
        Ok(Self(url))
    }

    /// The address of a call.
    pub(super) fn call(&self, path: &str) -> Url {
        let mut url = self.0.clone();
        url.set_path(&format!("{}{path}", self.0.path()));
        url
    }

    /// Whether what is sent stays on this machine.
    pub(super) fn is_loopback(&self) -> bool {
        let host = self.0.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let ip = host.parse::<IpAddr>();
        host == "localhost"
            || host.ends_with(".localhost")
            || ip.is_ok_and(|ip| ip.to_canonical().is_loopback())
    }

    /// Whether others may read along.
    pub(super) fn is_open(&self) -> bool {
        self.0.scheme() == "http" && !self.is_loopback()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn addresses_as_people_write_them() {
        let call = |base: &str| Address::new(base).unwrap().call("api/jobs/").to_string();
        assert_eq!(call("http://127.0.0.1:8265"), "http://127.0.0.1:8265/api/jobs/");
        assert_eq!(call(" https://ray.example.org/team/ "), "https://ray.example.org/team/api/jobs/");
        assert_eq!(Address::new("http://[::1]:8265/").unwrap().to_string(), "http://[::1]:8265");
    }

    #[test]
    fn what_is_no_address_is_refused_without_repeating_secrets() {
        for base in [
            "",
            "127.0.0.1:8265",
            "ray://head:10001",
            "http://me:canary@host",
            "http://h/?key=canary",
            "//?canary",
        ] {
            let error = Address::new(base).unwrap_err();
            assert!(error.contains("Ray") && !error.contains("canary"), "{base}: {error}");
        }
    }

    #[test]
    fn who_may_read_along_is_known() {
        let open = |base: &str| Address::new(base).unwrap().is_open();
        for base in ["http://localhost:1", "http://127.9.9.9", "http://[::1]", "https://10.0.0.1"] {
            assert!(!open(base), "{base}");
        }
        for base in ["http://10.0.0.1:8265", "http://localhost.example.org", "http://0.0.0.0"] {
            assert!(open(base), "{base}");
        }
    }
}

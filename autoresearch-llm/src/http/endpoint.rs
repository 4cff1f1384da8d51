//! Where an API is.

use reqwest::Url;
use std::fmt;

/// An address that has been looked at. Debug and Display leave its query out: keys have been seen there.
#[derive(Clone)]
pub(crate) struct Endpoint {
    url: Url,
}

impl Endpoint {
    /// Reads a base URL and appends the path of a call; `version` comes in between where the base has no path at all.
    ///
    /// # Errors
    /// It is no http(s) URL, or it holds a user or password.
    pub(crate) fn new(base: &str, version: &str, call: &str) -> Result<Self, String> {
        let base = base.trim();
        let mut url = Url::parse(base).map_err(|e| {
            // Before an `@` there may be a password, behind a `?` or `#` a key.
            let shown: String = match base.contains('@') {
                true => "…".into(),
                false => base.chars().take_while(|c| !"?#".contains(*c)).take(60).collect(),
            };
            format!("the base URL `{shown}` is no URL ({e}): it has to look like https://host/v1")
        })?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(format!("a base URL starts with https:// (or http://), not with {}:", url.scheme()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("the base URL has a user or password in it: hand the key over as a key".into());
        }
        url.set_fragment(None);
        let path = url.path().trim_end_matches('/');
        let path = match path {
            "" => format!("{version}{call}"),
            path if path.ends_with(call) => path.to_owned(),
            path => format!("{path}{call}"),
        };
        url.set_path(&path);
        Ok(Self { url })
    }

    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    pub(crate) fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// Whether what is sent stays on this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        let host = self.host().trim_matches(['[', ']']);
        let ip = host.parse::<std::net::IpAddr>();
        host == "localhost"
            || host.ends_with(".localhost")
            || ip.is_ok_and(|ip| ip.to_canonical().is_loopback())
    }

    /// Whether others may read along.
    pub(crate) fn is_open(&self) -> bool {
        self.url.scheme() == "http" && !self.is_loopback()
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.url.scheme(), self.host())?;
        if let Some(port) = self.url.port() {
            write!(f, ":{port}")?;
        }
        f.write_str(self.url.path())
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(base: &str) -> String {
        Endpoint::new(base, "/v1", "/chat/completions").map_or_else(|e| e, |e| e.url().to_string())
    }

    #[test]
    fn bases_as_people_write_them() {
        assert_eq!(at("http://127.0.0.1:8080"), "http://127.0.0.1:8080/v1/chat/completions");
        assert_eq!(at(" https://api.openai.com/v1/ "), "https://api.openai.com/v1/chat/completions");
        assert_eq!(at("https://openrouter.ai/api/v1"), "https://openrouter.ai/api/v1/chat/completions");
        assert_eq!(at("https://a/v1/chat/completions"), "https://a/v1/chat/completions");
        assert_eq!(
            at("https://x.azure.com/openai/deployments/d?api-version=2024-10-21"),
            "https://x.azure.com/openai/deployments/d/chat/completions?api-version=2024-10-21"
        );
    }

    #[test]
    fn what_is_no_base_is_refused_without_repeating_secrets() {
        for base in [
            "localhost:8080",
            "127.0.0.1:8080/v1",
            "",
            "ftp://host/",
            "https://me:canary@host/v1",
            "//?canary",
            "https://me:canary@host:port/v1", // the port is none, so nothing of it is understood
            "https//me:canary@host/v1",
            "//#canary",
            "//x?a@canary",
        ] {
            let error = Endpoint::new(base, "/v1", "/x").unwrap_err();
            assert!(error.contains("URL") && !error.contains("canary"), "{base}: {error}");
        }
        let debug = format!("{:?}", Endpoint::new("https://host/v1?key=canary", "/v1", "/x").unwrap());
        assert_eq!(debug, "https://host/v1/x");
    }

    #[test]
    fn loopback_is_known_in_every_spelling() {
        let is = |base| Endpoint::new(base, "/v1", "/x").unwrap().is_open();
        for base in [
            "http://localhost:1",
            "http://127.0.0.1",
            "http://127.9.9.9",
            "http://[::1]:80",
            "http://a.localhost",
        ] {
            assert!(!is(base), "{base}");
        }
        for base in
            ["http://localhost.evil.com", "http://10.0.0.1", "http://127.0.0.1.nip.io", "http://0.0.0.0"]
        {
            assert!(is(base), "{base}");
        }
        assert!(!is("https://example.com"));
    }
}

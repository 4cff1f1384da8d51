//! A model from the environment.

use super::OpenAiCompatible;
use crate::chat::{ChatError, ChatErrorKind};

const OPENAI: &str = "https://api.openai.com/v1";

impl OpenAiCompatible {
    /// The model that the environment names. Variables that are empty count as not set.
    ///
    /// | what | variable | or else |
    /// |---|---|---|
    /// | base URL | `AUTORESEARCH_LLM_URL` | `OPENAI_BASE_URL`; with a key for OpenAI alone, OpenAI's |
    /// | model | `AUTORESEARCH_LLM_MODEL` | `OPENAI_MODEL` |
    /// | key | `AUTORESEARCH_LLM_KEY` | `OPENAI_API_KEY`; a server on this machine needs none |
    /// | plain http to another machine | `AUTORESEARCH_LLM_ALLOW_HTTP=1` | |
    ///
    /// `OPENAI_API_KEY` goes to `OPENAI_BASE_URL` and to OpenAI, and to no other address: where `AUTORESEARCH_LLM_URL`
    /// names another one, its key has to be in `AUTORESEARCH_LLM_KEY`.
    ///
    /// # Errors
    /// What is missing or wrong, by the names of the variables.
    pub fn from_env() -> Result<Self, ChatError> {
        Self::from_vars(|name| std::env::var(name).ok())
    }

    fn from_vars(var: impl Fn(&str) -> Option<String>) -> Result<Self, ChatError> {
        let var = |name: &str| var(name).map(|v| v.trim().to_owned()).filter(|v| !v.is_empty());
        let wrong = |text: String| ChatError::new(ChatErrorKind::BadRequest, text);
        let (own, theirs) = (var("AUTORESEARCH_LLM_KEY"), var("OPENAI_API_KEY"));
        let (base, is_own) = match (var("AUTORESEARCH_LLM_URL"), var("OPENAI_BASE_URL")) {
            (Some(base), _) => (base, true),
            (None, Some(base)) => (base, false),
            (None, None) if theirs.is_some() => (OPENAI.into(), false),
            (None, None) => {
                return Err(wrong(
                    "no language model is named: set AUTORESEARCH_LLM_URL to a base URL such as \
                     http://127.0.0.1:8080/v1, and AUTORESEARCH_LLM_MODEL to the name of a model there \
                     (or OPENAI_BASE_URL, OPENAI_MODEL)"
                        .into(),
                ));
            }
        };
        let name = var("AUTORESEARCH_LLM_MODEL").or_else(|| var("OPENAI_MODEL")).ok_or_else(|| {
            wrong(
                "which model is to be asked? Set AUTORESEARCH_LLM_MODEL (or OPENAI_MODEL) to its name".into(),
            )
        })?;
        let mut model = Self::new(&base, name);
        if var("AUTORESEARCH_LLM_ALLOW_HTTP").is_some_and(|v| v != "0" && v != "false") {
            model = model.allow_http();
        }
        let of = if is_own { "AUTORESEARCH_LLM_URL" } else { "OPENAI_BASE_URL" };
        model.check().map_err(|e| {
            let hint = e.message.replace("say allow_http()", "set AUTORESEARCH_LLM_ALLOW_HTTP=1");
            wrong(format!("{of}: {hint}"))
        })?;
        let to = model.link.endpoint();
        let theirs = theirs.filter(|_| !is_own || to.is_some_and(|to| to.host() == "api.openai.com"));
        match own.or(theirs) {
            Some(key) => {
                model = model.key(key);
                model.check()?;
            }
            None if to.is_some_and(|to| to.is_loopback()) => {}
            None => {
                let other = if is_own { "" } else { " (or OPENAI_API_KEY)" };
                let to = to.map(ToString::to_string).unwrap_or_default(); // without its query: keys stand there
                return Err(wrong(format!(
                    "there is no key: set AUTORESEARCH_LLM_KEY{other} to the one for {to}"
                )));
            }
        }
        Ok(model)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(vars: &[(&str, &str)]) -> Result<OpenAiCompatible, String> {
        let find = |name: &str| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        OpenAiCompatible::from_vars(find).map_err(|e| e.to_string())
    }

    fn sends_key(model: &OpenAiCompatible) -> bool {
        format!("{model:?}").contains("authorization")
    }

    #[test]
    fn two_variables_name_a_server_on_this_machine() {
        let vars = [("AUTORESEARCH_LLM_URL", "http://127.0.0.1:9"), ("AUTORESEARCH_LLM_MODEL", "m")];
        let model = from(&vars).unwrap();
        assert!(!sends_key(&model));
        assert!(format!("{model:?}").contains("http://127.0.0.1:9/v1/chat/completions"), "{model:?}");
    }

    #[test]
    fn openais_own_variables_do() {
        let model = from(&[("OPENAI_API_KEY", "sk-canary\n"), ("OPENAI_MODEL", "gpt-x")]).unwrap();
        let debug = format!("{model:?}");
        assert!(
            sends_key(&model) && debug.contains("api.openai.com") && !debug.contains("canary"),
            "{debug}"
        );
    }

    #[test]
    fn openais_key_goes_nowhere_else() {
        let vars = [
            ("AUTORESEARCH_LLM_URL", "https://else.where/v1"),
            ("OPENAI_API_KEY", "sk-canary"),
            ("OPENAI_MODEL", "m"),
        ];
        let error = from(&vars).unwrap_err();
        assert!(error.contains("AUTORESEARCH_LLM_KEY") && !error.contains("canary"), "{error}");
        let local = from(&[("AUTORESEARCH_LLM_URL", "http://localhost:1"), vars[1], vars[2]]).unwrap();
        assert!(!sends_key(&local));
    }

    #[test]
    fn what_is_missing_is_named() {
        assert!(from(&[]).unwrap_err().contains("AUTORESEARCH_LLM_URL"));
        assert!(
            from(&[("AUTORESEARCH_LLM_URL", "http://localhost")])
                .unwrap_err()
                .contains("AUTORESEARCH_LLM_MODEL")
        );
        let far = [
            ("AUTORESEARCH_LLM_URL", "http://box:8000/v1"),
            ("AUTORESEARCH_LLM_MODEL", "m"),
            ("AUTORESEARCH_LLM_KEY", ""),
        ];
        assert!(from(&far).unwrap_err().contains("AUTORESEARCH_LLM_ALLOW_HTTP=1"));
        let told = [far[0], far[1], ("AUTORESEARCH_LLM_ALLOW_HTTP", "1")];
        assert!(from(&told).unwrap_err().contains("there is no key"));
        let query = [("AUTORESEARCH_LLM_URL", "https://box/v1?key=canary"), far[1]];
        let error = from(&query).unwrap_err();
        assert!(error.contains("https://box/v1") && !error.contains("canary"), "{error}");
        assert!(from(&[("OPENAI_BASE_URL", "box"), far[1]]).unwrap_err().contains("OPENAI_BASE_URL"));
    }
}

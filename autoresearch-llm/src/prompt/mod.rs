//! What a model is told: templates, and the facts that they speak of.

mod quote;
mod view;

pub(crate) use quote::{block, cut, one_line, quote};
pub use view::{Brief, Counts, TagTold, Told};

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde::Serialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::fmt;

/// A template is not one, or speaks of what there is not. The message names template and line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TemplateError {
    message: String,
}

/// The texts that a model is told, as [minijinja](https://docs.rs/minijinja) templates; those that come with the crate
/// unless replaced.
///
/// - `system` has `program`, and does not change from call to call, so that prompt caches hold it.
/// - `user` has everything in [`Brief`], by the names there. Each earlier proposal has a `line` that is ready to be
///   printed.
/// - `repair` sends an answer back: `complaints` (a list of texts), `taken` (how many proposals were fine), `wanted` (how
///   many are still to come), `short` (whether the answer was too long).
/// - `critic` is what [`ModelCritic`](crate::ModelCritic) asks: `brief` (the text of `user`) and `proposals` (each with
///   `number`, `title`, `rationale`, `change`).
///
/// ```
/// use autoresearch_llm::Templates;
/// let templates = Templates::new().system("You tune a compiler. {{ program }}")?;
/// let error = Templates::new().user("{{ incumbant }}").unwrap_err();
/// assert!(error.to_string().contains("`user`, line 1"), "{error}");
/// # Ok::<(), autoresearch_llm::TemplateError>(())
/// ```
#[derive(Clone)]
pub struct Templates {
    environment: Environment<'static>,
}

impl fmt::Debug for Templates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Templates").finish_non_exhaustive()
    }
}

impl Default for Templates {
    fn default() -> Self {
        Self::new()
    }
}

const SHIPPED: [(&str, &str); 4] = [
    ("system", include_str!("system.md")),
    ("user", include_str!("user.md")),
    ("repair", include_str!("repair.md")),
    ("critic", include_str!("critic.md")),
];

impl Templates {
    /// Those that come with the crate.
    pub fn new() -> Self {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        for (name, text) in SHIPPED {
            // They are part of the crate, and its tests render them; were one broken, rendering it would say so.
            let added = environment.add_template(name, text);
            debug_assert!(added.is_ok(), "{name}: {added:?}");
        }
        Self { environment }
    }

    /// Replaces the standing instructions.
    ///
    /// # Errors
    /// It does not parse, or uses a name that there is not.
    pub fn system(self, text: impl Into<String>) -> Result<Self, TemplateError> {
        self.replace("system", text.into())
    }

    /// Replaces what is said at the beginning of each call.
    ///
    /// # Errors
    /// It does not parse, or uses a name that there is not.
    pub fn user(self, text: impl Into<String>) -> Result<Self, TemplateError> {
        self.replace("user", text.into())
    }

    /// Replaces what is said to an answer that cannot be used.
    ///
    /// # Errors
    /// It does not parse, or uses a name that there is not.
    pub fn repair(self, text: impl Into<String>) -> Result<Self, TemplateError> {
        self.replace("repair", text.into())
    }

    /// Replaces what a [`ModelCritic`](crate::ModelCritic) is asked.
    ///
    /// # Errors
    /// It does not parse, or uses a name that there is not.
    pub fn critic(self, text: impl Into<String>) -> Result<Self, TemplateError> {
        self.replace("critic", text.into())
    }

    /// Takes the template in, and tries it on little and on much, so that mistakes come to light before the night.
    fn replace(mut self, name: &'static str, text: String) -> Result<Self, TemplateError> {
        self.environment.add_template_owned(name, text).map_err(|e| explain(name, &e))?;
        for much in [false, true] {
            match name {
                "system" => self.say_system(if much { "a program" } else { "" })?,
                "user" => {
                    self.say_user(&Brief { plain: true, ..sample() })?;
                    self.say_user(&if much { sample() } else { Brief::default() })?
                }
                "repair" => {
                    let complaints = vec!["a complaint".to_string(); usize::from(much)];
                    self.say_repair(&complaints, usize::from(much), 1 + usize::from(much), much)?
                }
                _ => self.say_critic("a brief", &vec![Reviewed::default(); usize::from(much)])?,
            };
        }
        Ok(self)
    }

    /// What tells these templates from others, in eight hexadecimal digits.
    pub(crate) fn fingerprint(&self, program: &str) -> String {
        let mut hash = Sha256::new_with_prefix(program);
        for (name, _) in SHIPPED {
            let template = self.environment.get_template(name);
            hash.update([0]);
            hash.update(template.as_ref().map_or("", |template| template.source()));
        }
        hash.finalize()[..4].iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn render(&self, name: &str, with: impl Serialize) -> Result<String, TemplateError> {
        let template = self.environment.get_template(name).map_err(|e| explain(name, &e))?;
        template.render(Serde(with)).map_err(|e| explain(name, &e))
    }

    pub(crate) fn say_system(&self, program: &str) -> Result<String, TemplateError> {
        self.render("system", json!({"program": program}))
    }

    pub(crate) fn say_user(&self, brief: &Brief) -> Result<String, TemplateError> {
        self.render("user", brief)
    }

    pub(crate) fn say_repair(
        &self,
        complaints: &[String],
        taken: usize,
        wanted: usize,
        short: bool,
    ) -> Result<String, TemplateError> {
        self.render(
            "repair",
            json!({"complaints": complaints, "taken": taken, "wanted": wanted, "short": short}),
        )
    }

    pub(crate) fn say_critic(&self, brief: &str, proposals: &[Reviewed]) -> Result<String, TemplateError> {
        self.render("critic", json!({"brief": brief, "proposals": proposals}))
    }
}

/// A proposal, as it is shown to a critic.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Reviewed {
    pub(crate) number: usize,
    pub(crate) title: String,
    pub(crate) rationale: String,
    pub(crate) change: String,
}

fn explain(name: &str, error: &minijinja::Error) -> TemplateError {
    let line = error.line().map_or_else(String::new, |line| format!(", line {line}"));
    let detail =
        error.detail().map_or_else(|| error.kind().to_string(), |d| format!("{}: {d}", error.kind()));
    TemplateError { message: format!("the template `{name}`{line}: {detail}") }
}

/// A brief in which everything is there.
fn sample() -> Brief {
    let told = || vec![Told { id: "p1".into(), title: "\"a title\"".into(), ..Told::default() }];
    Brief {
        program: "a program".into(),
        direction: "low",
        baseline: Some(1.0),
        incumbent: Some(0.9),
        runs_left: Some(10),
        money_left: Some(1.0),
        wanted: 2,
        on: vec!["p3".into()],
        since_baseline: "a".into(),
        space: "b".into(),
        plain: false,
        focus: "change it.".into(),
        schema: "{}".into(),
        counts: Counts { settled: 4, kept: 1, failed: 1 },
        pending: told(),
        kept: told(),
        near: told(),
        failed: told(),
        recent: told(),
        not_shown: 3,
        tags: vec![TagTold::default()],
        learned: vec!["c".into()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_with_the_crate_is_in_order() {
        for (name, text) in SHIPPED {
            let again = Templates::new().replace(name, text.into());
            assert!(again.is_ok(), "{again:?}");
        }
    }

    #[test]
    fn mistakes_are_told_by_template_and_line() {
        for (text, expected) in [
            ("a\n{% if %}", "the template `user`, line 2: syntax error"),
            ("a\n\n{{ incumbant }}", "the template `user`, line 3: undefined value"),
            // Only where there is something in the list.
            ("{% for trial in near %}{{ trial.titel }}{% endfor %}", "the template `user`, line 1"),
        ] {
            let error = Templates::new().user(text).expect_err("it is broken").to_string();
            assert!(error.starts_with(expected), "{error}");
        }
        let error = Templates::new().critic("{{ proposal }}").expect_err("it is broken").to_string();
        assert!(error.starts_with("the template `critic`"), "{error}");
    }
}

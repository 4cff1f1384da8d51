//! What can be said of a task before its repository is looked at.

use super::measuring::Measuring;
use super::spec::TaskSpec;
use crate::TaskError;
use autoresearch_jobs::Job;
use autoresearch_llm::Globs;

impl TaskSpec {
    /// # Errors
    /// The first thing that makes no sense.
    pub(super) fn check(&self) -> Result<(), TaskError> {
        if !is_name(&self.name) {
            return Err(self.wrong(
                "name",
                "letters, digits, `-`, `_` and `.` make a name, and it begins with a letter or digit",
            ));
        }
        let paths = [("repository", Some(&self.repository)), ("work", self.work.as_ref())];
        for (key, path) in paths {
            if let Some(hint) = path.and_then(|path| super::data::home_hint(path)) {
                return Err(self.wrong(key, hint));
            }
        }
        if self.editable.is_empty() {
            return Err(self.wrong(
                "editable",
                "nothing may change; name the files that proposals may edit, as in [\"train.py\"]",
            ));
        }
        for (key, command) in [("setup", self.setup.as_ref()), ("run", Some(&self.run))] {
            if let Some(problem) = command.and_then(|command| command.problem()) {
                return Err(self.wrong(key, problem));
            }
        }
        self.objective.place().map_err(|why| self.wrong("objective", why))?;
        if self.objective.direction.is_none() {
            return Err(self.wrong(
                "objective",
                "say which way is better: `direction = \"minimize\"`, as for a loss, or `direction = \"maximize\"`, as for an accuracy",
            ));
        }
        for (name, place) in &self.metrics {
            let key = format!("metrics.{name}");
            place.place().map_err(|why| self.wrong(&key, why))?;
            if place.direction.is_some() {
                return Err(self.wrong(&key, "a metric has no direction; bound it with a constraint"));
            }
        }
        for (key, measuring) in self.measuring() {
            self.check_measuring(key, measuring)?;
        }
        if let Some((key, why)) =
            self.limits.problem().or_else(|| self.study.problem()).or_else(|| self.proposer.problem())
        {
            return Err(self.wrong(key, why));
        }
        if let Some(fidelity) = &self.fidelity {
            let said = fidelity.fidelity().map_err(|why| self.wrong("fidelity", why))?;
            if said.is_none() {
                return Err(
                    self.wrong("fidelity", "say how much: one of `steps`, `tokens`, `flops` and `seconds`")
                );
            }
        }
        for spec in &self.constraints {
            let bounds = [spec.at_most, spec.at_least, spec.within];
            if bounds.iter().all(Option::is_none) || bounds.iter().flatten().any(|x| !x.is_finite()) {
                let why = format!(
                    "say `at_most`, `at_least` or `within` of {:?}, with a finite number",
                    spec.metric
                );
                return Err(self.wrong("constraints", why));
            }
        }
        super::devices::check(&self.devices).map_err(|why| self.wrong("devices", why))?;
        Globs::new(self.artifacts.iter().cloned()).map_err(|why| self.wrong("artifacts", why))?;
        // The rules for names of variables and for what is collected are those of a job.
        let collects = Job::new(["true"]).collect(self.artifacts.iter(), "/");
        collects.check().map_err(|why| self.wrong("artifacts", why.to_string()))?;
        let passed = [Some(&self.seed), self.fidelity.as_ref().map(|f| f.passed()).as_ref()]
            .into_iter()
            .flatten()
            .filter_map(|passed| passed.env.clone())
            .collect::<Vec<_>>();
        let job = Job::new(["true"]).inherit(self.env.iter().cloned().chain(passed));
        let job = self.set.iter().fold(job, |job, (name, value)| job.env(name, value));
        job.check().map_err(|why| self.wrong("env", why.to_string()))
    }

    /// The commands that measure, by their keys.
    pub(super) fn measuring(&self) -> impl Iterator<Item = (&'static str, &Measuring)> {
        let all = [("evaluate", &self.evaluate), ("holdout", &self.holdout), ("test", &self.test)];
        all.into_iter().filter_map(|(key, measuring)| Some((key, measuring.as_ref()?)))
    }

    fn check_measuring(&self, key: &'static str, measuring: &Measuring) -> Result<(), TaskError> {
        if let Some(problem) = measuring.run.problem() {
            return Err(self.wrong(&format!("{key}.run"), problem));
        }
        if let Some(objective) = &measuring.objective {
            objective.place().map_err(|why| self.wrong(&format!("{key}.objective"), why))?;
            if objective.direction.is_some_and(|direction| direction != self.objective.direction()) {
                return Err(self.wrong(
                    &format!("{key}.objective"),
                    "its direction is not that of the task's objective",
                ));
            }
        }
        let place = measuring.objective.as_ref().unwrap_or(&self.objective);
        if place.file.is_some() {
            let why = "a command that measures prints its number (`line`, `json` or `regex`): its folder is read-only";
            return Err(self.wrong(&format!("{key}.objective"), why));
        }
        if measuring.minutes.is_some_and(|minutes| !super::limits::is_time(minutes)) {
            return Err(self.wrong(&format!("{key}.minutes"), "give a number above 0, or leave it out"));
        }
        if self.artifacts.is_empty() {
            let why = format!(
                "`{key}` measures what a run leaves, and nothing is kept of it; name its files in `artifacts`"
            );
            return Err(self.wrong(key, why));
        }
        Ok(())
    }
}

fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    name.len() <= 60
        && name.chars().all(plain)
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && !name.ends_with('.')
        && !name.ends_with(".lock")
        && !name.contains("..")
}

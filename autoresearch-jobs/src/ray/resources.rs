//! What a job asks the cluster for.

use super::Settings;
use crate::error::LaunchError;
use crate::job::Job;
use std::collections::BTreeMap;
use std::fmt;

/// In Ray's terms.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Needs {
    pub(super) cpus: f64,
    pub(super) gpus: f64,
    pub(super) memory: Option<u64>,
    pub(super) resources: BTreeMap<String, f64>,
    pub(super) labels: BTreeMap<String, String>,
}

/// What the job asks for, its options among that.
///
/// # Errors
/// An option that there is not, or whose value is none.
pub(super) fn of(job: &Job, settings: &Settings) -> Result<Needs, LaunchError> {
    let asked = &job.resources;
    let mut needs = Needs {
        cpus: asked.cpus.map_or(settings.cpus, f64::from),
        gpus: f64::from(asked.gpus),
        memory: None,
        resources: settings.resources.clone(),
        labels: BTreeMap::new(),
    };
    for (name, value) in &asked.options {
        let wrong =
            |what: &str| LaunchError::Setup(format!("the option {name} is {value:?}, and has to be {what}"));
        let number = value.parse::<f64>().ok().filter(|n| n.is_finite() && *n > 0.0);
        match (name.as_str(), name.split_once('.')) {
            ("memory", _) => {
                let bytes = value.parse().ok().filter(|&bytes: &u64| bytes > 0);
                needs.memory = Some(bytes.ok_or_else(|| wrong("a number of bytes"))?);
            }
            ("cpus", _) => needs.cpus = number.ok_or_else(|| wrong("a number above 0"))?,
            ("gpus", _) => needs.gpus = number.ok_or_else(|| wrong("a number above 0"))?,
            (_, Some(("resource", of))) if !of.is_empty() => {
                needs.resources.insert(of.into(), number.ok_or_else(|| wrong("a number above 0"))?);
            }
            (_, Some(("label", of))) if !of.is_empty() && !value.is_empty() => {
                needs.labels.insert(of.into(), value.clone());
            }
            _ => {
                return Err(LaunchError::Setup(format!(
                    "the job has the option {name:?}, which Ray does not have; there are `memory` (bytes to reserve), `cpus` and \
                     `gpus` (also fractions), `resource.NAME` (an amount) and `label.KEY` (what it has to be)"
                )));
            }
        }
    }
    Ok(needs)
}

impl fmt::Display for Needs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} CPUs", self.cpus)?;
        if self.gpus > 0.0 {
            write!(f, ", {} GPUs", self.gpus)?;
        }
        if let Some(memory) = self.memory {
            write!(f, ", {} of memory", crate::limits::bytes(memory))?;
        }
        for (name, amount) in &self.resources {
            write!(f, ", {amount} of {name}")?;
        }
        for (key, value) in &self.labels {
            write!(f, ", a node with {key}={value}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn options_are_in_rays_terms() {
        let job = Job::new(["true"]).cpus(4).gpus(1).option("resource.a100", "0.5").option("label.zone", "b");
        let needs = of(&job.option("memory", "1048576"), &Settings::default()).unwrap();
        assert_eq!(needs.to_string(), "4 CPUs, 1 GPUs, 1.0 MiB of memory, 0.5 of a100, a node with zone=b");
        assert_eq!(of(&Job::new(["true"]), &Settings::default()).unwrap().cpus, 1.0);
        assert_eq!(of(&Job::new(["true"]).option("gpus", "0.25"), &Settings::default()).unwrap().gpus, 0.25);
    }

    #[test]
    fn what_ray_does_not_have_is_refused() {
        for (name, value) in
            [("partition", "gpu"), ("memory", "8G"), ("resource.x", "-1"), ("cpus", "nan"), ("label.", "x")]
        {
            let refused = of(&Job::new(["true"]).option(name, value), &Settings::default());
            assert!(matches!(refused, Err(LaunchError::Setup(_))), "{name}: {refused:?}");
        }
    }
}

//! What cargo knows about the packages of the workspace.
use crate::process;
use anyhow::{Context, Result, anyhow};
use serde_json::Value;

/// The packages of the workspace.
#[derive(Debug)]
pub(crate) struct Metadata {
    packages: Vec<Package>,
}

/// What the tests need to know about a package.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    /// Its features, without `default`.
    pub(crate) features: Vec<String>,
    /// Its examples, each with the features that it requires.
    pub(crate) examples: Vec<(String, Vec<String>)>,
}

impl Metadata {
    /// Asks cargo.
    pub(crate) fn read() -> Result<Self> {
        let mut cargo = process::cargo();
        cargo.args(["metadata", "--no-deps", "--format-version", "1"]);
        Self::parse(&process::capture(&mut cargo)?)
    }

    fn parse(text: &str) -> Result<Self> {
        let all: Value =
            serde_json::from_str(text).context("cargo metadata printed something else than JSON")?;
        Ok(Self { packages: list(&all["packages"]).iter().map(package).collect() })
    }

    /// The package of a name.
    pub(crate) fn package(&self, name: &str) -> Result<&Package> {
        let found = self.packages.iter().find(|package| package.name == name);
        found.ok_or_else(|| anyhow!("the workspace has no package {name}"))
    }
}

fn package(value: &Value) -> Package {
    let features = value["features"].as_object().into_iter().flat_map(|features| features.keys().cloned());
    let examples =
        list(&value["targets"]).iter().filter(|target| list(&target["kind"]).contains(&"example".into()));
    Package {
        name: text(&value["name"]),
        features: features.filter(|name| name != "default").collect(),
        examples: examples
            .map(|target| {
                (text(&target["name"]), list(&target["required-features"]).iter().map(text).collect())
            })
            .collect(),
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_and_examples_are_read() {
        let text = r#"{"packages": [{"name": "p", "features": {"default": ["a"], "a": [], "b": []}, "targets": [
            {"kind": ["lib"], "name": "p"},
            {"kind": ["example"], "name": "e"},
            {"kind": ["example"], "name": "f", "required-features": ["a", "b"]}]}]}"#;
        let metadata = Metadata::parse(text).unwrap();
        let package = metadata.package("p").unwrap();
        assert_eq!(package.features, ["a", "b"]);
        let examples = [("e".to_owned(), vec![]), ("f".into(), vec!["a".into(), "b".into()])];
        assert_eq!(package.examples, examples);
        assert!(metadata.package("q").is_err());
    }
}

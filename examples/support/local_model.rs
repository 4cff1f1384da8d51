//! The model that the examples ask: the one that the environment names, or the small local one of `cargo xtask setup --llm`.

use autoresearch_llm::OpenAiCompatible;
use std::error::Error;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A server that ends when this is dropped; and by itself, should this process be killed.
pub(crate) struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The model to ask. Keep the server, if one was started.
pub(crate) fn model() -> Result<(OpenAiCompatible, Option<Server>), Box<dyn Error>> {
    if std::env::var_os("AUTORESEARCH_LLM_URL").is_some() || std::env::var_os("OPENAI_BASE_URL").is_some() {
        return Ok((OpenAiCompatible::from_env()?, None));
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let python = root.join(".llm/bin/python");
    if !python.exists() {
        let what = "no model to ask: run `cargo xtask setup --llm` once for a small local one, or set AUTORESEARCH_LLM_URL \
                    and AUTORESEARCH_LLM_MODEL (docs/llm.md)";
        return Err(what.into());
    }
    eprintln!(
        "starting the small local model; its ideas are junk, and show that the loop goes round (some minutes)"
    );
    let mut server = Command::new(python);
    server.arg(root.join("autoresearch-llm/tests/support/llm_server.py")).arg("0");
    let mut child = server.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let out = child.stdout.take().ok_or("the server has no output")?;
    let server = Server(child);
    for line in BufReader::new(out).lines() {
        if let Some(url) = line?.strip_prefix("LISTENING ") {
            return Ok((
                OpenAiCompatible::new(format!("{url}/v1"), "smollm2").with_window(4096),
                Some(server),
            ));
        }
    }
    Err("the local model's server ended before it listened".into())
}

//! What is for this machine does not go over a proxy that the environment names.
#![allow(clippy::unwrap_used)]

mod support;

use autoresearch_core::Cancellation;
use autoresearch_llm::{Anthropic, ChatErrorKind, ChatModel, ChatRequest, Message, OpenAiCompatible};
use support::{RawServer, answer, good};

/// Set where this test runs itself with a proxy in its environment.
const SERVER: &str = "AUTORESEARCH_TEST_SERVER";

async fn ask(model: &dyn ChatModel) -> Result<String, autoresearch_llm::ChatError> {
    let request = ChatRequest::new(vec![Message::user("go")]);
    model.chat(&request, &Cancellation::new()).await.map(|reply| reply.text)
}

#[tokio::test]
async fn a_proxy_sees_nothing_of_what_is_for_this_machine() {
    if let Ok(url) = std::env::var(SERVER) {
        let local = OpenAiCompatible::new(&url, "m").key("sk-canary");
        assert_eq!(ask(&local).await.unwrap(), "from the server");
        let other = Anthropic::at(&url, "m").key("sk-canary");
        assert_eq!(ask(&other).await.unwrap_err().kind, ChatErrorKind::BadReply); // it speaks OpenAI's
        #[cfg(feature = "genai")]
        {
            let genai = autoresearch_llm::GenAi::new("openai::m").key("sk-canary").at(format!("{url}/v1/"));
            assert_eq!(ask(&genai).await.unwrap(), "from the server");
        }
        // The proxy is there, and takes what goes elsewhere.
        let far = OpenAiCompatible::new("http://192.0.2.1/v1", "m").allow_http();
        assert_eq!(ask(&far).await.unwrap_err().kind, ChatErrorKind::NotFound);
        return;
    }
    let server = RawServer::saying(good("from the server")).await;
    let proxy = RawServer::saying(answer("404 Nothing here", "", "")).await;
    let mut run = tokio::process::Command::new(std::env::current_exe().unwrap());
    run.args(["a_proxy_sees_nothing_of_what_is_for_this_machine", "--exact", "--nocapture"]);
    for name in ["NO_PROXY", "no_proxy", "REQUEST_METHOD"] {
        run.env_remove(name);
    }
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        run.env(name, &proxy.url);
    }
    let done = run.env(SERVER, &server.url).output().await.unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let seen = proxy.asked();
    assert!(seen.len() == 1 && seen[0].head.contains("192.0.2.1"), "{seen:?}");
    assert!(server.asked().len() >= 2);
}

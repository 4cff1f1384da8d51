//! How servers say that prompt and answer do not fit.

/// Types and codes.
pub(super) const WORDS: &[&str] = &[
    "exceed_context_size_error", // llama.cpp
    "context_length_exceeded",   // OpenAI, vLLM, DeepSeek, OpenRouter
    "string_above_max_length",   // OpenAI
    "request_too_large",         // Anthropic
    "model_context_window_exceeded",
];

/// Words, lower case, of which all of one row must be there.
const TEXTS: &[&[&str]] = &[
    &["maximum context length"],                   // OpenAI, vLLM, OpenRouter, Ollama
    &["context length is only"],                   // vLLM
    &["loaded with context length"],               // LM Studio
    &["greater than the context length"],          // LM Studio
    &["context size", "exceed"],                   // llama.cpp
    &["context window", "exceed"],                 // OpenAI's Responses, Anthropic, Cohere
    &["context window", "too"],                    // "too large for", "too small for"
    &["context limit", "exceed"],                  // Anthropic: input length and `max_tokens`
    &["context length", "exceed"],                 // Groq, Together, Ollama
    &["prompt is too long"],                       // Anthropic
    &["input is too long"],                        // Bedrock
    &["prompt too long"],                          // Ollama's cloud
    &["please reduce the length of the messages"], // Groq
    &["please reduce the length of the input"],    // vLLM
    &["input token count", "exceeds the maximum"], // Gemini
    &["longer than the model's context"],          // SGLang
    &["request too large", "reduce"],              // OpenAI and Groq: more than a minute's tokens
    &["maximum prompt length is"],                 // xAI
    &["too many tokens", "cannot exceed"], // Cohere; alone it is what Bedrock says of too many a minute
    &["too many tokens", "size limit"],    // Cohere
    &["inputs` tokens + `max_new_tokens` must be <="], // TGI
];

pub(super) fn is(said: &str) -> bool {
    TEXTS.iter().any(|all| all.iter().all(|text| said.contains(text)))
}

/// Before the tokens of the prompt, the most telling first; where an API tells only prompt and answer together, it is that.
const BEFORE_PROMPT: &[&str] = &[
    "prompt contains at least ", // vLLM
    "prompt contains ",          // vLLM, Mistral
    "too long: ",
    "input token count (",
    "your request has ",
    "you passed ",
    "resulted in ",
    "you requested about ",
    "you requested ",
    "keep the first ",
    "request contains ",
    "the request (",
    "the input (",
    "requested ",
    " - received ", // Cohere
];

/// Before the window.
const BEFORE_WINDOW: &[&str] = &[
    "maximum context length is ",
    "maximum context length of ",
    "context length is only ",
    "context length of only ",
    "context length is ",
    "context length (",
    "context size (",
    "tokens allowed (",
    "maximum prompt length is ",
    "too large for model with ",    // Mistral
    "in the prompt cannot exceed ", // Cohere
    "limit of ",
    "limit ",
    " > ",
];

/// Tokens of prompt and window, where a message tells both.
pub(super) fn tokens(said: &str) -> Option<(u64, u64)> {
    let prompt = first(said, BEFORE_PROMPT, number_of_prompt);
    // "you requested 9000 tokens (8000 in the messages, 1000 in the completion)"
    let before = |text| said.split_once(text).and_then(|(before, _)| number_at_end(before));
    // OpenRouter: "about 9500 tokens (8000 of text input, 500 of tool input, 1000 in the output)"
    let in_text = before(" of text input").map(|n| n.saturating_add(before(" of tool input").unwrap_or(0)));
    let in_messages = before(" in the messages").or(in_text);
    // "input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000"
    let sum = said.split_once("context limit: ").and_then(|(_, after)| number(after));
    Some((in_messages.or(sum).or(prompt)?, first(said, BEFORE_WINDOW, number)?))
}

fn first(said: &str, before: &[&str], read: fn(&str) -> Option<u64>) -> Option<u64> {
    before.iter().find_map(|text| read(said.split_once(text)?.1))
}

/// The number that a text begins with, thousands set off by commas or not.
fn number(text: &str) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != ',').unwrap_or(text.len());
    text[..end].replace(',', "").parse().ok()
}

/// The same, unless it is of something else than the tokens of a prompt.
fn number_of_prompt(text: &str) -> Option<u64> {
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == ',').trim_start();
    let other = ["output tokens", "completion tokens", "characters"];
    number(text).filter(|_| !other.iter().any(|what| rest.starts_with(what)))
}

/// How a refusal of an answer that long reads, and what stands before the most that an answer may have.
const LIMITS: &[(&str, &str)] = &[
    ("max_tokens is too large", "supports at most "), // OpenAI
    ("max_completion_tokens is too large", "supports at most "),
    ("cannot be greater than max_model_len", "max_total_tokens="), // vLLM
    ("cannot be greater than max_model_len", "max_model_len="),
    ("allowed number of output tokens", " > "),  // Anthropic
    ("valid range of max_tokens is", "is [1, "), // DeepSeek
    ("less than or equal to `", "less than or equal to `"), // Groq
];

/// The most tokens of answer that a server takes, where it refuses a request for more and says so.
pub(super) fn answer_limit(said: &str) -> Option<u64> {
    let about = said.contains("max_tokens") || said.contains("max_completion_tokens");
    let mut rows = LIMITS.iter().filter(|(text, _)| about && said.contains(text));
    rows.find_map(|(_, before)| number(said.split_once(before)?.1)).filter(|limit| *limit > 0)
}

fn number_at_end(text: &str) -> Option<u64> {
    let start = text.rfind(|c: char| !c.is_ascii_digit() && c != ',').map_or(0, |at| at + 1);
    text.get(start..)?.replace(',', "").parse().ok()
}

use super::*;
use ChatErrorKind as K;

fn of(status: u16, body: &str) -> Failure {
    Complaint::read(body.as_bytes()).failure(Some(status), &Secrets::default())
}

/// Status, body, kind, tokens.
type Case = (u16, &'static str, K, Option<(u64, u64)>);

/// Bodies are those of the servers named, as documented or seen.
const BODIES: &[Case] = &[
    // llama.cpp
    (
        400,
        r#"{"error":{"code":400,"message":"request (2525 tokens) exceeds the available context size (2048 tokens), try increasing it","type":"exceed_context_size_error","n_prompt_tokens":2525,"n_ctx":2048}}"#,
        K::ContextOverflow,
        Some((2525, 2048)),
    ),
    (
        400,
        r#"{"error":{"code":400,"message":"'messages' is required","type":"invalid_request_error"}}"#,
        K::BadRequest,
        None,
    ),
    (
        401,
        r#"{"error":{"message":"Invalid API Key","type":"authentication_error","code":401}}"#,
        K::Auth,
        None,
    ),
    (
        503,
        r#"{"error":{"message":"Loading model","type":"unavailable_error","code":503}}"#,
        K::Unavailable,
        None,
    ),
    (
        501,
        r#"{"error":{"message":"no embeddings","type":"not_supported_error","code":501}}"#,
        K::BadRequest,
        None,
    ),
    // OpenAI
    (
        400,
        r#"{"error":{"message":"This model's maximum context length is 8192 tokens. However, your messages resulted in 9100 tokens. Please reduce the length of the messages.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}"#,
        K::ContextOverflow,
        Some((9100, 8192)),
    ),
    (
        429,
        r#"{"error":{"message":"You exceeded your current quota, please check your plan and billing details.","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#,
        K::OutOfCredit,
        None,
    ),
    (
        429,
        r#"{"error":{"message":"Rate limit reached for gpt-4o in organization org-x on tokens per min (TPM): Limit 30000, Used 29000, Requested 2000. Please try again in 2s.","type":"tokens","param":null,"code":"rate_limit_exceeded"}}"#,
        K::RateLimited,
        None,
    ),
    (
        429,
        r#"{"error":{"message":"Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 35000. The input or output tokens must be reduced in order to run successfully.","type":"tokens","param":null,"code":"rate_limit_exceeded"}}"#,
        K::ContextOverflow,
        Some((35000, 30000)),
    ),
    (
        401,
        r#"{"error":{"message":"Incorrect API key provided: sk-abc***xyz.","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}"#,
        K::Auth,
        None,
    ),
    (
        404,
        r#"{"error":{"message":"The model `gpt-9` does not exist or you do not have access to it.","type":"invalid_request_error","param":null,"code":"model_not_found"}}"#,
        K::NotFound,
        None,
    ),
    (
        500,
        r#"{"error":{"message":"The server had an error while processing your request.","type":"server_error","param":null,"code":null}}"#,
        K::Unavailable,
        None,
    ),
    // Anthropic
    (
        529,
        r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"req_1"}"#,
        K::Unavailable,
        None,
    ),
    (
        400,
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 210000 tokens > 200000 maximum"}}"#,
        K::ContextOverflow,
        Some((210_000, 200_000)),
    ),
    (
        400,
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000, decrease input length or `max_tokens` and try again"}}"#,
        K::ContextOverflow,
        Some((188_240, 200_000)),
    ),
    (
        400,
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API."}}"#,
        K::OutOfCredit,
        None,
    ),
    (
        413,
        r#"{"type":"error","error":{"type":"request_too_large","message":"Request exceeds the maximum allowed number of bytes."}}"#,
        K::ContextOverflow,
        None,
    ),
    (
        403,
        r#"{"type":"error","error":{"type":"permission_error","message":"Your API key does not have permission"}}"#,
        K::Auth,
        None,
    ),
    // vLLM, old and new, and FastAPI in front of it
    (
        400,
        r#"{"object":"error","message":"This model's maximum context length is 4096 tokens. However, you requested 5000 tokens (4000 in the messages, 1000 in the completion). Please reduce the length of the messages or completion.","type":"BadRequestError","param":null,"code":400}"#,
        K::ContextOverflow,
        Some((4000, 4096)),
    ),
    (
        400,
        r#"{"error":{"message":"'max_tokens' or 'max_completion_tokens' is too large: 5000. This model's maximum context length is 4096 tokens and your request has 100 input tokens (5000 > 4096 - 100).","type":"BadRequestError","param":"max_tokens","code":400}}"#,
        K::ContextOverflow,
        Some((100, 4096)),
    ),
    (
        404,
        r#"{"object":"error","message":"The model `x` does not exist.","type":"NotFoundError","param":null,"code":404}"#,
        K::NotFound,
        None,
    ),
    (404, r#"{"detail":"Not Found"}"#, K::NotFound, None),
    (
        422,
        r#"{"detail":[{"type":"missing","loc":["body","messages"],"msg":"Field required"}]}"#,
        K::BadRequest,
        None,
    ),
    // Ollama
    (404, r#"{"error":"model 'x' not found, try pulling it first"}"#, K::NotFound, None),
    (
        500,
        r#"{"error":{"message":"input length exceeds maximum context length","type":"api_error","param":null,"code":null}}"#,
        K::ContextOverflow,
        None,
    ),
    // OpenRouter
    (402, r#"{"error":{"message":"Insufficient credits","code":402}}"#, K::OutOfCredit, None),
    (
        502,
        r#"{"error":{"message":"Provider returned error","code":502,"metadata":{"raw":"upstream down","provider_name":"P"}}}"#,
        K::Unavailable,
        None,
    ),
    (
        403,
        r#"{"error":{"message":"Your chosen model requires moderation and your input was flagged","code":403,"metadata":{"reasons":["x"]}}}"#,
        K::BadRequest,
        None,
    ),
    // Gemini
    (
        400,
        r#"[{"error":{"code":400,"message":"The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}}]"#,
        K::ContextOverflow,
        Some((1_200_000, 1_048_576)),
    ),
    (
        400,
        r#"[{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT"}}]"#,
        K::Auth,
        None,
    ),
    // Mistral
    (
        422,
        r#"{"object":"error","message":{"detail":[{"type":"extra_forbidden","loc":["body","seed"],"msg":"Extra inputs are not permitted"}]},"type":"invalid_request_error","param":null,"code":null}"#,
        K::BadRequest,
        None,
    ),
    // LM Studio
    (
        400,
        r#"{"error":"Trying to keep the first 5000 tokens when context the overflows. However, the model is loaded with context length of only 4096 tokens, which is not enough."}"#,
        K::ContextOverflow,
        Some((5000, 4096)),
    ),
    (
        422,
        r#"{"object":"error","message":{"detail":"Prompt contains 65673 tokens and 0 draft tokens, too large for model with 32768 maximum context length"},"type":"invalid_request_error"}"#,
        K::ContextOverflow,
        Some((65_673, 32_768)),
    ),
    // vLLM since 2026: at least so many tokens, or so many characters, which are none
    (
        400,
        r#"{"error":{"message":"This model's maximum context length is 8192 tokens. However, you requested 4096 output tokens and your prompt contains at least 4097 input tokens, for a total of at least 8193 tokens. Please reduce the length of the input prompt or the number of requested output tokens.","type":"BadRequestError","param":"input_tokens","code":400}}"#,
        K::ContextOverflow,
        Some((4097, 8192)),
    ),
    (
        400,
        r#"{"error":{"message":"This model's maximum context length is 8192 tokens. However, you requested 4096 output tokens and your prompt contains 99000 characters (more than 65536 characters, which is the upper bound for 4096 input tokens). Please reduce the length of the input prompt or the number of requested output tokens.","type":"BadRequestError","param":"input_text","code":400}}"#,
        K::ContextOverflow,
        None,
    ),
    // OpenRouter
    (
        400,
        r#"{"error":{"message":"This endpoint's maximum context length is 131072 tokens. However, you requested about 140000 tokens (120000 of text input, 10000 of tool input, 10000 in the output). Please reduce the length of either one.","code":400}}"#,
        K::ContextOverflow,
        Some((130_000, 131_072)),
    ),
    // Cohere, and Bedrock, which means something else by nearly the same words
    (
        400,
        r#"{"message":"too many tokens: total number of tokens in the prompt cannot exceed 4081 - received 4292. Try using a shorter prompt"}"#,
        K::ContextOverflow,
        Some((4292, 4081)),
    ),
    (429, r#"{"message":"Too many tokens, please wait before trying again."}"#, K::RateLimited, None),
    // Requests that are wrong, by the words of llama.cpp and Ollama
    (
        500,
        r#"{"error":{"code":500,"message":"Failed to parse grammar","type":"server_error"}}"#,
        K::BadRequest,
        None,
    ),
    (500, r#"{"error":{"message":"invalid JSON schema in format","type":"api_error"}}"#, K::BadRequest, None),
    // Whoever was asked behind the one that gives up may be at work
    (504, "", K::Timeout, None),
    (524, "<html><title>524: A timeout occurred</title>", K::Timeout, None),
    // no shape at all
    (502, "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>", K::Unavailable, None),
    (500, "", K::Unavailable, None),
    (429, "slow down", K::RateLimited, None),
    (400, "null", K::BadRequest, None),
    (302, "", K::NotFound, None),
    (408, "", K::Timeout, None),
    (425, "{}", K::Unavailable, None),
];

#[test]
fn every_shape_is_of_its_kind() {
    for &(status, body, kind, tokens) in BODIES {
        let failure = of(status, body);
        let error = &failure.error;
        assert_eq!((error.kind, error.status, error.tokens), (kind, Some(status), tokens), "{body}: {error}");
        assert_eq!(failure.again, if body.contains("Loading") { Again::Loading } else { Again::AsKind });
    }
}

#[test]
fn the_most_tokens_of_an_answer_are_told() {
    for (message, limit) in [
        // vLLM, OpenAI, Anthropic, DeepSeek, Groq
        (
            "max_completion_tokens=131072 cannot be greater than max_model_len=max_total_tokens=65536. Please request fewer output tokens.",
            Some(65_536),
        ),
        ("max_tokens=9000 cannot be greater than max_model_len=8192.", Some(8192)),
        (
            "max_tokens is too large: 8192. This model supports at most 4096 completion tokens, whereas you provided 8192.",
            Some(4096),
        ),
        (
            "max_tokens: 100000 > 8192, which is the maximum allowed number of output tokens for claude-3-5",
            Some(8192),
        ),
        ("Invalid max_tokens value, the valid range of max_tokens is [1, 8192]", Some(8192)),
        (
            "`max_tokens` must be less than or equal to `16384`, the maximum value for `max_tokens` is less than the `context_window` for this model",
            Some(16_384),
        ),
        ("temperature must be less than or equal to `2`", None),
        ("max_tokens must be at least 1", None),
    ] {
        let error = of(400, &serde_json::json!({"error": {"message": message}}).to_string()).error;
        assert_eq!((error.kind, error.answer_limit), (K::BadRequest, limit), "{message}");
    }
}

#[test]
fn the_words_of_the_server_are_passed_on() {
    let text = |status, body: &str| of(status, body).error.to_string();
    assert_eq!(
        text(422, r#"{"detail":[{"type":"missing","loc":["body","messages"],"msg":"Field required"}]}"#),
        "the server refuses the request: body.messages: Field required (status 422)"
    );
    assert_eq!(
        text(
            529,
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"req_1"}"#
        ),
        "the server cannot answer now: Overloaded (status 529) (request req_1)"
    );
    assert_eq!(
        text(502, "<!DOCTYPE html>\n<html><title>\nBad Gateway </title>"),
        "the server cannot answer now: a web page: Bad Gateway (status 502)"
    );
    assert_eq!(
        text(
            502,
            r#"{"error":{"message":"Provider returned error","code":502,"metadata":{"raw":"{\"error\":\"down\"}"}}}"#
        ),
        "the server cannot answer now: Provider returned error: down (status 502)"
    );
    let long = text(400, &"ä\u{1b}[31m".repeat(4000));
    assert!(long.chars().count() < 600 && !long.contains('\u{1b}'), "{long}");
}

#[test]
fn a_complaint_in_mid_stream_has_no_status_but_a_type_or_code() {
    let of = |body: &str| {
        let value = serde_json::from_str(body).unwrap();
        Complaint::of(&value).unwrap().failure(None, &Secrets::default()).error
    };
    let overloaded = of(r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#);
    assert_eq!((overloaded.kind, overloaded.status), (K::Unavailable, None));
    let limited = of(r#"{"error":{"code":429,"message":"slow down"}}"#);
    assert_eq!((limited.kind, limited.status), (K::RateLimited, Some(429)));
    assert_eq!(of(r#"{"error":{"message":"x","type":"rate_limit_error"}}"#).kind, K::RateLimited);
    assert_eq!(of(r#"{"error":{"message":"x","type":"server_error"}}"#).kind, K::Unavailable);
    assert_eq!(of(r#"{"error":{"message":"x","type":"invalid_request_error"}}"#).kind, K::BadRequest);
}

#[test]
fn an_answer_is_no_complaint() {
    for answer in [r#"{"choices":[]}"#, r#"{"error":null,"choices":[]}"#, r#"{"type":"ping"}"#, "[]", "7"] {
        assert_eq!(Complaint::of(&serde_json::from_str(answer).unwrap()), None, "{answer}");
    }
}

"""What a user of OpenAI's Python SDK sees through the gateway: `openai_sdk.py BASE_URL KEYS_JSON CHECK`."""

import json
import sys

import openai

BASE_URL, KEYS, CHECK = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3]
HELLO = [{"role": "user", "content": "echo hello there"}]
WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def client(key="unlimited", **options):
    options.setdefault("max_retries", 0)
    return openai.OpenAI(base_url=f"{BASE_URL}/v1", api_key=KEYS.get(key, key), **options)


def chat():
    answer = client().chat.completions.create(model="gpt-4o-mini", messages=HELLO)
    assert answer.choices[0].message.content == "hello there", answer
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0


def streaming():
    chunks = list(client().chat.completions.create(model="gpt-4o-mini", messages=HELLO, stream=True))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert text == "hello there", text
    # The client did not ask for usage: it gets none, and no event without choices, whatever the gateway asked for.
    assert all(chunk.usage is None for chunk in chunks), chunks


def streaming_with_usage():
    options = {"include_usage": True}
    stream = client().chat.completions.create(model="gpt-4o-mini", messages=HELLO, stream=True, stream_options=options)
    last = list(stream)[-1]
    assert last.choices == [] and last.usage.completion_tokens > 0, last


def tools():
    function = {"name": "weather", "description": "the weather in a city", "parameters": WEATHER}
    arguments = dict(
        model="gpt-4o-mini",
        messages=HELLO,
        tools=[{"type": "function", "function": function}],
        tool_choice="required",
    )
    answer = client().chat.completions.create(**arguments)
    call = answer.choices[0].message.tool_calls[0]
    assert (call.function.name, json.loads(call.function.arguments)) == ("weather", {"city": "mock"}), call
    streamed = client().chat.completions.create(**arguments, stream=True)
    pieces = [chunk.choices[0].delta.tool_calls for chunk in streamed if chunk.choices]
    joined = "".join(piece[0].function.arguments for piece in pieces if piece)
    assert json.loads(joined) == {"city": "mock"}, joined


def embeddings():
    answer = client().embeddings.create(model="text-embedding-3-small", input=["one", "two"])
    assert [len(item.embedding) for item in answer.data] == [8, 8], answer


def responses():
    answer = client().responses.create(model="gpt-4o-mini", input="echo hello there")
    assert answer.output_text == "hello there" and answer.usage.output_tokens > 0, answer
    with client().responses.stream(model="gpt-4o-mini", input="echo hello there") as stream:
        deltas = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
        assert deltas == stream.get_final_response().output_text == "hello there", deltas


def completions():
    answer = client().completions.create(model="gpt-3.5-turbo-instruct", prompt="echo hello there")
    assert answer.choices[0].text == "hello there", answer


def models():
    assert "gpt-4o" in [model.id for model in client().models.list()]


def errors():
    def refused(exception, status, code, run):
        try:
            run()
        except exception as error:
            assert type(error) is exception, repr(error)
            assert (error.status_code, error.code) == (status, code), (error.status_code, error.code, error.body)
            return error
        raise AssertionError(f"no {exception.__name__}")

    def ask(key="unlimited", **changes):
        arguments = {"model": "gpt-4o-mini", "messages": HELLO, **changes}
        return lambda: client(key).chat.completions.create(**arguments)

    refused(openai.AuthenticationError, 401, "invalid_api_key", ask("tg_test_" + "x" * 32))
    refused(openai.PermissionDeniedError, 403, "expired_api_key", ask("expired"))
    refused(openai.PermissionDeniedError, 403, "key_paused", ask("paused"))
    refused(openai.BadRequestError, 400, "invalid_request", ask(messages="not a list"))
    refused(openai.NotFoundError, 404, "unknown_endpoint", lambda: client().fine_tuning.jobs.list())
    for _ in range(5):
        ask("demo")()
    limited = refused(openai.RateLimitError, 429, "rate_limit_exceeded", ask("demo"))
    assert int(limited.response.headers["retry-after"]) >= 1, limited.response.headers

    # What the provider answers arrives as it is.
    fails = {"x-mock-fault": "status=500"}
    try:
        client().chat.completions.create(model="gpt-4o-mini", messages=HELLO, extra_headers=fails)
    except openai.InternalServerError as error:
        assert "the mock was asked to fail" in error.message, error
    else:
        raise AssertionError("no InternalServerError")


globals()[CHECK]()

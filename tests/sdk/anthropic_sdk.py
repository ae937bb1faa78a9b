"""What a user of Anthropic's Python SDK sees through the gateway: `anthropic_sdk.py BASE_URL KEYS_JSON CHECK`."""

import json
import sys

import anthropic

BASE_URL, KEYS, CHECK = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3]
MODEL = "claude-sonnet-4-5"
HELLO = [{"role": "user", "content": "echo hello there"}]
WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def client(key="unlimited"):
    return anthropic.Anthropic(base_url=BASE_URL, api_key=KEYS.get(key, key), max_retries=0)


def messages():
    answer = client().messages.create(model=MODEL, max_tokens=64, messages=HELLO)
    assert answer.content[0].text == "hello there" and answer.usage.output_tokens > 0, answer


def streaming():
    with client().messages.stream(model=MODEL, max_tokens=64, messages=HELLO) as stream:
        assert "".join(stream.text_stream) == "hello there"
        assert stream.get_final_message().usage.output_tokens > 0


def tools():
    tool = {"name": "weather", "description": "the weather in a city", "input_schema": WEATHER}
    arguments = dict(model=MODEL, max_tokens=64, messages=HELLO, tools=[tool], tool_choice={"type": "any"})
    answer = client().messages.create(**arguments)
    assert (answer.content[0].name, answer.content[0].input) == ("weather", {"city": "mock"}), answer
    with client().messages.stream(**arguments) as stream:
        assert stream.get_final_message().content[0].input == {"city": "mock"}


def count_tokens():
    assert client().messages.count_tokens(model=MODEL, messages=HELLO).input_tokens > 0


def errors():
    def refused(exception, status, run):
        try:
            run()
        except exception as error:
            assert type(error) is exception and error.status_code == status, repr(error)
            assert error.body["type"] == "error" and error.body["error"]["message"], error.body
            return error
        raise AssertionError(f"no {exception.__name__}")

    def ask(key="unlimited", **changes):
        arguments = {"model": MODEL, "max_tokens": 64, "messages": HELLO, **changes}
        return lambda: client(key).messages.create(**arguments)

    refused(anthropic.AuthenticationError, 401, ask("tg_test_" + "x" * 32))
    refused(anthropic.PermissionDeniedError, 403, ask("expired"))
    refused(anthropic.PermissionDeniedError, 403, ask("paused"))
    refused(anthropic.BadRequestError, 400, ask(messages="not a list"))
    for _ in range(5):
        ask("demo")()
    limited = refused(anthropic.RateLimitError, 429, ask("demo"))
    assert int(limited.response.headers["retry-after"]) >= 1, limited.response.headers


globals()[CHECK]()

"""The admin API and the gateway, asked as programs ask them."""

import json
import time
import urllib.error
import urllib.request

# How long a change may take until it holds at the gateway.
PROMPTLY_S = 2
# How long it may take until the ledger knows what has been said.
SETTLED_S = 10


def ask(url, token, body=None, headers={}, parse=json.loads):
    """The status of a request, and its JSON. With a body it is a POST."""
    request = urllib.request.Request(
        url,
        data=None if body is None else json.dumps(body).encode(),
        headers={"authorization": f"Bearer {token}", "content-type": "application/json", **headers},
    )
    # A proxy of the machine is not for the loopback interface.
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
            return answer.status, parse(answer.read())
    except urllib.error.HTTPError as refusal:
        return refusal.code, json.load(refusal)


def say(given, key, messages, name=None):
    """Says something through the gateway, in the conversation of this name."""
    body = {"model": "gpt-4o-mini", "messages": messages}
    headers = {} if name is None else {"x-tollgate-conversation": name}
    status, answer = ask(given["gateway"] + "/v1/chat/completions", key["key"], body, headers)
    assert status == 200, answer


def eventually(find, is_right, within_s, wrong):
    """What is found once that is right; `wrong` says what it is as long as it is not."""
    since = time.monotonic()
    while not is_right(found := find()):
        assert time.monotonic() - since < within_s, f"{wrong}: {found}"
        time.sleep(0.05)
    return found


def until_kept(given, exchanges):
    """Waits until so many exchanges are kept of all conversations."""

    def kept():
        answer = ask(given["sidecar"] + "/admin/v1/conversations", given["token"])[1]
        return [one["exchanges"] for one in answer["conversations"]]

    eventually(kept, lambda kept: sum(kept) == exchanges, SETTLED_S, f"{exchanges} exchanges are not kept")

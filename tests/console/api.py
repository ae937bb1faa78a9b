"""The admin API and the gateway, asked as programs ask them."""

import json
import urllib.error
import urllib.request


def ask(url, token, body=None, parse=json.loads):
    """The status of a request, and its JSON. With a body it is a POST."""
    request = urllib.request.Request(
        url,
        data=None if body is None else json.dumps(body).encode(),
        headers={"authorization": f"Bearer {token}", "content-type": "application/json"},
    )
    # A proxy of the machine is not for the loopback interface.
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
            return answer.status, parse(answer.read())
    except urllib.error.HTTPError as refusal:
        return refusal.code, json.load(refusal)

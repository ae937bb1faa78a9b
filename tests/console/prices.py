"""Prices on the page: `prices.py SETTINGS_JSON`.

A price that is set here is what the next call costs, and none of its digits is lost on the way.
"""

import json

from api import SETTLED_S, ask, eventually
from browser import Guarded, browser, expect, settings

GIVEN = settings()
PRICES = GIVEN["sidecar"] + "/admin/v1/prices"
# Floating point has no such number.
EXACT = "0.100000000000000000000001"


def cost(key, seen):
    """What a call costs, in nano-dollars: what its event says."""
    body = {"model": "our-model", "messages": [{"role": "user", "content": "echo a"}]}
    assert ask(GIVEN["gateway"] + "/v1/chat/completions", key["key"], body)[0] == 200
    events = f"{GIVEN['sidecar']}/admin/v1/events?newest=true&limit=1&key={key['id']}"
    [event] = eventually(
        lambda: ask(events, GIVEN["token"])[1]["events"],
        lambda newest: newest and newest[0]["event_id"] not in seen,
        SETTLED_S,
        "the call has no event",
    )
    seen.add(event["event_id"])
    return event["cost_nanousd"]


def costs(key, nanos):
    """Waits until a call costs this."""
    seen = set()
    eventually(lambda: cost(key, seen), lambda found: found == nanos, SETTLED_S, "a call still costs")


def create(guarded):
    page = guarded.page
    guarded.go("prices")
    expect(page.get_by_role("heading", name="No prices set here")).to_be_visible()
    guarded.check_accessibility("no prices")
    page.get_by_role("button", name="Set price").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Model").fill("our-model")
    dialog.get_by_label("Input ($ for a million tokens)").fill("0,30")
    dialog.get_by_label("Other fields").fill("{")
    dialog.get_by_role("button", name="Set", exact=True).click()
    expect(dialog.get_by_text("This is no JSON")).to_be_visible()
    dialog.get_by_label("Other fields").fill('{"max_output_tokens": 4096, "input_cost_per_audio_token": ' + EXACT + "}")
    with guarded.expecting(("422", "/admin/v1/prices")):
        dialog.get_by_role("button", name="Set", exact=True).click()
        # At the field that is wrong, and only there.
        expect(dialog.get_by_label("Input ($ for a million tokens)")).to_be_focused()
        expect(dialog.get_by_text("Expected dollars for one unit as a decimal")).to_have_count(1)
    guarded.check_accessibility("the form of a price")
    dialog.get_by_label("Input ($ for a million tokens)").fill("0.30")
    dialog.get_by_label("Output ($ for a million tokens)").fill("1250")
    dialog.get_by_label("Each request ($)").fill("0.25")
    dialog.get_by_role("button", name="Set", exact=True).click()
    row = page.get_by_role("row", name="our-model")
    expect(row).to_contain_text("$0.30")
    expect(row).to_contain_text("$1,250.00")
    guarded.check_accessibility("prices")


def stored():
    """The price as the API has it, its numbers as they are written there."""
    status, answer = ask(PRICES, GIVEN["token"], parse=lambda text: json.loads(text, parse_float=str))
    assert status == 200, answer
    return answer["prices"][0]["price"]


def change(guarded):
    page = guarded.page
    page.get_by_role("button", name="Change our-model").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Input ($ for a million tokens)")).to_have_value("0.3")
    dialog.get_by_label("Input ($ for a million tokens)").fill("")
    dialog.get_by_label("Output ($ for a million tokens)").fill("")
    dialog.get_by_label("Reasoning ($ for a million tokens)").fill("100000.000000000000000001")
    dialog.get_by_label("Each request ($)").fill("0.5")
    dialog.get_by_role("button", name="Save").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    other = {"max_output_tokens": 4096, "input_cost_per_audio_token": EXACT}
    assert stored() == {**other, "output_cost_per_reasoning_token": EXACT, "input_cost_per_request": "0.5"}, stored()
    page.get_by_role("button", name="All of the price of our-model").click()
    expect(page.get_by_role("dialog")).to_contain_text("$100,000.000000000000000001 for a million tokens")
    expect(page.get_by_role("dialog")).to_contain_text(EXACT)
    guarded.check_accessibility("all of a price")
    page.keyboard.press("Escape")


def delete(guarded):
    page = guarded.page
    page.get_by_role("button", name="Delete our-model").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", name="No prices set here")).to_be_visible()
    guarded.go("audit")
    for action in ("price.create", "price.edit", "price.delete"):
        expect(page.get_by_role("row", name=action).first).to_be_visible()


# Reading and writing JSON in a browser that can do neither digit by digit by itself.
OLD_BROWSER = """delete JSON.rawJSON; delete JSON.isRawJSON;
const parse = JSON.parse;
JSON.parse = (text, revive) => parse(text, revive && function (key, value) { return revive.call(this, key, value); });"""
EXACTLY = """async (text) => {
  const base = new URL('.', document.querySelector('script[type=module]').src).href;
  const { parseExact, stringify } = await import(`${base}decimal.js`);
  return stringify(parseExact(text));
}"""


def keep_digits(guarded):
    """JSON is written as it was read: numbers to their last digit, texts that look like some, and keys."""
    for text in ('{"a":[1e-7,-0,0.10,10000000000000000000001],"b":{"":"1.50","\\"2":"\\\\","c":null}}', EXACT, '"1"', "[]"):
        assert (kept := guarded.page.evaluate(EXACTLY, text)) == text, kept


with browser(GIVEN) as running:
    context = running.new_context()
    context.add_init_script(OLD_BROWSER)
    one = Guarded(context, GIVEN["sidecar"])
    one.sign_in(GIVEN["token"])
    assert one.page.evaluate("'rawJSON' in JSON") is False
    keep_digits(one)
    made = ask(GIVEN["sidecar"] + "/admin/v1/keys", GIVEN["token"], {"name": "priced", "workspace": "paged"})[1]
    create(one)
    change(one)
    costs(made, 500_000_000)
    delete(one)
    one.check()

"""Limits on the page, and raises of budgets: `limits.py SETTINGS_JSON`.

A limit that is made here holds at the gateway within two seconds: it refuses, is given back, is raised and is gone.
"""

from api import PROMPTLY_S, ask, eventually
from browser import Guarded, browser, expect, settings

GIVEN = settings()
BODY = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "echo a"}]}


def soon(key, status):
    """Waits until the gateway answers this."""
    eventually(
        lambda: ask(GIVEN["gateway"] + "/v1/chat/completions", key["key"], BODY),
        lambda answer: answer[0] == status,
        PROMPTLY_S,
        f"not {status}",
    )


def create(guarded, key):
    page = guarded.page
    guarded.go("limits")
    expect(page.get_by_role("heading", name="No limits here")).to_be_visible()
    guarded.check_accessibility("no limits")
    page.get_by_role("button", name="Create limit").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("two words")
    dialog.get_by_label("Workspace").fill("paged")
    dialog.get_by_label("Amount").fill("1")
    dialog.get_by_label("Period").fill("1h")
    with guarded.expecting(("422", "/admin/v1/limits")):
        dialog.get_by_role("button", name="Create", exact=True).click()
        expect(dialog.get_by_text("is no name")).to_be_visible()
    guarded.check_accessibility("the form of a limit")
    dialog.get_by_label("Name").fill("paged-per-key")
    dialog.get_by_role("button", name="Create", exact=True).click()
    row = page.get_by_role("row", name="paged-per-key")
    expect(row).to_contain_text("1 requests in 1h")
    expect(row).to_contain_text("workspaces: paged")
    guarded.check_accessibility("limits")
    soon(key, 429)


def reset(guarded, key):
    page = guarded.page
    page.get_by_role("button", name="Reset paged-per-key").click()
    dialog = page.get_by_role("dialog")
    guarded.check_accessibility("the form of a reset")
    dialog.get_by_label("key (id)").fill(key["id"])
    dialog.get_by_role("button", name="Reset", exact=True).click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    soon(key, 200)
    soon(key, 429)


def change(guarded, key):
    page = guarded.page
    button = page.get_by_role("button", name="Change paged-per-key")
    # Somebody has deleted it meanwhile, and the list is from before.
    gone = {"type": "urn:tollgate:problem:not-found", "status": 404, "detail": "no such limit"}
    one = "**/admin/v1/limits/*"
    page.route(one, lambda route: route.fulfill(status=404, json=gone, headers={"x-tollgate-sidecar": "test"}))
    with guarded.expecting(("404", "/admin/v1/limits/")):
        button.click()
        expect(page.get_by_text("No such limit.")).to_be_visible()
    page.unroute(one)
    button.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Amount").fill("1000")
    dialog.get_by_role("button", name="Save").click()
    expect(page.get_by_role("row", name="paged-per-key")).to_contain_text("1,000 requests in 1h")
    soon(key, 200)


def delete(guarded):
    page = guarded.page
    page.get_by_role("button", name="Delete paged-per-key").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", name="No limits here")).to_be_visible()
    page.get_by_role("button", name="Reset by name").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name of the limit").fill("of-a-configuration")
    dialog.get_by_role("button", name="Reset", exact=True).click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    guarded.go("audit")
    for action in ("limit.create", "limit.edit", "limit.delete", "limit.reset"):
        expect(page.get_by_role("row", name=action).first).to_be_visible()
    # By the name that people know, also of what is gone.
    expect(page.get_by_role("row", name="limit.delete")).to_contain_text("paged-per-key")


def raise_budget(guarded):
    page = guarded.page
    spec = {"name": "the launch", "subject": {"workspace": "paged"}, "unit": "usd", "period": "month", "amount": "10"}
    assert ask(GIVEN["sidecar"] + "/admin/v1/budgets", GIVEN["token"], spec)[0] == 201
    guarded.go("budgets")
    page.get_by_role("button", name="Raise the launch").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("By (usd)").fill("5")
    with guarded.expecting(("422", "/admin/v1/budgets")):
        dialog.get_by_role("button", name="Raise", exact=True).click()
        expect(dialog.get_by_text("printable characters")).to_be_visible()
    guarded.check_accessibility("the form of a raise")
    dialog.get_by_label("Reason").fill("the launch")
    dialog.get_by_role("button", name="Raise", exact=True).click()
    card = page.get_by_role("article", name="the launch")
    expect(card).to_contain_text("Raised from $10.00 until")
    expect(card).to_contain_text("of $15")
    guarded.check_accessibility("a raised budget")
    # What is changed is the budget's own amount.
    page.get_by_role("button", name="Change the launch").click()
    expect(page.get_by_role("dialog").get_by_label("Amount (usd)")).to_have_value("10")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="End the raise of the launch").click()
    page.get_by_role("dialog").get_by_role("button", name="End the raise").click()
    expect(card).not_to_contain_text("Raised from")


with browser(GIVEN) as running:
    one = Guarded(running.new_context(), GIVEN["sidecar"])
    one.sign_in(GIVEN["token"])
    spec = {"name": "paged", "workspace": "paged"}
    made = ask(GIVEN["sidecar"] + "/admin/v1/keys", GIVEN["token"], spec)[1]
    create(one, made)
    reset(one, made)
    change(one, made)
    delete(one)
    raise_budget(one)
    one.check()

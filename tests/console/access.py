"""Who is offered what: `access.py SETTINGS_JSON`.

Whoever may only look sees no button that the API would refuse, in any view; whoever may do something sees its button.
"""

import re

from api import ask, say, until_kept
from browser import Guarded, browser, expect, settings

GIVEN = settings()
PASSWORD = "a long enough password"
# Whoever signs in, and what they may.
OPERATORS = {
    "owen": {"*": "owner"},
    "ann": {"*": "admin"},
    "vera": {"*": "viewer"},
    "mia": {"ours": "member", "theirs": "viewer"},
    "otto": {"ours": "admin", "theirs": "viewer"},
}
# What an admin of everything is offered where, at least.
OFFERED = {
    "overview": [],
    "events": [],
    "keys": ["Create key", "Change ours", "Rotate ours", "Pause ours", "Revoke ours"],
    "budgets": [
        "Create budget",
        *[f"{action} {name}" for name in ("ours", "all", "prepaid") for action in ("Change", "Raise", "Archive")],
        "Deposit to prepaid",
    ],
    "limits": ["Reset by name", "Create limit", "Change ours", "Reset ours", "Delete ours"],
    "prices": ["Set price", "Change our/model", "Delete our/model"],
    "moderation": ["Create policy", "Change names", "Delete names"],
    "conversations": ["Read said", "Delete said"],
    "workspaces": ["Create user", "Create workspace", "Change ours", "Pause ours", "Change ada of ours", "Pause ada of ours"],
    "webhooks": ["Add webhook", *[f"{action} http://127.0.0.1:1/told" for action in ("Change", "Pause", "Delete")]],
    "operators": ["Create operator", "Change vera", "Reset password vera", "Remove vera"],
    "tokens": ["Create token", "Revoke ci"],
    "audit": [],
    "health": [],
}
# Views that are not there for whoever only looks.
ADMINS = {"operators", "tokens", "conversations"}
# Buttons that change nothing.
READS = re.compile(r"Details of .*|All of the price of .*|Rules of .*|Earlier .*|Pause|http://127\.0\.0\.1:1/told|127\.0\.0\.1:1/told")


def make(path, body):
    status, made = ask(f"{GIVEN['sidecar']}/admin/v1/{path}", GIVEN["token"], body)
    assert status == 201, (path, status, made)
    return made


def make_all():
    """Something of each kind, so that a row has its buttons."""
    keys = {}
    for workspace in ("ours", "theirs"):
        keys[workspace] = make("keys", {"name": workspace, "workspace": workspace, "user": "ada"})
        of_it = {"match": {"workspaces": [workspace]}, "per": ["key"]}
        make("limits", {"name": workspace, "count": "requests", "amount": 60, "period": "1m", **of_it})
    budget = {"unit": "usd", "amount": "10", "period": "month"}
    make("budgets", {**budget, "name": "ours", "subject": {"workspace": "ours"}})
    make("budgets", {**budget, "name": "all", "subject": {}})
    make("budgets", {**budget, "name": "prepaid", "subject": {"workspace": "ours"}, "period": "total"})
    rule = {"name": "projects", "category": "confidential", "action": "block", "words": ["nightingale"]}
    make("moderation/policies", {"id": "names", "policy": {"rules": [rule]}})
    make("prices", {"id": "our/model", "price": {"input_cost_per_token": 1e-6}})
    make("webhooks", {"url": "http://127.0.0.1:1/told", "kinds": []})
    make("tokens", {"name": "ci", "role": "viewer", "workspace": "ours"})
    for name, roles in OPERATORS.items():
        make("operators", {"name": name, "password": PASSWORD, "roles": roles})
    say(GIVEN, keys["ours"], [{"role": "user", "content": "echo a"}], "said")
    until_kept(GIVEN, 1)


def offered(guarded):
    """The buttons of the view that is shown, without those that only choose what is looked at."""
    return names(guarded.page.locator(".view button:not(.choices button):visible"))


def names(buttons):
    return [button.get_attribute("aria-label") or button.inner_text().strip() for button in buttons.all()]


def sign_in(running, name):
    guarded = Guarded(running.new_context(), GIVEN["sidecar"])
    guarded.sign_in_as(name, PASSWORD)
    return guarded


def admin(running):
    guarded = sign_in(running, "ann")
    for view, buttons in OFFERED.items():
        guarded.go(view)
        for name in buttons:
            expect(guarded.page.locator(".view").get_by_role("button", name=name, exact=True)).to_be_visible()
    # Nobody takes away a stronger role than their own, and nobody gives one.
    guarded.go("operators")
    expect(guarded.page.get_by_role("row", name="owen")).to_be_visible()
    assert not [name for name in offered(guarded) if name.endswith("owen")], offered(guarded)
    guarded.page.get_by_role("button", name="Create operator").click()
    role = guarded.page.get_by_role("dialog").get_by_label("Role 1", exact=True)
    assert role.locator("option").all_inner_texts() == ["viewer", "member", "admin"]
    guarded.page.keyboard.press("Escape")
    on_a_phone(guarded)
    guarded.check()


def on_a_phone(guarded):
    """Nothing is offered on a desktop only: what has no room in a row is behind its last button."""
    page = guarded.page
    page.set_viewport_size({"width": 390, "height": 844})
    for view, buttons in OFFERED.items():
        guarded.go(view)
        found = offered(guarded)
        for name in [name for name in found if name.startswith("More about ")]:
            page.get_by_role("button", name=name, exact=True).click()
            found += names(page.get_by_role("dialog").get_by_role("button"))
            page.keyboard.press("Escape")
            expect(page.get_by_role("button", name=name, exact=True)).to_be_focused()
        missing = set(buttons) - set(found)
        assert not missing, f"{view} on a phone lacks {missing}"
    # What has no column there is told, and what is chosen is done.
    guarded.go("keys")
    page.get_by_role("button", name="More about ours").click()
    expect(page.get_by_role("dialog").get_by_text("ada")).to_be_visible()
    guarded.check_accessibility("what can be done with a key, on a phone")
    page.get_by_role("dialog").get_by_role("button", name="Rotate ours").press("Enter")
    expect(page.get_by_role("dialog", name="Rotate ours")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="More about ours")).to_be_focused()
    one_workspace(guarded)


def one_workspace(guarded):
    """Also with the menu closed a phone tells which workspace is looked at; where it has nothing, others may."""
    page = guarded.page
    page.get_by_role("button", name="Menu").click()
    page.get_by_label("Workspace").select_option("theirs")
    guarded.go("tokens")
    expect(page.locator(".side-head")).to_contain_text("theirs")
    expect(page.get_by_role("heading", name="No API tokens in theirs")).to_be_visible()
    guarded.check_accessibility("a workspace that has none, on a phone")
    page.get_by_role("button", name="Look at all workspaces").click()
    expect(page.get_by_role("row", name="ci")).to_be_visible()
    expect(page.locator(".side-head")).not_to_contain_text("theirs")


def viewer(running):
    guarded = sign_in(running, "vera")
    nav = guarded.page.locator(".nav")
    for view in OFFERED:
        if view in ADMINS:
            expect(nav.locator(f"[href='#/{view}']")).to_have_count(0)
            continue
        guarded.go(view)
        wrong = [name for name in offered(guarded) if not READS.fullmatch(name)]
        assert not wrong, f"{view} offers a viewer {wrong}"
    # Not by an address that somebody sent them either.
    for view in ADMINS:
        guarded.page.goto(f"{guarded.sidecar}/#/{view}")
        expect(guarded.page.get_by_role("heading", name="Your role is not enough")).to_be_visible()
        expect(guarded.page.locator(".view")).to_contain_text("It needs the role “admin”")
        assert offered(guarded) == [], offered(guarded)
    guarded.check_accessibility("a view that is for others")
    guarded.check()


def admin_of_one(running):
    """Who goes to a workspace in which they are no admin is told what the view needs, and sees it again back in theirs."""
    guarded = sign_in(running, "otto")
    page = guarded.page
    for view, button in (("tokens", "Revoke ci"), ("conversations", "Read said")):
        page.get_by_label("Workspace").select_option("ours")
        guarded.go(view)
        expect(page.get_by_role("button", name=button)).to_be_visible()
        page.get_by_label("Workspace").select_option("theirs")
        expect(page.locator(".view")).to_contain_text("It needs the role “admin” in theirs: choose another workspace")
        expect(page.locator(f".nav [href='#/{view}']")).to_have_count(0)
        page.get_by_label("Workspace").select_option("ours")
        expect(page.get_by_role("button", name=button)).to_be_visible()
    guarded.check()


def member(running):
    """Of one workspace, who may look at another: each row has what its own workspace allows."""
    guarded = sign_in(running, "mia")
    page = guarded.page
    expect(page.get_by_role("heading", name="Choose a workspace")).to_be_visible()
    guarded.check_accessibility("the choice of a workspace")
    guarded.go("keys")
    expect(page.get_by_role("row", name="theirs")).to_be_visible()
    names = offered(guarded)
    assert "Revoke ours" in names and not [name for name in names if name.endswith("theirs")], names
    page.get_by_role("button", name="Create key").click()
    # The only one in which they may.
    expect(page.get_by_role("dialog").get_by_label("Workspace")).to_have_value("ours")
    page.keyboard.press("Escape")
    for view in ("budgets", "limits", "workspaces"):
        guarded.go(view)
        assert offered(guarded) == [], (view, offered(guarded))
    guarded.go("overview")
    page.get_by_role("button", name="theirs").click()
    expect(page.get_by_role("heading", name="No calls in theirs")).to_be_visible()
    guarded.go("keys")
    expect(page.get_by_role("row", name="theirs")).to_be_visible()
    assert offered(guarded) == [], offered(guarded)
    guarded.check()


with browser(GIVEN) as running:
    make_all()
    admin(running)
    viewer(running)
    admin_of_one(running)
    member(running)

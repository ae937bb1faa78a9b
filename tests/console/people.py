"""Operators, tokens, workspaces and users on the page: `people.py SETTINGS_JSON`.

What is made here is used at once: the operator signs in, the token asks the API, the paused workspace's key is refused.
"""

import api
from browser import Guarded, browser, expect, settings

GIVEN = settings()
PASSWORD = "a long enough password"
OTHER = "another good password"


def ask(path, token, body=None, base=None):
    return api.ask((base or GIVEN["sidecar"]) + path, token, body)


def create_operator(guarded):
    page = guarded.page
    guarded.go("operators")
    expect(page.get_by_role("heading", name="No operators yet")).to_be_visible()
    page.get_by_role("button", name="Create operator").first.click()
    dialog = page.get_by_role("dialog")
    with guarded.expecting(("422", "/admin/v1/operators")):
        dialog.get_by_label("Name").fill("grace")
        dialog.get_by_label("Password").fill("short")
        dialog.get_by_role("button", name="Create", exact=True).click()
        expect(dialog.get_by_text("Expected 12 to 256 characters.")).to_be_visible()
    dialog.get_by_label("Password").fill(PASSWORD)
    dialog.get_by_label("Workspace of role 1").fill("people")
    dialog.get_by_label("Role 1", exact=True).select_option("admin")
    dialog.get_by_role("button", name="Add role").click()
    dialog.get_by_label("Workspace of role 2").fill("elsewhere")
    guarded.check_accessibility("the form of an operator")
    dialog.get_by_role("button", name="Create", exact=True).click()
    row = page.get_by_role("row", name="grace")
    expect(row).to_contain_text("people: admin")
    expect(row).to_contain_text("elsewhere: viewer")


def change_operator(guarded):
    page = guarded.page
    page.get_by_role("button", name="Change grace").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Remove role 1").click()
    dialog.get_by_role("button", name="Save").click()
    row = page.get_by_role("row", name="grace")
    expect(row).to_contain_text("people: admin")
    expect(row).not_to_contain_text("elsewhere")


def create_token(guarded):
    page = guarded.page
    guarded.go("tokens")
    page.get_by_role("button", name="Create token").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("ci")
    dialog.get_by_label("keys:read").check()
    guarded.check_accessibility("the form of a token")
    dialog.get_by_role("button", name="Create", exact=True).click()
    shown = page.get_by_role("dialog", name="The token").get_by_label("ci")
    token = shown.input_value()
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_text("Copied.")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == token
    page.get_by_label("I have stored it").check()
    page.get_by_role("button", name="Done").click()
    assert ask("/admin/v1/keys", token)[0] == 200
    assert ask("/admin/v1/budgets", token)[0] == 403
    page.get_by_role("button", name="Revoke ci").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("row", name="ci")).to_contain_text("revoked")
    assert ask("/admin/v1/keys", token)[0] == 401


def workspaces(guarded):
    page = guarded.page
    guarded.go("workspaces")
    page.get_by_role("button", name="Create workspace").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Id").fill("people")
    dialog.get_by_label("Display name").fill("The people")
    guarded.check_accessibility("the form of a workspace")
    dialog.get_by_role("button", name="Create", exact=True).click()
    expect(page.get_by_role("row", name="The people")).to_contain_text("active")
    _, key = ask("/admin/v1/keys", GIVEN["token"], {"name": "k", "workspace": "people", "user": "hopper"})

    def call():
        body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "echo a"}]}
        return ask("/v1/chat/completions", key["key"], body, base=GIVEN["gateway"])[0]

    assert call() == 200
    page.get_by_role("button", name="Pause people").click()
    page.get_by_role("dialog").get_by_role("button", name="Pause").click()
    expect(page.get_by_role("row", name="The people")).to_contain_text("paused")
    api.eventually(call, lambda status: status == 403, api.PROMPTLY_S, "a key of a paused workspace still works")
    page.get_by_role("button", name="Resume people").click()
    expect(page.get_by_role("row", name="The people")).to_contain_text("active")
    page.get_by_role("button", name="Change hopper of people").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Display name").fill("Grace Hopper")
    dialog.get_by_role("button", name="Save").click()
    expect(page.get_by_role("row", name="Grace Hopper")).to_contain_text("$0.00")


def policies(guarded):
    """Made from the form's example; a fault is told at the field."""
    page = guarded.page
    guarded.go("moderation")
    page.get_by_role("button", name="Create policy").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Id").fill("names")
    example = dialog.get_by_label("Policy", exact=True).input_value()
    dialog.get_by_label("Policy", exact=True).fill("{")
    dialog.get_by_role("button", name="Create", exact=True).click()
    expect(dialog.get_by_text("This is no JSON")).to_be_visible()
    with guarded.expecting(("422", "/admin/v1/moderation/policies")):
        dialog.get_by_label("Policy", exact=True).fill('{"rules": []}')
        dialog.get_by_role("button", name="Create", exact=True).click()
        expect(dialog.get_by_text("Expected 1 to 500.")).to_be_visible()
    guarded.check_accessibility("the form of a policy")
    dialog.get_by_label("Policy", exact=True).fill(example)
    dialog.get_by_role("button", name="Create", exact=True).click()
    row = page.get_by_role("row", name="names")
    expect(row).to_contain_text("confidential")
    row.get_by_role("button", name="Rules of names").click()
    expect(page.get_by_role("dialog")).to_contain_text("project nightingale")
    guarded.check_accessibility("the rules of a policy")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Delete names").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("row", name="names")).to_have_count(0)


def change_own_password(running):
    """Of two sessions the one goes on in which the password was changed."""
    here, there = (Guarded(running.new_context(), GIVEN["sidecar"]) for _ in range(2))
    for guarded in (here, there):
        guarded.sign_in_as("grace", PASSWORD)
    page = here.page
    nav = page.locator(".nav")
    expect(nav.get_by_role("link", name="API tokens")).to_be_visible()
    for hidden in ("Operators", "Webhooks"):
        expect(nav.get_by_role("link", name=hidden)).to_have_count(0)
    here.go("workspaces")
    expect(page.get_by_role("row", name="The people")).to_be_visible()
    expect(page.get_by_role("row", name="unlimited")).to_have_count(0)
    expect(page.get_by_role("button", name="Create workspace")).to_have_count(0)
    page.get_by_role("button", name="Change password").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("New password").fill(OTHER)
    with here.expecting(("422", "/admin/v1/session/password")):
        dialog.get_by_label("Current password").fill("a wrong password")
        dialog.get_by_role("button", name="Change", exact=True).click()
        expect(dialog.get_by_text("This is not your password.")).to_be_visible()
    here.check_accessibility("the form of a password")
    dialog.get_by_label("Current password").fill(PASSWORD)
    dialog.get_by_role("button", name="Change", exact=True).click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    # What needs the new session's proof works.
    page.get_by_role("button", name="Pause hopper of people").click()
    page.get_by_role("dialog").get_by_role("button", name="Pause").click()
    expect(page.get_by_role("row", name="Grace Hopper")).to_contain_text("paused")
    with there.expecting(("401", "/admin/v1/")):
        there.page.locator(".nav").get_by_role("link", name="Keys").click()
        expect(there.page.get_by_text("Your session has ended")).to_be_visible()
    for guarded in (here, there):
        guarded.check()


def remove_operator(guarded):
    page = guarded.page
    guarded.go("operators")
    page.get_by_role("button", name="Remove grace").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(page.get_by_role("heading", name="No operators yet")).to_be_visible()
    guarded.go("audit")
    for action in ("operator.delete", "session.begin", "workspace.edit", "user.edit"):
        expect(page.get_by_role("row", name=action).first).to_be_visible()


with browser(GIVEN) as running:
    context = running.new_context(permissions=["clipboard-read", "clipboard-write"])
    one = Guarded(context, GIVEN["sidecar"])
    one.sign_in(GIVEN["token"])
    create_operator(one)
    change_operator(one)
    create_token(one)
    workspaces(one)
    policies(one)
    change_own_password(running)
    remove_operator(one)
    one.check()

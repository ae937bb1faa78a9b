"""An operator's work on the page against the real system: `work.py SETTINGS_JSON`.

Prints what it needs done to the system (`kill sidecar`, `start sidecar`) and waits for `done`.
"""

import api
from browser import Guarded, ask, browser, expect, settings

GIVEN = settings()


def call(key):
    """The status of a chat completion through the gateway."""
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "echo a"}]}
    return api.ask(GIVEN["gateway"] + "/v1/chat/completions", key, body)[0]


def wrong_token(guarded):
    page = guarded.page
    page.goto(guarded.sidecar + "/")
    with guarded.expecting(("401", "/admin/v1/session")):
        page.get_by_label("Admin token").fill("a guess")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("not the admin token")


def create_key(guarded):
    page = guarded.page
    guarded.go("keys")
    page.get_by_role("button", name="Create key").first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Name")).to_be_focused()
    with guarded.expecting(("422", "/admin/v1/keys")):
        dialog.get_by_label("Workspace").fill("console")
        dialog.get_by_role("button", name="Create", exact=True).click()
        # What is wrong is said at its field, which has the focus; what was written is still there.
        expect(dialog.get_by_label("Name")).to_be_focused()
        expect(dialog.get_by_text("Expected 1 to 128 printable characters.")).to_be_visible()
        expect(dialog.get_by_label("Workspace")).to_have_value("console")
    dialog.get_by_label("Name").fill("made on the page")
    dialog.get_by_label("User").fill("ada")
    dialog.get_by_role("button", name="Create", exact=True).click()
    shown = page.get_by_role("dialog", name="The key").get_by_label("made on the page")
    key = shown.input_value()
    assert key.startswith("tg_live_") and len(key) == 40, key
    # It cannot be shown again: Escape alone does not close it.
    page.keyboard.press("Escape")
    expect(shown).to_be_visible()
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_text("Copied.")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == key
    page.get_by_label("I have stored it").check()
    page.get_by_role("button", name="Done").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    row = page.get_by_role("row", name="made on the page")
    expect(row).to_contain_text("active")
    assert key not in page.content()
    return key


def watch_events_and_budget(guarded, key):
    """Ten requests are the budget: the event of each arrives, and the bar goes from green to amber to red."""
    page = guarded.page
    guarded.go("events")
    before = page.locator("tbody tr", has_text="ada").count()
    assert call(key) == 200
    expect(page.locator("tbody tr", has_text="ada")).to_have_count(before + 1)
    newest = page.locator("tbody tr").first
    expect(newest).to_contain_text("200")
    expect(newest).to_contain_text("gpt-4o-mini")
    newest.get_by_role("button").click()
    expect(page.get_by_role("dialog")).to_contain_text("chat_completions")
    page.keyboard.press("Escape")
    expect(newest.get_by_role("button")).to_be_focused()

    guarded.go("budgets")
    meter = page.get_by_role("meter", name="Used of the page's requests")
    for calls, used, level in [(0, "10", "ok"), (4, "50", "ok"), (1, "60", "warn"), (1, "70", "warn"), (1, "80", "bad")]:
        for _ in range(calls):
            assert call(key) == 200
        expect(meter).to_have_attribute("aria-valuenow", used)
        assert meter.get_attribute("data-level") == level, (used, level)
    fills = page.evaluate(
        "() => ['ok', 'warn', 'bad'].map((level) => getComputedStyle(document.documentElement)"
        ".getPropertyValue(`--fill-${level}`).trim())"
    )
    fill = meter.locator("rect.spent").evaluate("(bar) => getComputedStyle(bar).fill")
    red = tuple(int(fills[2][i : i + 2], 16) for i in (1, 3, 5))
    assert fill == f"rgb{red}", (fill, fills)


def read_the_overview(guarded):
    """What was called is counted and drawn, and can be taken away as CSV."""
    page = guarded.page
    guarded.go("overview", "?group=user")
    row = page.get_by_role("row", name="ada")
    expect(row).to_be_visible()
    # Eight calls were answered.
    expect(row.get_by_role("cell").nth(1)).to_have_text("8")
    expect(page.locator("tg-chart canvas")).to_have_count(2)
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    lines = download.value.path().read_text().splitlines()
    assert lines[0].startswith("time,group,requests") and any(",ada,8," in line for line in lines), lines


def read_the_audit_log(guarded, key):
    """What was changed here is in the audit log, and so is that who spent a budget to its end was refused."""
    while (status := call(key)) == 200:
        pass
    assert status == 402, status
    page = guarded.page
    guarded.go("audit")
    expect(page.get_by_role("row", name="request.refuse").first).to_be_visible()
    page.get_by_role("row", name="key.create").first.get_by_role("button").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("made on the page")
    guarded.check_accessibility("an entry of the audit log")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


def pause_and_resume(guarded):
    page = guarded.page
    guarded.go("keys")
    row = page.get_by_role("row", name="made on the page")
    row.get_by_role("button", name="Pause").click()
    expect(row).to_contain_text("paused")
    row.get_by_role("button", name="Resume").click()
    expect(row).to_contain_text("active")


def rotate(guarded, key):
    """Both secrets work in the grace, then only the newest. The budget is spent: a key that works is told so."""

    def rotated(grace):
        page.get_by_role("button", name="Rotate made on the page").click()
        page.get_by_role("dialog").get_by_label("The secret of now works for").select_option(label=grace)
        guarded.check_accessibility("the rotation of a key")
        page.get_by_role("dialog").get_by_role("button", name="Rotate", exact=True).click()
        secret = page.get_by_role("dialog", name="The new key").get_by_label("made on the page").input_value()
        page.get_by_label("I have stored it").check()
        page.get_by_role("button", name="Done").click()
        return secret

    page = guarded.page
    second = rotated("an hour")
    assert second != key
    assert (call(key), call(second)) == (402, 402)
    third = rotated("no longer")
    api.eventually(
        lambda: (call(key), call(second)),
        lambda statuses: statuses == (401, 401),
        api.PROMPTLY_S,
        "a replaced secret still works",
    )
    assert call(third) == 402
    return third


def revoke(guarded, key):
    page = guarded.page
    page.get_by_role("button", name="Revoke made on the page").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    api.eventually(lambda: call(key), lambda status: status == 401, api.PROMPTLY_S, "the revoked key still works")
    expect(page.get_by_role("row", name="made on the page")).to_have_count(0)
    page.get_by_label("Revoked ones too").check()
    expect(page.get_by_role("row", name="made on the page")).to_contain_text("revoked")


def lose_the_sidecar(guarded):
    page = guarded.page
    guarded.go("events")
    rows = page.locator("tbody tr").count()
    assert rows > 0
    with guarded.expecting(("ERR_CONNECTION", "/"), ("ERR_EMPTY_RESPONSE", "/")):
        ask("kill sidecar")
        expect(page.get_by_role("alert")).to_contain_text("The sidecar does not answer")
        guarded.check_accessibility("without a sidecar")
        assert page.locator("tbody tr").count() == rows, "what was there stays"
        expect(page.get_by_text("Trying again")).to_be_visible()
        ask("start sidecar")
        expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.get_by_text("The sidecar answers again.")).to_be_visible()
    # The session is in the ledger: it goes on.
    guarded.go("keys")
    expect(page.get_by_role("row", name="unlimited").first).to_be_visible()


def sign_out(guarded):
    page = guarded.page
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def sign_in_as_an_operator(guarded):
    operator = {"name": "ada", "password": "a long enough password", "roles": {"console": "viewer"}}
    assert api.ask(guarded.sidecar + "/admin/v1/operators", GIVEN["token"], operator)[0] == 201
    page = guarded.page
    page.get_by_role("button", name="Sign in as an operator").click()
    expect(page.get_by_label("Name")).to_be_focused()
    page.get_by_label("Name").fill("ada")
    with guarded.expecting(("401", "/admin/v1/session")):
        page.get_by_label("Password").fill("a guess")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("No operator has this name and this password")
    guarded.check_accessibility("sign-in of an operator")
    page.get_by_label("Password").fill("a long enough password")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).not_to_have_text("Sign in")
    guarded.go("keys")
    expect(page.get_by_role("heading", name="All keys are revoked")).to_be_visible()
    page.get_by_label("Revoked ones too").check()
    expect(page.get_by_role("row", name="made on the page")).to_be_visible()
    # Of another workspace, and so not there.
    expect(page.get_by_role("row", name="unlimited")).to_have_count(0)


with browser(GIVEN) as running:
    context = running.new_context(permissions=["clipboard-read", "clipboard-write"])
    one = Guarded(context, GIVEN["sidecar"])
    wrong_token(one)
    one.sign_in(GIVEN["token"])
    made = create_key(one)
    watch_events_and_budget(one, made)
    read_the_overview(one)
    read_the_audit_log(one, made)
    pause_and_resume(one)
    made = rotate(one, made)
    revoke(one, made)
    lose_the_sidecar(one)
    sign_out(one)
    sign_in_as_an_operator(one)
    sign_out(one)
    one.check()

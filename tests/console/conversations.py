"""Conversations on the page: `conversations.py SETTINGS_JSON`.

What was said is shown as text, whatever it looks like; that it was read is in the audit log; nothing is deleted unasked.
"""

from api import ask, say, until_kept
from browser import Guarded, browser, expect, settings

GIVEN = settings()
# Were it taken for HTML, it would run, and be bold.
MARKUP = "<img src=x onerror=alert(1)><b>bold</b>"
RULES = {"role": "system", "content": "You answer in verse."}


def user(text):
    return {"role": "user", "content": f"echo {text}"}


def talk():
    """Two users, of whom one has two conversations."""
    for name, conversations in [("ann", ["thread-1", "thread-1", None]), ("bob", ["thread-1"])]:
        spec = {"name": name, "workspace": "kept", "user": name}
        key = ask(GIVEN["sidecar"] + "/admin/v1/keys", GIVEN["token"], spec)[1]
        for conversation in conversations:
            say(GIVEN, key, [RULES, user(MARKUP)], conversation)
    until_kept(GIVEN, 4)


def read(guarded):
    page = guarded.page
    guarded.go("conversations")
    expect(page.get_by_text("Redacted, and kept for 30 days.")).to_be_visible()
    row = page.get_by_role("row", name="thread-1").filter(has_text="ann")
    # Of ann's two exchanges in it.
    expect(row.get_by_role("cell").nth(2)).to_have_text("2")
    guarded.check_accessibility("conversations")
    row.get_by_role("button", name="Read thread-1").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text(MARKUP)).to_have_count(4)
    expect(dialog.locator("img, b")).to_have_count(0)
    expect(dialog.get_by_text("You answer in verse.").first).not_to_be_visible()
    dialog.get_by_text("Earlier in the prompt").first.click()
    expect(dialog.get_by_text("You answer in verse.").first).to_be_visible()
    guarded.check_accessibility("a conversation")
    page.keyboard.press("Escape")
    expect(row.get_by_role("button", name="Read thread-1")).to_be_focused()


def delete(guarded):
    page = guarded.page
    rows = page.get_by_role("row", name="thread-1")
    button = rows.filter(has_text="ann").get_by_role("button", name="Delete thread-1")
    button.click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    expect(rows).to_have_count(2)
    button.click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("bob")


def delete_all_of_a_user(guarded):
    page = guarded.page
    page.get_by_label("Workspace", exact=True).select_option("kept")
    page.get_by_label("User", exact=True).fill("ann")
    page.keyboard.press("Enter")
    expect(page.get_by_role("row", name="exchange …")).to_be_visible()
    expect(page.get_by_role("row", name="thread-1")).to_have_count(0)
    page.get_by_role("button", name="Delete all of ann").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete all").click()
    expect(page.get_by_role("heading", name="No such conversation")).to_be_visible()
    until_kept(GIVEN, 1)
    guarded.go("audit")
    for action in ("conversation.read", "conversation.delete", "conversation.delete_user"):
        expect(page.get_by_role("row", name=action).first).to_be_visible()


with browser(GIVEN) as running:
    talk()
    one = Guarded(running.new_context(), GIVEN["sidecar"])
    one.sign_in(GIVEN["token"])
    read(one)
    delete(one)
    delete_all_of_a_user(one)
    one.check()

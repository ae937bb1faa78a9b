"""A browser that minds everything: console errors, broken policies, and requests that leave the sidecar fail a test."""

import contextlib
import json
import sys
from urllib.parse import urlparse

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect, sync_playwright

# Nothing but what the page asks for goes over the network.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Every violation is told, also those before the page's own scripts run.
TELL_VIOLATIONS = """document.addEventListener('securitypolicyviolation', (event) =>
  tellViolation(`${event.violatedDirective}: ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`))"""
PATIENCE_MS = 20_000

expect.set_options(timeout=PATIENCE_MS)


def settings():
    """What the test that started this says: one JSON object."""
    return json.loads(sys.argv[1])


def ask(what):
    """Has the test that started this do something to the system, and waits until it is done."""
    print(what, flush=True)
    answer = sys.stdin.readline().strip()
    assert answer == "done", f"{what}: {answer or 'no answer'}"


class Guarded:
    """A page, and what was wrong with it so far."""

    def __init__(self, context, sidecar):
        self.sidecar = sidecar
        self.wrong = []
        # Paths that may fail: [(status or text, path's beginning)].
        self.expected = []
        context.expose_function("tellViolation", lambda text: self.wrong.append(f"policy: {text}"))
        context.add_init_script(TELL_VIOLATIONS)
        self.page = context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.page.on("pageerror", lambda error: self.wrong.append(f"uncaught: {error}"))
        self.page.on("console", self._console)
        self.page.on("request", self._request)

    def _console(self, message):
        if message.type not in ("error", "warning"):
            return
        url = message.location.get("url", "")
        path = urlparse(url).path
        if not any(text in message.text and path.startswith(start) for text, start in self.expected):
            self.wrong.append(f"console {message.type}: {message.text} ({url})")

    def _request(self, request):
        if not request.url.startswith((self.sidecar + "/", "data:")):
            self.wrong.append(f"a request to elsewhere: {request.url}")

    @contextlib.contextmanager
    def expecting(self, *failures):
        """Failures of the network that the test itself causes."""
        self.expected += failures
        yield
        for failure in failures:
            self.expected.remove(failure)

    def check(self):
        assert not self.wrong, "\n".join(self.wrong)

    def check_accessibility(self, what):
        """axe finds nothing, serious or not."""
        violations = Axe().run(self.page).response["violations"]
        told = [f"{what}: {v['impact']} {v['id']}: {[n['target'] for n in v['nodes']][:4]}" for v in violations]
        assert not told, "\n".join(told)

    def sign_in(self, token):
        self.page.goto(self.sidecar + "/")
        self.page.get_by_label("Admin token").fill(token)
        self.page.keyboard.press("Enter")
        expect(self.page.get_by_role("heading", level=1)).not_to_have_text("Sign in")

    def sign_in_as(self, name, password):
        """As an operator."""
        self.page.goto(self.sidecar + "/")
        self.page.get_by_role("button", name="Sign in as an operator").click()
        self.page.get_by_label("Name").fill(name)
        self.page.get_by_label("Password").fill(password)
        self.page.keyboard.press("Enter")
        expect(self.page.get_by_role("heading", level=1)).not_to_have_text("Sign in")

    def go(self, view, query=""):
        """To a view, by its address, and until it shows what it has."""
        self.page.goto(f"{self.sidecar}/#/{view}{query}")
        expect(self.page.locator(".nav [aria-current=page]")).to_have_attribute("href", f"#/{view}")
        expect(self.page.locator(".view h1")).to_be_visible()
        expect(self.page.locator(".view .loading")).to_have_count(0)


@contextlib.contextmanager
def browser(given):
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=given["chromium"], headless=True, args=FLAGS)
        yield running
        running.close()

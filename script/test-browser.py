"""An operator's jobs in the console, each from the overview, with a browser that nobody sees."""

import sys
import traceback

from console_example import Example
from webdriver import Browser

ENTER, TAB, ESCAPE = "\ue007", "\ue004", "\ue00c"
PAGES = ["/", "/outbox", "/failures", "/failures?list=1", "/messages?topic=v3_rentals&from=latest-5", "/consumers", "/runs", "/system", "/record/Account/1", "/keys"]

# Every text against what is behind it, in the browser's own colours.
ACCESSIBILITY = r"""
const faults = [];
const channel = (v) => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
const colour = (text) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = text; canvas.fillRect(0, 0, 1, 1); return [...canvas.getImageData(0, 0, 1, 1).data]; };
const behind = (element) => {
  for (let at = element; at; at = at.parentElement) { const c = colour(getComputedStyle(at).backgroundColor); if (c[3] > 200) return c; }
  return [255, 255, 255];
};
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const text = walker.currentNode.textContent.trim(), element = walker.currentNode.parentElement;
  if (!text || !element.checkVisibility() || element.closest("script, noscript, .hidden, .skip, svg, option")) continue;
  if (element.closest("button:disabled")) continue;
  const [a, b] = [light(colour(getComputedStyle(element).color)), light(behind(element))];
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (ratio < 4.5) faults.push(`contrast ${ratio.toFixed(2)} of "${text.slice(0, 30)}"`);
}
const name = (e) => e.getAttribute("aria-label") || e.textContent.trim() || e.title || (e.labels && e.labels[0] && e.labels[0].textContent.trim());
document.querySelectorAll("a, button, input:not([type=hidden]), select, textarea, svg[role=img], progress").forEach((e) => {
  if (e.checkVisibility() && !name(e)) faults.push("no name: " + e.outerHTML.slice(0, 80));
});
document.querySelectorAll("table").forEach((t) => { if (!t.caption) faults.push("a table without a caption"); });
for (const role of ["main", "nav", "header", "footer"]) if (!document.querySelector(role)) faults.push("no " + role);
if (!document.documentElement.lang) faults.push("no language");
if (document.documentElement.scrollWidth > innerWidth) faults.push(`wider than the window: ${document.documentElement.scrollWidth} > ${innerWidth}`);
return [...new Set(faults)];
"""


def break_accounts(example):
    """The replica refuses accounts, and some change."""
    example.write(
        "CREATE TRIGGER refuse BEFORE UPDATE ON accounts BEGIN SELECT RAISE(ABORT, 'CHECK constraint failed: names'); END;",
        replica=True,
    )
    example.write("UPDATE accounts SET name = name || '!', updated_at = strftime('%Y-%m-%dT%H:%M:%f000Z') WHERE id <= 3")
    example.until("failures", lambda: example.get("/api/v1/failures")["failed"] >= 3)


def mend_accounts(example):
    example.write("DROP TRIGGER refuse", replica=True)


def verdict(browser):
    return browser.text(".verdict")


def tab_to(browser, beginning):
    """Presses Tab until something whose text begins like that has the focus."""
    for _ in range(200):
        browser.press(TAB)
        if browser.run("return document.activeElement.textContent.trim()").startswith(beginning):
            return
    raise AssertionError(f"Tab never reaches {beginning!r}")


def why_is_it_missing(example):
    """Why isn't the change of account 1 in the replica? By keys, then by a click."""
    break_accounts(example)
    with Browser() as browser:
        browser.open(example.address + "/")
        browser.press("/", *"Account 1", ENTER)
        browser.wait("the record's page", lambda: "/record/Account/1" in browser.url)
        assert "could not be applied" in verdict(browser), verdict(browser)
        assert "names" in verdict(browser)
        assert "▐ differs" in browser.text("main")
        browser.click(browser.find(".verdict a"))
        browser.wait("the failure's page", lambda: "/failures/" in browser.url)
        assert "Account:1" in browser.text("main")


def retry_a_cause(example):
    """Retry all failures of a cause, with the keyboard alone."""
    mend_accounts(example)
    with Browser() as browser:
        browser.open(example.address + "/")
        browser.press("g", "f")
        browser.wait("the failures", lambda: browser.url.endswith("/failures"))
        tab_to(browser, "Retry 3")
        browser.press(ENTER)
        browser.wait("the question", lambda: "Retry 3 messages?" in verdict(browser))
        tab_to(browser, "Retry 3 messages")
        browser.press(ENTER)
        browser.wait("the result", lambda: "/actions/" in browser.url and "3 applied" in verdict(browser))
        browser.press("g", "f")
        browser.wait("no failures", lambda: "Every message could be applied" in verdict(browser))


def run_a_genesis(example):
    """A genesis of rentals over an hour, paused, by clicks."""
    with Browser() as browser:
        browser.open(example.address + "/")
        browser.click(browser.find_text("a", "Runs"))
        browser.wait("the form", lambda: browser.find("select[name=what]"))
        browser.run("document.querySelector('select[name=what]').value = 'v3_rentals Rental'")
        browser.fill("input[name=hours]", "1")
        browser.click(browser.find_text("button", "Show what it will do"))
        browser.wait("the question", lambda: "Publish Rental to v3_rentals?" in verdict(browser))
        assert "spread until" in browser.text("main")
        browser.click(browser.find_text("button", "Start the run"))
        browser.wait("the start", lambda: "1 started" in verdict(browser))
        browser.click(browser.find_text("a", "run "))
        browser.wait("the run", lambda: "is running" in verdict(browser))
        browser.click(browser.find_text("button", "Pause"))
        browser.wait("the pause", lambda: "1 paused" in verdict(browser))


def see_it_live(example):
    """What changes is seen without loading the page again, and not while it is paused."""
    with Browser() as browser:
        browser.open(example.address + "/outbox")
        browser.run("window.marker = 1")
        example.stop(example.relay)
        example.write("UPDATE rentals SET name = name || '?' WHERE id <= 5")
        browser.wait("waiting rows", lambda: "5 rows wait" in verdict(browser))
        assert browser.run("return window.marker") == 1, "the page was loaded again"
        browser.press("l")
        browser.wait("the switch", lambda: "paused at" in browser.text("#live"))
        example.relay = example.start("relay")
        example.until("an empty outbox", lambda: example.get("/api/v1/outbox")["summary"]["pending"]["count"] == 0)
        assert "5 rows wait" in verdict(browser)
        browser.press("l")
        browser.wait("nothing waiting", lambda: "Nothing waits" in verdict(browser))
        assert browser.run("return window.marker") == 1


def work_without_script(example):
    """All pages and a retry without JavaScript."""
    break_accounts(example)
    mend_accounts(example)
    with Browser(script=False) as browser:
        for page in PAGES:
            browser.open(example.address + page)
            assert verdict(browser), page
        browser.open(example.address + "/")
        browser.click(browser.find(".verdict a"))
        browser.wait("the failures", lambda: browser.url.endswith("/failures"))
        browser.click(browser.find_text("button", "Retry 3"))
        browser.wait("the question", lambda: "Retry 3 messages?" in verdict(browser))
        browser.click(browser.find_text("button", "Retry 3 messages"))
        browser.wait("the result", lambda: "3 applied" in verdict(browser))


def read_it_anywhere(example):
    """Contrast, names and widths of all pages, light and dark, wide and on a phone; the theme stays chosen."""
    faults = []
    for view, options in [("light", {}), ("dark", {"dark": True}), ("phone", {"phone": True, "width": 390, "height": 844})]:
        with Browser(**options) as browser:
            for page in PAGES:
                browser.open(example.address + page)
                faults += [f"{view} {page}: {fault}" for fault in browser.run(ACCESSIBILITY)]
    assert not faults, "\n".join(faults)
    with Browser() as browser:
        browser.open(example.address + "/")
        browser.press("t", "t")
        browser.open(example.address + "/runs")
        assert browser.run("return document.documentElement.dataset.theme") == "dark"


def main():
    jobs = [why_is_it_missing, retry_a_cause, run_a_genesis, see_it_live, work_without_script, read_it_anywhere]
    failed = 0
    with Example() as example:
        example.run("migrate")
        example.run("seed", "--accounts", "5", "--rentals", "50", "--bookings", "100", "--fees", "100")
        example.console()
        example.relay = example.start("relay")
        example.start("consume")
        example.until("a filled replica", lambda: example.get("/api/v1/record/Account/3")["agreement"] == "same")
        for job in jobs:
            try:
                job(example)
                print(f"ok      {job.__doc__.splitlines()[0]}", flush=True)
            except Exception:  # one job's end isn't the others'
                failed += 1
                print(f"FAILED  {job.__doc__.splitlines()[0]}\n{traceback.format_exc()}", flush=True)
    sys.exit(1 if failed else 0)


main()

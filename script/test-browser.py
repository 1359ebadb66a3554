"""An operator's jobs in the console, each from the overview, with a browser that nobody sees."""

import sys
import traceback
import urllib.error

from console_example import Example
from webdriver import Browser

ENTER, TAB, DOWN = "\ue007", "\ue004", "\ue015"
PAGES = [
    "/", "/outbox", "/failures", "/failures?list=1", "/messages?topic=v3_rentals&from=latest-5",
    "/messages/tail?topic=v3_rentals", "/consumers", "/projections", "/runs", "/runs/1", "/verifications", "/system", "/audit",
    "/record/Account/1", "/record/Rental/42", "/keys",
]

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


class Hand:
    """How somebody works with the pages; each job is done by both hands."""

    def __init__(self, example, browser):
        self.example, self.browser = example, browser
        browser.open(example.address + "/")

    def until(self, what, text, place=".verdict"):
        """Waits for a text in the page's first line, or elsewhere."""
        self.browser.wait(f"{what}: {text}", lambda: text in self.browser.text(place))


class Mouse(Hand):
    """By clicks"""

    def page(self, name):
        self.browser.click(self.browser.find_text("nav/a", name))

    def search(self, text):
        self.browser.click(self.browser.find(".search input"))
        self.browser.press(*text, ENTER)

    def follow(self, text):
        self.browser.click(self.browser.find_text("main//a", text))

    def button(self, text, of=None):
        selector = f"main//button[@aria-label={f'{text} {of}'!r}]" if of else f"main//button[starts-with(normalize-space(.), {text!r})]"
        self.browser.click(self.browser.find_path("//" + selector))

    def choose(self, field, text):
        self.browser.click(self.browser.find_path(f"//select[@name={field!r}]/option[normalize-space(.)={text!r}]"))

    def fill(self, form, field, text):
        self.browser.fill(f"form[action$='{form}'] input[name={field}]", text)


class Keyboard(Hand):
    """By the keyboard alone"""

    def page(self, name):
        self.browser.press("g", "v" if name == "Overview" else name[0].lower())

    def search(self, text):
        self.browser.press("/", *text, ENTER)

    def follow(self, text):
        self.tab_to("a", f"text.includes({text!r})")
        self.browser.press(ENTER)

    def button(self, text, of=None):
        self.tab_to("button", f"(label || text).startsWith({f'{text} {of}' if of else text!r})")
        self.browser.press(ENTER)

    def choose(self, field, text):
        self.tab_to("select", f"at.name === {field!r}")
        chosen = lambda: self.browser.run("return document.activeElement.selectedOptions[0].text.trim()")
        for _ in range(50):
            if chosen() == text:
                return
            self.browser.press(DOWN)
        raise AssertionError(f"{field} can't be set to {text!r}, only to {chosen()!r}")

    def fill(self, form, field, text):
        self.tab_to("input", f"at.name === {field!r} && at.form.action.endsWith({form!r})")
        self.browser.press(*text)

    def tab_to(self, tag, condition):
        """Presses Tab until something like that has the focus, and sees that the focus shows."""
        script = f"""
            const at = document.activeElement, text = at.textContent.trim(), label = at.getAttribute("aria-label");
            if (at.localName !== {tag!r} || !({condition})) return "";
            return getComputedStyle(at).outlineStyle === "none" ? "unseen" : "here";
            """
        for _ in range(300):
            self.browser.press(TAB)
            found = self.browser.run(script)
            assert found != "unseen", f"the focus doesn't show on {tag} {condition}"
            if found:
                return
        raise AssertionError(f"Tab never reaches {tag} {condition}, at {self.browser.url}")


def refuse(example, change, condition, reason):
    """Makes the replica refuse something, until it is mended."""
    example.write(
        "DROP TRIGGER IF EXISTS refuse;"
        f"CREATE TRIGGER refuse BEFORE {change} WHEN {condition} BEGIN SELECT RAISE(ABORT, 'CHECK constraint failed: {reason}'); END;",
        replica=True,
    )


def mend(example):
    example.write("DROP TRIGGER refuse", replica=True)


def break_accounts(example):
    """The replica refuses accounts, and some change."""
    refuse(example, "UPDATE ON accounts", "true", "names")
    example.write("UPDATE accounts SET name = name || '!', updated_at = strftime('%Y-%m-%dT%H:%M:%f000Z') WHERE id <= 3")
    example.until("failures", lambda: example.get("/api/v1/failures")["failed"] >= 3)


def verdict(browser):
    return browser.text(".verdict")


def why_is_it_missing(hand):
    """Why isn't rental 42 in the replica? It is refused there, and stands among the dead letters."""
    example, browser = hand.example, hand.browser
    before = letters(example)
    refuse(example, "INSERT ON rentals", "NEW.synced_id = 42", "prices")
    example.write("DELETE FROM rentals WHERE synced_id = 42", replica=True)
    example.write("UPDATE rentals SET price = price + 1 WHERE id = 42")
    example.until("a dead letter", lambda: letters(example) > before)
    hand.search("Rental 42")
    hand.until("the record", "Rental 42 is in the source, and not in the replica")
    hand.follow("Look among dead letters")
    hand.until("the letters", "found; looked at")
    assert "CHECK constraint failed: prices" in browser.run("return document.querySelector('main').textContent")
    mend(example)
    hand.page("Failures")
    hand.button("Apply what is in it")
    hand.until("the replay", "applied")
    hand.search("Rental 42")
    hand.until("the record", "Rental 42 is the same on both sides")


def letters(example):
    """How many dead letters there are; their topic is made by the first."""
    try:
        return len(example.get("/api/v1/messages?topic=dead_messages&from=earliest")["messages"])
    except urllib.error.HTTPError as error:
        assert error.code == 404, error
        return 0


def why_is_it_old(hand):
    """Why is account 1 old in the replica? Its change failed, and the failure says how."""
    break_accounts(hand.example)
    hand.search("Account 1")
    hand.until("the record", "could not be applied")
    assert "names" in verdict(hand.browser)
    assert "▐ differs" in hand.browser.text("main")
    hand.follow("Look at it")
    hand.until("the failure", "Account:1 could not be applied")
    mend(hand.example)
    hand.button("Retry this message")
    hand.until("the result", "1 applied")


def retry_a_cause(hand):
    """Retry all failures of a cause."""
    break_accounts(hand.example)
    mend(hand.example)
    count = hand.example.get("/api/v1/failures")["failed"]
    hand.page("Failures")
    hand.until("the failures", "could not be applied")
    hand.button(f"Retry {count}")
    hand.until("the question", f"Retry {count} messages?")
    hand.button(f"Retry {count} messages")
    hand.until("the result", f"{count} applied")
    hand.page("Failures")
    hand.until("no failures", "Every message could be applied")


def run_a_genesis(hand):
    """Run a genesis over rentals for an hour, and pause it."""
    hand.page("Runs")
    hand.until("the runs", "run")
    hand.choose("what", "Rental to v3_rentals")
    hand.fill("/runs", "hours", "1")
    hand.button("Show what it will do")
    hand.until("the question", "Publish Rental to v3_rentals?")
    assert "spread until" in hand.browser.text("main")
    hand.button("Start the run")
    hand.until("the start", "1 started")
    hand.follow("run ")
    hand.until("the run", "is running")
    hand.button("Pause")
    hand.until("the pause", "1 paused")
    hand.follow("run ")
    hand.button("Cancel")
    hand.until("the end", "1 cancelled")


def verify_and_repair(hand):
    """Verify bookings and repair what differs."""
    example = hand.example
    example.write(
        "UPDATE bookings SET final_price = 1234567 WHERE synced_id = 5; DELETE FROM bookings WHERE synced_id = 6;"
        "INSERT OR IGNORE INTO bookings (synced_id, final_price) VALUES (987654, 1);",
        replica=True,
    )
    compare_bookings(hand)
    hand.until("the findings", "completed: 1 missing, 1 stale, 1 extra")
    hand.button("Repair…")
    hand.until("the question", "Repair the replica of v3_bookings?")
    hand.button("Repair")
    hand.until("the repair", "removed 1 of 1 row, publishes 2 of 2 records again")
    example.until("the repaired booking", lambda: example.get("/api/v1/record/Booking/6")["agreement"] == "same")
    compare_bookings(hand)
    hand.until("nothing that differs", "The replica of v3_bookings equals its source")


def compare_bookings(hand):
    hand.page("Runs")
    hand.until("the runs", "run")
    select = hand.browser.find("form[action$='/verifications'] select")
    if isinstance(hand, Mouse):
        hand.browser.click(hand.browser.find_path("//form[contains(@action, '/verifications')]//option[normalize-space(.)='Booking in v3_bookings']"))
    else:
        hand.tab_to("select", "at.form.action.endsWith('/verifications')")
        for _ in range(50):
            if hand.browser.run("return document.activeElement.selectedOptions[0].text.trim()") == "Booking in v3_bookings":
                break
            hand.browser.press(DOWN)
    hand.button("Compare")
    hand.until("the start", "1 started")
    hand.follow("run ")
    hand.until("the run's end", "is completed")
    number = hand.browser.url.rsplit("/", 1)[1]
    hand.follow("What consumers have found")
    hand.until("the list", "Verifications", "main")
    hand.follow(f"verification {number}")


def verify_one_record(hand):
    """Verify one record, which was changed in the replica, and publish it again."""
    example = hand.example
    example.write("UPDATE rentals SET name = 'changed here' WHERE synced_id = 7", replica=True)
    for button, words in [("Verify", "Rental 7: differs from its source"), ("Publish again", "Rental 7 is the same on both sides")]:
        hand.search("Rental 7")
        hand.until("the record", "Rental 7")
        hand.button(button)
        hand.until("the start", "1 started")
        hand.follow("Go back")
        # What is found comes by itself.
        hand.until("the result", words)
    hand.button("Verify")
    hand.until("the start", "1 started")
    hand.follow("Go back")
    hand.until("the result", "equals its source", "main .way")


def pause_a_topic(hand):
    """Pause a topic's consumer, see what waits, and resume it."""
    example = hand.example
    hand.page("Consumers")
    hand.until("the consumers", "consumer")
    hand.button("Pause", of="v3_rentals")
    hand.until("the pause", "Pause v3_rentals")
    waits = lambda: example.get("/api/v1/record/Rental/11")["agreement"] == "different"
    # A consumer takes note of a pause after its present batch.
    for number in range(100):
        example.write(f"UPDATE rentals SET name = 'while paused {number}' WHERE id = 11")
        example.until("a published change", lambda: example.get("/api/v1/outbox")["summary"]["pending"]["count"] == 0)
        if waits():
            break
    hand.page("Consumers")
    hand.until("what waits", "paused;")
    hand.button("Resume", of="v3_rentals")
    hand.until("the end of the pause", "Resume v3_rentals")
    example.until("the change", lambda: example.get("/api/v1/record/Rental/11")["agreement"] == "same")
    hand.page("Consumers")
    hand.until("nothing that waits", "applied")


def follow_a_topic(hand):
    """Follow a topic as it grows."""
    example, browser = hand.example, hand.browser
    hand.page("Messages")
    hand.until("the form", "Choose a topic")
    hand.choose("topic", "v3_rentals")
    hand.button("Follow")
    hand.until("the tail", "v3_rentals: ")
    browser.run("window.marker = 1")
    name = f"seen by {type(hand).__name__}"
    example.write(f"UPDATE rentals SET name = '{name}' WHERE id = 12")
    browser.wait("the message", lambda: name in browser.run("return document.querySelector('main').textContent"))
    assert browser.run("return window.marker") == 1, "the page was loaded again"


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
    mend(example)
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


def by(kind, job):
    """A job done by one kind of hand."""
    def done(example):
        with Browser() as browser:
            job(kind(example, browser))
    done.__doc__ = f"{kind.__doc__}: {job.__doc__}"
    return done


def main():
    jobs = [
        why_is_it_missing, why_is_it_old, retry_a_cause, run_a_genesis, verify_and_repair, verify_one_record, pause_a_topic,
        follow_a_topic,
    ]
    jobs = [by(kind, job) for job in jobs for kind in (Mouse, Keyboard)] + [see_it_live, work_without_script, read_it_anywhere]
    wanted = sys.argv[1:]
    jobs = [job for job in jobs if not wanted or any(word in job.__doc__ for word in wanted)]
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

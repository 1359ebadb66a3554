"""Makes pictures of the console's pages, light, dark and as wide as a phone."""

import os
import sys

from console_example import Example
from webdriver import Browser

REFUSAL = """
CREATE TRIGGER refuse_accounts BEFORE UPDATE ON accounts WHEN NEW.synced_id % 2 = 0
BEGIN SELECT RAISE(ABORT, 'CHECK constraint failed: account_names'); END;
"""


def main(folder):
    os.makedirs(folder, exist_ok=True)
    with Example() as example:
        example.run("migrate")
        example.run("seed", "--accounts", "20", "--rentals", "200", "--bookings", "1000", "--fees", "2000")
        example.console()
        example.start("relay")
        example.start("consume")
        example.start("traffic", "--rate", "40", "--seconds", "600")
        example.run("genesis", "start", "v3_rentals", "Rental", "--over", "0.05")
        rates = lambda: [value for values in example.get("/api/v1/samples?span=15m")["per_second"].values() for value in values if value]
        example.until("figures of some minutes", lambda: len(rates()) >= 24, seconds=300)
        example.write("UPDATE bookings SET final_price = 1 WHERE synced_id <= 2; DELETE FROM bookings WHERE synced_id = 3", replica=True)
        example.run("verification", "start", "v3_bookings", "Booking", "--to", "100")
        example.run("verification", "start", "v3_rentals", "Rental", "--from", "42", "--to", "42")
        ended = lambda: [run["state"] for run in example.get("/api/v1/verifications")["verifications"]]
        example.until("what was compared", lambda: ended() == ["completed", "completed"])
        number = [run["number"] for run in example.get("/api/v1/verifications")["verifications"] if run["topic"] == "v3_bookings"][0]
        example.write(REFUSAL, replica=True)
        example.write("UPDATE accounts SET name = 'Villas ' || id, updated_at = strftime('%Y-%m-%dT%H:%M:%f000Z') WHERE id <= 12")
        example.until("failures", lambda: example.get("/api/v1/failures")["failed"] >= 3)
        pages = {
            "overview": "/?span=15m", "outbox": "/outbox", "failures": "/failures", "record": "/record/Rental/42",
            "messages": "/messages?topic=v3_rentals&from=latest-5", "consumers": "/consumers", "runs": "/runs",
            "system": "/system", "verification": f"/verifications/{number}",
        }
        views = [
            ("light", dict(width=1120, height=760), pages),
            ("dark", dict(width=1120, height=760, dark=True), ["overview", "failures", "record"]),
            ("phone", dict(width=390, height=844, phone=True), ["overview", "failures", "record"]),
        ]
        for view, options, names in views:
            with Browser(**options) as browser:
                for name in names:
                    browser.open(example.address + pages[name])
                    browser.screenshot(os.path.join(folder, f"{name}-{view}.png"))
                    print(f"{name}-{view}.png")


main(sys.argv[1])

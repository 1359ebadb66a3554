"""A small client of WebDriver, for chromedriver; it needs nothing but Python."""

import base64
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


def find_browser():
    """The programs of browser and driver, or None if one of them is missing."""
    browser = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    driver = shutil.which("chromedriver")
    return (browser, driver) if browser and driver else None


class Browser:
    """A window of a browser that nobody sees."""

    def __init__(self, width=1280, height=900, dark=False, phone=False, script=True):
        browser, driver = find_browser()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.driver = subprocess.Popen([driver, f"--port={port}", "--log-level=OFF"], stdout=subprocess.DEVNULL)
        self.address = f"http://127.0.0.1:{port}"
        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--window-size={width},{height}"]
        if dark:
            arguments.append("--blink-settings=preferredColorScheme=0")
        options = {"binary": browser, "args": arguments}
        if phone:
            options["mobileEmulation"] = {"deviceMetrics": {"width": width, "height": height, "pixelRatio": 1}}
        if not script:
            options["prefs"] = {"profile.managed_default_content_settings.javascript": 2}
        capabilities = {"alwaysMatch": {"browserName": "chrome", "goog:chromeOptions": options}}
        for attempt in range(50):
            try:
                self.session = self._call("POST", "/session", {"capabilities": capabilities}, bare=True)["sessionId"]
                return
            except urllib.error.URLError:
                if attempt == 49:
                    raise
                time.sleep(0.1)

    def _call(self, method, path, body=None, bare=False):
        url = self.address + (path if bare else f"/session/{self.session}{path}")
        data = json.dumps(body if body is not None else {}).encode() if method == "POST" else None
        request = urllib.request.Request(url, data=data, method=method, headers={"content-type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return json.load(response)["value"]
        except urllib.error.HTTPError as error:
            value = json.load(error)["value"]
            raise RuntimeError(f"{value['error']}: {value['message']}") from None

    def open(self, url):
        self._call("POST", "/url", {"url": url})

    @property
    def url(self):
        return self._call("GET", "/url")

    def run(self, script, *arguments):
        return self._call("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def find(self, selector):
        return self._call("POST", "/element", {"using": "css selector", "value": selector})[ELEMENT]

    def find_text(self, tag, text):
        """The first element of a kind that has a text."""
        return self.find_path(f"//{tag}[contains(normalize-space(.), {json.dumps(text)})]")

    def find_path(self, path):
        """The first element at an XPath."""
        return self._call("POST", "/element", {"using": "xpath", "value": path})[ELEMENT]

    def click(self, element):
        self._call("POST", f"/element/{element}/click")

    def fill(self, selector, text):
        element = self.find(selector)
        self._call("POST", f"/element/{element}/clear")
        self._call("POST", f"/element/{element}/value", {"text": text})

    def press(self, *keys):
        """Presses keys one after another, wherever the focus is."""
        actions = [step for key in keys for step in ({"type": "keyDown", "value": key}, {"type": "keyUp", "value": key})]
        self._call("POST", "/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]})

    def text(self, selector="body"):
        return self._call("GET", f"/element/{self.find(selector)}/text")

    def wait(self, what, condition, seconds=20):
        """Waits until a condition holds, and fails with what was waited for."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                result = condition()
                if result:
                    return result
            except RuntimeError:
                pass
            time.sleep(0.05)
        raise AssertionError(f"{what}: not within {seconds} s, at {self.url}:\n{self.text()[:2000]}")

    def screenshot(self, path):
        with open(path, "wb") as file:
            file.write(base64.b64decode(self._call("GET", "/screenshot")))

    def close(self):
        try:
            self._call("DELETE", "")
        finally:
            self.driver.terminate()
            self.driver.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

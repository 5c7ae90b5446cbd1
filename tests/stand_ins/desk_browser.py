"""Somebody at the labeling desk with a real Chromium."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

__all__ = ["CHROMIUM", "DOWN", "DRIVER", "ENTER", "HOW", "Person"]

ENTER, DOWN = "\ue007", "\ue015"  # as WebDriver numbers the keys

CHROMIUM, DRIVER = shutil.which("chromium") or "", shutil.which("chromedriver") or ""
HOW = "needs Chromium: apt-get install chromium chromium-driver, and pip install 'gandt[test]'"
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--force-prefers-reduced-motion", "--window-size=1280,800"),
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # no test leaves this machine
)
# What is said where a desk ended while a browser still asked it for something, as for an icon.
GONE = ("net::ERR_CONNECTION", "net::ERR_SOCKET_NOT_CONNECTED")


class Person:
    """Somebody with a browser of their own."""

    def __init__(self) -> None:
        webdriver = pytest.importorskip("selenium.webdriver", reason=HOW)
        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM
        for flag in FLAGS:
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.browser = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))

    def open(self, address: str) -> None:
        self.browser.get(address)

    def js(self, script: str, *arguments: object) -> Any:
        return self.browser.execute_script(script, *arguments)

    def wait(self, script: str, *arguments: object, seconds: float = 10) -> Any:
        from selenium.common.exceptions import JavascriptException
        from selenium.webdriver.support.ui import WebDriverWait

        waiting = WebDriverWait(self.browser, seconds, 0.02, [JavascriptException])
        return waiting.until(lambda _: self.js(f"return {script}", *arguments), script)

    def keys(self, *keys: str) -> None:
        from selenium.webdriver.common.action_chains import ActionChains

        ActionChains(self.browser, duration=0).send_keys(*keys).perform()

    def click(self, selector: str) -> None:
        self.browser.find_element("css selector", selector).click()

    def text(self, selector: str = "body") -> str:
        return str(self.browser.find_element("css selector", selector).text)

    def named(self, name: str) -> None:
        """Say a name on the first page."""
        self.wait("document.activeElement.id === 'name'")
        self.js("document.activeElement.value = ''")
        self.keys(name, ENTER)

    def on_task(self, number: int | None = None) -> dict[str, Any]:
        """Wait for the page of a task that was not answered yet; what its bar knows."""
        script = (
            "(() => { const d = document.getElementById('desk');"
            "if (!d || document.readyState !== 'complete') return null;"
            "const v = JSON.parse(d.dataset.desk);"
            "return arguments[0] === null || v.task === arguments[0] ? v : null; })()"
        )
        return dict(self.wait(script, number))

    def faults(self) -> list[str]:
        """What the console complained about since it was asked last, while the desk was there."""
        return [
            entry["message"]
            for entry in self.browser.get_log("browser")
            if entry["level"] == "SEVERE" and not any(gone in entry["message"] for gone in GONE)
        ]

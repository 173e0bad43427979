"""Chromium as the tests drive it, and what they do in it again and again."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator

from playwright.sync_api import Browser, Locator, Page, ViewportSize, expect, sync_playwright

from tests.dashboard.conftest import PASSWORD

FLAGS = (
    "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)
DESKTOP: ViewportSize = {"width": 1440, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}
PATIENCE_MS = 30_000
expect.set_options(timeout=PATIENCE_MS)

_DRAWN = """() => {
  const colours = new Set();
  for (const canvas of document.querySelectorAll("#chart canvas")) {
    if (!canvas.width || !canvas.height) continue;
    const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
    for (let i = 0; i < pixels.length; i += 4) if (pixels[i + 3] > 200) {
      colours.add((pixels[i] << 16) | (pixels[i + 1] << 8) | pixels[i + 2]);
    }
  }
  return [0x3987d6, 0xe0762d].every((colour) => colours.has(colour));
}"""
"""Whether both kinds of candles, in their colours, are among the chart's pixels."""


@contextlib.contextmanager
def open_browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS.split())
        yield started
        started.close()


def log_in(page: Page, address: str, password: str = PASSWORD) -> None:
    page.goto(address)
    page.get_by_label("User name").fill("admin")
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()


def card(page: Page, pair: str) -> Locator:
    return page.locator(".card", has_text=pair)


def wait_for_chart(page: Page) -> None:
    page.wait_for_function(_DRAWN)

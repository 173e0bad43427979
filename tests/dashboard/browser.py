"""What the tests of the dashboard do in Chromium again and again."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect

from tests.dashboard.conftest import PASSWORD

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


def log_in(page: Page, address: str, password: str = PASSWORD) -> None:
    page.goto(address)
    page.get_by_label("User name").fill("admin")
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()


def card(page: Page, pair: str) -> Locator:
    return page.locator(".card", has_text=pair)


def wait_for_chart(page: Page) -> None:
    page.wait_for_function(_DRAWN)

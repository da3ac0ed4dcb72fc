"""What several tests of whole services share."""

from collections.abc import AsyncGenerator

import pytest
from playwright.async_api import Browser, async_playwright, expect

from tests.end_to_end.browser import ARGUMENTS, PATIENCE_MS


@pytest.fixture(scope="session")
async def browser(chromium: str, anyio_backend: str) -> AsyncGenerator[Browser]:  # noqa: ARG001
    """The browser; it is started once."""
    expect.set_options(timeout=PATIENCE_MS)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        await browser.close()

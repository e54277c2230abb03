"""A headless Chromium that looks at pages through a harness page and says what it measured.

The report forbids foreign scripts, so the measuring code runs in an outer page and reaches into an iframe; both come
from one local server. No driver is needed: the browser prints the final document of the outer page.
"""

from __future__ import annotations

import http.server
import json
import re
import shutil
import subprocess
import tempfile
import threading
from html import unescape
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
    "--enable-logging=stderr", "--window-size=1500,1200", "--virtual-time-budget=120000",
)  # fmt: skip
HARNESS = Path(__file__).with_name("harness.html")


def chromium() -> str:
    """The path of Chromium; its absence fails the test, because nothing else runs under this mark."""
    for name in NAMES:
        found = shutil.which(name)
        if found:
            return found
    pytest.fail(f"no Chromium on the PATH (looked for {', '.join(NAMES)})")


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


def measure(pages: dict[str, str], jobs: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[str]]:
    """What the harness measured for every job (page, width, theme, scripts), and what the console complained of."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name, html in pages.items():
            (root / f"{name}.html").write_text(html, encoding="utf-8", newline="\n")
        harness = HARNESS.read_text(encoding="utf-8").replace("/*JOBS*/[]", json.dumps(jobs))
        (root / "harness.html").write_text(harness, encoding="utf-8")

        def handler(*args: Any) -> _Quiet:
            return _Quiet(*args, directory=folder)

        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            address = f"http://127.0.0.1:{server.server_address[1]}/harness.html"
            profile = root / "profile"
            command = [chromium(), *FLAGS, f"--user-data-dir={profile}", "--dump-dom", address]
            done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
            server.shutdown()
    found = re.search(r'<pre id="out">(.*?)</pre>', done.stdout, re.S)
    if found is None or not found[1]:
        pytest.fail(f"the harness gave no answer: {done.stderr[-2000:]}")
    complaints = [
        line
        for line in done.stderr.splitlines()
        # A frame that may not run scripts says so; that is what it was asked for.
        if "CONSOLE" in line and "Blocked script execution" not in line
    ]
    return json.loads(unescape(found[1])), complaints

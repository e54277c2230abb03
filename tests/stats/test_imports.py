"""The statistics stand at the bottom: numpy and scipy.special, nothing of this project above them."""

import subprocess
import sys

CODE = """
import pkgutil, importlib, sys
import abtest.stats
for module in pkgutil.iter_modules(abtest.stats.__path__, "abtest.stats."):
    importlib.import_module(module.name)
print(*sorted(name for name in sys.modules if name.startswith(("abtest.", "scipy.", "duckdb", "ibis", "pandas"))))
"""


def test_only_numpy_and_scipy_special() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    names = done.stdout.split()
    assert "abtest.stats.margins" in names
    above = [n for n in names if n.startswith("abtest.") and not n.startswith(("abtest.stats", "abtest.version"))]
    assert above == []
    # scipy.stats alone costs about as much as the whole rest of a command's start.
    heavy = ("scipy.stats", "scipy.optimize", "scipy.integrate", "duckdb", "ibis", "pandas")
    assert [n for n in names if n.startswith(heavy)] == []

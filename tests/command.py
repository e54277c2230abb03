"""Calling the command in this process, as a shell would: output, errors and exit code."""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from typing import NamedTuple


class Done(NamedTuple):
    code: int
    out: str
    err: str


def abtest(*words: str) -> Done:
    """`abtest WORDS...` in this process."""
    from abtest.cli.main import main

    out, err = io.StringIO(), io.StringIO()
    before = sys.argv
    sys.argv = ["abtest", *words]
    code = 0
    try:
        with redirect_stdout(out), redirect_stderr(err):
            main()
    except SystemExit as e:
        code = e.code if isinstance(e.code, int) else 0 if e.code is None else 1
    finally:
        sys.argv = before
    return Done(code, out.getvalue(), err.getvalue())

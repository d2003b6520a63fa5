"""Where a visitor may be sent back to: a path of this site, and nothing that a browser reads as another one."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

_MAX_LENGTH = 2000


def local_path(target: str | None, default: str = "/") -> str:
    """Return ``target`` if it is a path of this site, with or without a query, and else ``default``.

    For a ``next`` that came with a request: ``redirect(local_path(request.args.get("next")))``.
    ``default`` is returned as it is. A target is refused when it has more than 2,000 characters, no
    single ``/`` at its start, a backslash, a character that is not printable, or a segment ``.`` or
    ``..``, also percent-encoded in its path. Source: ASVS 3.7.2; CVE-2021-32618 and CVE-2023-49438 of Flask-Security.
    """
    return target if isinstance(target, str) and _is_local(target) else default


def _is_local(target: str) -> bool:
    if len(target) > _MAX_LENGTH or not _is_path(target):
        return False
    parts = urlsplit(target)
    # Whoever stands in between may decode a path before a browser reads it, or take its dots out.
    return parts.geturl() == target and _is_path(unquote(parts.path))


def _is_path(text: str) -> bool:
    # Browsers drop tabs and newlines, and take a backslash for a slash: "/\t/evil.example" and "/\\evil.example"
    # name another host.
    if text[:1] != "/" or text[1:2] == "/" or "\\" in text or not text.isprintable():
        return False
    return {".", ".."}.isdisjoint(text.partition("?")[0].split("/"))

"""Parts of pages that are made from the package's own objects while the docs are built.

Each directive writes Markdown and lets MyST read it, so that what it makes can be linked to:
``{setting}``, ``{error-code}``, ``{signal}`` and ``{route}`` are cross-reference roles.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from http import HTTPStatus
from inspect import getdoc
from typing import Any

import click
from docutils import nodes
from limits import RateLimitItem
from marshmallow import Schema, fields
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import flask_secureauth
from flask_secureauth import BUILTIN, AuthError, Feature, Route, Throttle
from flask_secureauth.cli import secureauth
from flask_secureauth.errors import ANSWER_HEADERS
from flask_secureauth.events import Event
from flask_secureauth.feature import throttles_of
from flask_secureauth.features.throttling import lockout
from flask_secureauth.features.throttling.settings import read_limits
from flask_secureauth.settings import BASE_GROUPS, Entry, entries

COMPUTED_DEFAULTS = {"SECUREAUTH_PASSWORD_CONCURRENT_HASHES": "half the cores, at least 1"}
"""Defaults that depend on the machine; the one that builds the docs is not the reader's."""

SUBJECTS = {"client": "network address", "session": "session", "address": "e-mail address"}

GROUP_TITLES = {"": "General", "password": "Passwords", "session": "Sessions"}


class Generated(SphinxDirective):
    """A directive whose body is Markdown made by :meth:`markdown`."""

    optional_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        return self.parse_text_to_nodes("\n".join(self.markdown()), allow_section_headings=True)

    def markdown(self) -> Iterator[str]:
        """Yield lines. Each directive has its own."""
        raise NotImplementedError

    @property
    def names(self) -> list[str]:
        """The directive's argument, split."""
        return self.arguments[0].split() if self.arguments else []


class Settings(Generated):
    """Settings of all groups, under headings; or those that are named, by group or by name, without."""

    def markdown(self) -> Iterator[str]:
        groups = {**BASE_GROUPS, **{item.name: item.settings for item in BUILTIN if item.settings}}
        if self.names:
            found = [item for item in entries(groups) if item.name in self.names]
            if len(found) != len(self.names):
                raise self.error(f"unknown setting among {self.names}")
            for entry in found:
                yield f"{{setting}}`{entry.name}`"
                yield f": {entry.doc} Default: {_default(entry)}."
                yield ""
            return
        for group, kind in groups.items():
            yield f"## {GROUP_TITLES.get(group, group.replace('_', ' ').capitalize())}"
            yield ""
            yield f"{_docstring(kind)}"
            yield ""
            for entry in entries({group: kind}):
                facts = (f"Default: {_default(entry)}", f"Accepts: {_with_code(entry.kind.words)}.")
                yield from _object("setting", entry.name, entry.doc, *facts)


class Errors(Generated):
    """All refusals by status; or, with a feature's name, that feature's own."""

    def markdown(self) -> Iterator[str]:
        if self.names:
            features = [_feature(name) for name in self.names]
            for error in dict.fromkeys(error for item in features for route in item.routes for error in route.errors):
                yield f"{{error-code}}`{error.error_code}` ({int(error.code)})"
                yield f": {_docstring(error)}"
                yield ""
            return
        for status, errors in _by_status(_refusals(AuthError)):
            yield f"## {status.value} {status.phrase}"
            yield ""
            for error in errors:
                facts = (f"Sentence: “{error.sentence}”", f"Class: `{_import_path(error)}`")
                yield from _object("error-code", error.error_code, _docstring(error), *facts)


class Events(Generated):
    """The signals."""

    def markdown(self) -> Iterator[str]:
        for event in Event.__subclasses__():
            arguments = ", ".join(f"`{name}`{_type(kind)}" for name, kind in _annotations(event).items())
            facts = (
                f"Arguments: the app as sender, then {arguments}",
                f"Event class: `{event.__module__}.{event.__name__}`",
            )
            yield from _object("signal", event.signal.name.replace("-", "_"), _docstring(event), *facts)


class Routes(Generated):
    """Routes of all features as a table; or, with a feature's name, each of its routes in full."""

    def markdown(self) -> Iterator[str]:
        if not self.names:
            yield "| Request | Answers | Access token |"
            yield "|---|---|---|"
            for feature in BUILTIN:
                for route in feature.routes:
                    token = "needed" if route.guard else ""
                    yield f"| [`{route.method} {route.path}`](features/{feature.name}.md) | {route.status} | {token} |"
            yield ""
            return
        for name in self.names:
            feature = _feature(name)
            for route in feature.routes:
                yield from _object(
                    "route", f"{route.method} {route.path}", _docstring(route.view), *_facts(feature, route)
                )


class Commands(Generated):
    """What ``flask secureauth`` can do, as it says it itself."""

    def markdown(self) -> Iterator[str]:
        commands = {**secureauth.commands, **{item.name: item for feature in BUILTIN for item in feature.cli}}
        for name, command in _single(commands):
            context = click.Context(command, info_name=f"flask secureauth {name}", terminal_width=72)
            yield f"## {name}"
            yield ""
            yield "```text"
            yield command.get_help(context)
            yield "```"
            yield ""


class FeatureLinks(Generated):
    """A line for each built-in feature, in their order."""

    def markdown(self) -> Iterator[str]:
        for feature in BUILTIN:
            yield f"- [{feature.name}](features/{feature.name}.md)"


class Throttles(Generated):
    """Every limit of every feature, then the lockout."""

    def markdown(self) -> Iterator[str]:
        places: dict[Throttle, list[str]] = {}
        for throttle, _, route in throttles_of(BUILTIN):
            places.setdefault(throttle, []).extend([f"`{route.method} {route.path}`"] if route else [])
        yield "| Name | At most | For each | Asked at |"
        yield "|---|---|---|---|"
        for throttle, routes in places.items():
            limits = ", ".join(f"{item.amount} in {_spoken_seconds(item.get_expiry())}" for item in _items(throttle))
            silent = "; beyond, the usual answer" if throttle.silent else ""
            where = ", ".join(routes) or f"{{doc}}`{_asking(throttle)}`"
            yield f"| `{throttle.name}` | {limits}{silent} | {SUBJECTS[throttle.by]} | {where} |"
        yield ""
        yield "| Wrong passwords in a row for an address | Wait before the next |"
        yield "|---|---|"
        yield f"| up to {lockout.FREE - 1} | none |"
        for count in range(lockout.FREE, lockout.MOST + 1):
            more = " and more" if count == lockout.MOST else ""
            yield f"| {count}{more} | {_spoken_seconds(lockout.wait_after(count))} |"
        yield ""
        yield f"They are forgotten {_spoken_seconds(lockout.FORGOTTEN_AFTER)} after the wait is over."
        yield ""


def _items(throttle: Throttle) -> Iterable[RateLimitItem]:
    return read_limits("; ".join(throttle.limits))


def _asking(throttle: Throttle) -> str:
    """The page of the feature whose service asks."""
    feature = next(feature for feature in BUILTIN if throttle in feature.throttles)
    return f"/features/{feature.name}"


def _spoken_seconds(seconds: int) -> str:
    return _spoken(timedelta(seconds=seconds)).partition(" (")[0]


class Headers(Generated):
    """The headers of every answer."""

    def markdown(self) -> Iterator[str]:
        for name, value in ANSWER_HEADERS:
            yield f"- `{name}: {value}`"


def _single(commands: Mapping[str, click.Command]) -> Iterator[tuple[str, click.Command]]:
    """Commands by name, those of a group one by one."""
    for name, command in sorted(commands.items()):
        if isinstance(command, click.Group):
            yield from ((f"{name} {sub}", item) for sub, item in _single(command.commands))
        else:
            yield name, command


def _object(kind: str, name: str, text: str, *facts: str) -> Iterator[str]:
    yield f"::::{{{kind}}} {name}"
    yield text
    yield ""
    yield from (f"- {fact}" for fact in facts)
    yield "::::"
    yield ""


def _facts(feature: Feature, route: Route) -> Iterator[str]:
    if route.guard:
        yield "Needs an access token" + (", and reads its session in any case" if route.guard.live else "")
    if route.body:
        members = ", ".join(_member(name, item) for name, item in route.body().load_fields.items())
        yield f"Body: {members or 'none, or an empty object'}"
    yield f"Answers {route.status}" + (f" with {_members(route.answer)}" if route.answer else "")
    if route.throttles:
        yield "Limited by " + ", ".join(f"[`{item.name}`](throttling.md#the-limits)" for item in route.throttles)
    if route.errors:
        yield "Refuses with " + ", ".join(f"{{error-code}}`{error.error_code}`" for error in route.errors)
    yield f"Name in {{setting}}`SECUREAUTH_RULES`: `{feature.name}.{route.name}`"
    yield f"Endpoint for `url_for`: `secureauth.{feature.name}.{route.name}`"


def _members(schema: type[Schema] | Schema) -> str:
    members = (schema() if isinstance(schema, type) else schema).dump_fields
    return ", ".join(f"`{name}`{_inner(item)}" for name, item in members.items())


def _inner(item: fields.Field[Any]) -> str:
    return f", each with {_members(item.schema)}" if isinstance(item, fields.Nested) else ""


def _member(name: str, item: fields.Field[Any]) -> str:
    return f"`{name}` ({type(item).__name__.lower()}{'' if item.required else ', optional'})"


def _feature(name: str) -> Feature:
    return next(feature for feature in BUILTIN if feature.name == name)


def _default(entry: Entry) -> str:
    if entry.name in COMPUTED_DEFAULTS:
        return COMPUTED_DEFAULTS[entry.name]
    value = entry.default
    if isinstance(value, timedelta):
        return _spoken(value)
    return f'`"{value}"`' if isinstance(value, str) else f"`{value!r}`"


def _with_code(words: str) -> str:
    """Sphinx would curl the quotation marks of values."""
    return re.sub(r'"[^"]+"', r"`\g<0>`", words)


def _spoken(span: timedelta) -> str:
    """A timedelta in its largest whole unit."""
    seconds = int(span.total_seconds())
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds and seconds % size == 0:
            count = seconds // size
            return f"{count} {unit}{'' if count == 1 else 's'} (`{seconds}`)"
    return f"{seconds} seconds (`{seconds}`)"


def _refusals(root: type[AuthError]) -> Iterator[type[AuthError]]:
    for error in root.__subclasses__():
        if error.__module__.startswith("flask_secureauth."):
            if "error_code" in vars(error):
                yield error
            yield from _refusals(error)


def _by_status(errors: Iterable[type[AuthError]]) -> Iterator[tuple[HTTPStatus, list[type[AuthError]]]]:
    ordered = list(dict.fromkeys(errors))
    for code in sorted({int(error.code) for error in ordered}):
        yield HTTPStatus(code), [error for error in ordered if error.code == code]


def _import_path(error: type[AuthError]) -> str:
    module = "flask_secureauth" if error.__name__ in flask_secureauth.__all__ else error.__module__
    return f"{module}.{error.__name__}"


def _annotations(event: type[Event]) -> dict[str, str]:
    return {name: str(kind) for name, kind in event.__annotations__.items() if "ClassVar" not in str(kind)}


def _type(annotation: str) -> str:
    return "" if annotation == "Any" else f" (`{annotation}`)"


def _docstring(documented: Any) -> str:
    """A docstring, its reStructuredText roles turned into code."""
    text = getdoc(documented) or ""
    return re.sub(r":\w+:`~?(?:[\w.]+\.)?(\w+)`", r"`\1`", text).replace("``", "`")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directives, and the roles that link to what they describe."""
    for kind in ("setting", "error-code", "signal", "route"):
        app.add_object_type(kind, kind)
    for name, directive in {
        "settings": Settings,
        "errors": Errors,
        "events": Events,
        "routes": Routes,
        "commands": Commands,
        "features": FeatureLinks,
        "headers": Headers,
        "throttles": Throttles,
    }.items():
        app.add_directive(f"secureauth-{name}", directive)
    return {"version": "1", "parallel_read_safe": True}

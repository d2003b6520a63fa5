"""How tokens travel: read from headers, bodies and cookies, and written to bodies and cookies.

Nothing is read from a query string, which ends up in logs and histories. Source: RFC 6750 sections
2.1 and 5.3, ASVS 14.2.1; RFC 6265bis for the ``__Host-`` prefix, ASVS 3.3.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from flask import Response, after_this_request, request
from werkzeug.http import dump_cookie

from ..core import known_devices, refresh_tokens
from ..core.clock import Clock
from ..core.key_ring import KeySource
from ..errors import InvalidInput, RefreshTokenInvalid, RefreshTokenMissing, RepeatedCookie
from ..settings import GeneralSettings
from .csrf import CsrfProtection, came_from_here, is_from_here, require_same_origin

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """What a sign-in or a refresh hands out. ``expires_in`` is seconds.

    ``remembered_for`` is how long a browser keeps its cookies; ``None`` until it is closed. ``device`` makes it a
    known one.
    """

    session_id: str
    access_token: str = field(repr=False)
    expires_in: int
    refresh_token: str = field(repr=False)
    remembered_for: timedelta | None
    device: str | None = field(default=None, repr=False)


def bearer_token(environ: WSGIEnvironment) -> str | None:
    """Return the token of ``Authorization: Bearer``; ``None`` without one or with another scheme."""
    header: str | None = environ.get("HTTP_AUTHORIZATION")
    if header is None:
        return None
    scheme, _, token = header.partition(" ")
    if scheme.lower() == "bearer":
        return token
    # "Bearer" with a tab, or anything else glued to it, is a damaged token and not an anonymous visitor.
    return "" if header.strip().lower().startswith("bearer") else None


class Transport:
    """Where one app's tokens travel."""

    def __init__(self, settings: GeneralSettings, keys: KeySource, clock: Clock) -> None:
        self._secure = not settings.allow_insecure_cookies
        prefix = "__Host-secureauth" if self._secure else "secureauth"
        self._access, self._refresh, self._csrf = f"{prefix}_access", f"{prefix}_refresh", f"{prefix}_csrf"
        self._device = f"{prefix}_device"
        self.access_in_cookie = settings.access_transport == "cookie"
        self.refresh_in_cookie = settings.refresh_transport == "cookie"
        self.csrf = CsrfProtection(keys, clock)

    def access_cookie(self) -> str | None:
        """Return the access token of the request's cookie.

        An ``Authorization`` header alone decides when there is one: a bad header never falls back.
        Raises :exc:`~flask_secureauth.errors.RepeatedCookie`.
        """
        if not self.access_in_cookie or "HTTP_AUTHORIZATION" in request.environ:
            return None
        after_this_request(_keep_from_caches)
        return _cookie(self._access)

    def refresh_cookie(self) -> str | None:
        """Return the refresh token of the request's cookie, whatever it is worth."""
        return _cookie(self._refresh) if self.refresh_in_cookie else None

    def device_cookie(self) -> str | None:
        """Return what the browser shows to be a known device, whatever it is worth.

        Raises :exc:`~flask_secureauth.errors.RepeatedCookie`.
        """
        return _cookie(self._device)

    def refresh_token(self, body: Mapping[str, Any]) -> str:
        """Return the refresh token that a request wants to trade.

        Raises :exc:`~flask_secureauth.errors.RefreshTokenMissing`, and in a cookie
        :exc:`~flask_secureauth.errors.CsrfFailed` without the proof that a page of ours sent it.
        """
        sent: str | None = body.get("refresh_token")
        if not self.refresh_in_cookie:
            if not sent:
                raise RefreshTokenMissing
            return sent
        if sent is not None:
            raise InvalidInput({"refresh_token": ["The refresh token travels in a cookie here."]})
        token = _cookie(self._refresh)
        if not token:
            raise RefreshTokenMissing
        parsed = refresh_tokens.parse(token)
        if parsed is None:
            # One of our form is left there: its session may go on under another name, with newer cookies than these.
            self.delete_with_refusal()
            raise RefreshTokenInvalid
        self.csrf.require(parsed.session_id)
        return token

    def may_set_cookies(self) -> bool:
        """Whether the answer may plant cookies: a page of ours asks for it, or nobody's page does.

        A client that is no browser says nothing about where it comes from; it gets what travels in
        bodies. Raises :exc:`~flask_secureauth.errors.CsrfFailed` for somebody else's page, which
        would sign a visitor in as somebody else, for one that holds cookies which it would lose, and
        where nothing travels in the body.
        """
        if not (self.access_in_cookie or self.refresh_in_cookie):
            return False
        if self.access_in_cookie or _sent(self._refresh):
            require_same_origin()
            return True
        return came_from_here()

    def hand_out(self, tokens: Tokens, *, set_cookies: bool) -> tuple[dict[str, Any], Headers]:
        """Return the members and the headers that carry ``tokens`` to the client."""
        members: dict[str, Any] = {"expires_in": tokens.expires_in}
        if not self.access_in_cookie:
            members |= {"access_token": tokens.access_token, "token_type": "Bearer"}
        if not self.refresh_in_cookie:
            members["refresh_token"] = tokens.refresh_token
        cookies = tuple(self._cookies(tokens)) if set_cookies else ()
        if tokens.device and is_from_here():
            # It has no authority, so it is set wherever the tokens travel; but for no page of another site.
            lifetime = timedelta(seconds=known_devices.LIFETIME)
            cookies += (self._set_cookie(self._device, tokens.device, max_age=lifetime),)
        return members, cookies

    def _cookies(self, tokens: Tokens) -> Iterator[tuple[str, str]]:
        kept = tokens.remembered_for
        if self.access_in_cookie:
            # It outlives its token, so that a client is told "token_expired" and not "token_missing".
            yield self._set_cookie(self._access, tokens.access_token, max_age=kept, samesite="Lax")
        if self.refresh_in_cookie:
            yield self._set_cookie(self._refresh, tokens.refresh_token, max_age=kept)
        yield self._set_cookie(self._csrf, self.csrf.token(tokens.session_id), max_age=kept, for_scripts=True)

    def _set_cookie(
        self, name: str, value: str, *, max_age: timedelta | None, samesite: str = "Strict", for_scripts: bool = False
    ) -> tuple[str, str]:
        cookie = dump_cookie(
            name,
            value,
            max_age=max_age,
            path="/",
            secure=self._secure,
            httponly=not for_scripts,
            samesite=samesite,
        )
        return "Set-Cookie", cookie

    def deletion(self, *, access_only: bool = False) -> Headers:
        """Return the headers that delete the cookies which came with the request."""
        if not (self.access_in_cookie or self.refresh_in_cookie):
            return ()
        names = (self._access,) if access_only else (self._access, self._refresh, self._csrf)
        return tuple(self._set_cookie(name, "", max_age=timedelta(0)) for name in names if _sent(name))

    def delete_with_refusal(self, *, access_only: bool = False) -> None:
        """Have the request's answer delete its dead cookies, whoever words the refusal."""
        headers = self.deletion(access_only=access_only)

        @after_this_request
        def delete(response: Response) -> Response:
            for header in headers:
                response.headers.add(*header)
            return response


def _keep_from_caches(response: Response) -> Response:
    """Have no cache hand one visitor's answer to another, unless the app says how it may be kept.

    An ``Authorization`` header does that by itself, a cookie does not.
    Source: RFC 9111 section 3.5, ASVS 14.2.2 and 14.3.2.
    """
    response.vary.add("Cookie")
    response.headers.setdefault("Cache-Control", "no-store")
    return response


def _cookie(name: str) -> str | None:
    values = _sent(name)
    if len(values) > 1:
        raise RepeatedCookie
    return values[0] if values else None


def _sent(name: str) -> list[str]:
    """The values of a cookie, by the letter.

    Werkzeug before 3.1.9 strips more than spaces and tabs from names, so that a cookie that another host of the domain
    planted under ``\\xa0__Host-...``, past the rules of that prefix, would count as ours.
    """
    pairs = (pair.partition("=") for pair in request.environ.get("HTTP_COOKIE", "").split(";"))
    return [value.strip(" \t") for key, equals, value in pairs if equals and key.strip(" \t") == name]

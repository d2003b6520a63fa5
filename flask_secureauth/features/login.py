"""Login: the one door. Every way of signing in ends in :meth:`LoginService.complete_login`.

Only that creates sessions, and it asks every gate first: a second factor that hooks paths instead
is bypassed by the next path. Source: ASVS 6.3.4 and 6.3.8, RFC 8176 for the method names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from http import HTTPStatus
from typing import Any, NoReturn

from ..core import known_devices
from ..core.identifiers import new_identifier
from ..core.jwt import Claims
from ..core.known_devices import Account
from ..core.passwords import HashingBusy
from ..db.user_store import Credentials
from ..errors import AuthError, WrongPassword
from ..events import AccountLocked, Client, LoginFailed, UserLoggedIn
from ..feature import Feature, Route
from ..web.dispatch import Call
from ..web.logs import acting_client
from ..web.schemas import BodySchema, StrictBoolean, TokensSchema, required_text
from ..web.state import AuthState, current_auth
from ..web.throttles import PASSWORDS, Attempt
from ..web.transport import Tokens
from .sessions.service import SessionService


class InvalidCredentials(AuthError):
    """The address is unknown, the password is wrong or the account is disabled: one answer for all."""

    code = HTTPStatus.UNAUTHORIZED
    error_code = "login.invalid_credentials"
    sentence = "Invalid credentials"
    headers = (("WWW-Authenticate", "Bearer"),)


class LoginSchema(BodySchema):
    """What a visitor sends to sign in."""

    sentence = "Email and password required"
    email = required_text("Email")
    password = required_text("Password", load_only=True)
    remember = StrictBoolean(load_default=False)


_ATTEMPT = "flask_secureauth.attempt"
"""Where the attempt of this request waits, in ``session.info``, for :meth:`LoginService.settle` or a refusal."""
_LONG_AGO = datetime.fromtimestamp(0, UTC)


class LoginService:
    """Signs users in."""

    def __init__(self, auth: AuthState) -> None:
        self._auth = auth
        self._sessions = auth.service(SessionService)

    def login(
        self, email: str, password: str, *, client: Client, remember: bool = False, device: str | None = None
    ) -> Tokens:
        """Sign in with a password. Raises :exc:`InvalidCredentials`, or what a gate raises.

        With ``remember`` the session lives ``SECUREAUTH_SESSION_LIFETIME``, else ``..._UNREMEMBERED_LIFETIME``.
        ``device`` is the browser's device cookie.
        """
        user, account = self._prove(email, password, client=client, device=device)
        tokens = self.complete_login(user, ("pwd",), client=client, remember=remember)
        return replace(tokens, device=self._new_device(account))

    def confirm(
        self, subject: str, email: str, password: str, *, client: Client, replace_by: str | None = None
    ) -> str | None:
        """See that it is the password of a signed-in user, and replace it when a new one is given.

        Returns a device cookie. Raises :exc:`~flask_secureauth.errors.WrongPassword`,
        :exc:`~flask_secureauth.errors.TooManyRequests`.
        """
        key = self._auth.users.key(subject)
        try:
            _, account = self._prove(email, password, client=client, key=key, replace_by=replace_by)
        except InvalidCredentials:
            raise WrongPassword from None
        self.settle()
        return self._new_device(account)

    def settle(self) -> None:
        """Take back the count of the password that this request has proven."""
        self._auth.throttles.take_back(self._attempt())

    def _attempt(self) -> Attempt:
        """What this request has counted. It is known until the commit, since a transaction may be run again."""
        info = self._auth.database.session.info
        self._auth.database.after_commit(partial(info.pop, _ATTEMPT, None))
        found: Attempt = info.get(_ATTEMPT, Attempt())
        return found

    def _prove(
        self,
        email: str,
        password: str,
        *,
        client: Client,
        key: Any = None,
        replace_by: str | None = None,
        device: str | None = None,
    ) -> tuple[Any, Account]:
        """Return the enabled user whose password it is; their row stays locked until the commit.

        With ``key`` it has to be that user's account. It counts as a wrong one until :meth:`settle`.
        Raises :exc:`InvalidCredentials`, after the same work whatever the reason, and
        :exc:`~flask_secureauth.errors.TooManyRequests`, before any.
        """
        auth = self._auth
        credentials = auth.users.find_credentials(email)
        stored = credentials.password_hash if credentials else None
        account = _account(credentials)
        self._begin(email, client, trusted=f"user/{key}" if key is not None else self._find_device(account, device))
        with self._uncounted_if_busy():
            is_right = auth.hasher.verify(stored, password)
        if not is_right or not credentials or not stored:
            reason = "wrong password" if credentials else "unknown address"
            self._refuse(email, reason, client, credentials and credentials.key)
        # Before anything is written, since a refusal commits.
        if key is not None and credentials.key != key:
            self._refuse(email, "another account", client, credentials.key)
        user = auth.users.attach(credentials.row)
        if not auth.users.is_active(credentials.row):
            self._refuse(email, "disabled", client, credentials.key)
        # Hashing took a while. The row is locked and looked at again, so that a password that was changed
        # meanwhile opens no session that the change did not see.
        with self._uncounted_if_busy():
            new = auth.hasher.hash(replace_by) if replace_by else self._renewed(stored, password)
        if not auth.users.replace_hash(credentials.key, old=stored, new=new):
            self._refuse(email, "changed meanwhile", client, credentials.key)
        return user, replace(account, password_hash=new)

    def _begin(self, email: str, client: Client, *, trusted: str | None) -> None:
        """Count the attempt before the hash is computed, so that of many at once no more are checked than may be."""
        self.settle()  # Of a transaction that is run again.
        attempt = self._auth.throttles.begin_attempt(email, client=client, trusted=trusted)
        self._auth.database.session.info[_ATTEMPT] = attempt

    @contextmanager
    def _uncounted_if_busy(self) -> Iterator[None]:
        try:
            yield
        except HashingBusy:
            self._auth.database.undo()  # So that what follows is not undone with the request.
            self.settle()
            raise

    def _find_device(self, account: Account, device: str | None) -> str | None:
        """The bucket of a browser that is known to the account."""
        now = self._auth.clock.timestamp()
        found = known_devices.find(device, self._auth.keys.ring(now), account, now=now)
        return found and f"device/{account.subject}/{found}"

    def _new_device(self, account: Account) -> str | None:
        auth = self._auth
        if not auth.throttles.enabled:
            return None
        now = auth.clock.timestamp()
        return known_devices.write(auth.keys.ring(now).signing, account, device_id=new_identifier(), now=now)

    def _renewed(self, stored: str, password: str) -> str:
        try:
            return self._auth.hasher.hash(password) if self._auth.hasher.needs_rehash(stored) else stored
        except HashingBusy:
            return stored  # The next sign-in renews it.

    def _refuse(self, email: str, reason: str, client: Client, user_id: Any) -> NoReturn:
        database = self._auth.database
        database.announce(LoginFailed(email=email, reason=reason, client=client, user_id=user_id))
        seconds = self._attempt().locked_for
        if seconds:
            database.announce(AccountLocked(email=email, seconds=seconds, client=client, user_id=user_id))
        raise InvalidCredentials

    def complete_login(
        self,
        user: Any,
        methods: Sequence[str],
        *,
        client: Client,
        remember: bool = False,
        fresh: bool = True,
        extra: Claims | None = None,
    ) -> Tokens:
        """Ask the gates, open a session for ``user`` and return its tokens.

        ``methods`` is how the user proved who they are (``amr`` values). With ``fresh=False`` the
        session counts as long authenticated, so views that want a fresh sign-in refuse it. ``extra``
        claims are in this access token and in none that it is refreshed to.
        """
        auth = self._auth
        # Whoever disables the user, or changes what proves it, waits for this session or is seen by it.
        if not auth.users.lock(user):
            raise InvalidCredentials
        self._ask_gates(user, methods, client)
        authenticated_at = auth.clock.now() if fresh else _LONG_AGO
        opened = self._sessions.open(
            user, methods=methods, remember=remember, client=client, authenticated_at=authenticated_at
        )
        tokens = self._sessions.tokens.issue(user, opened, extra=extra)
        self.settle()
        auth.database.announce(UserLoggedIn(user=user, session_id=opened.id, methods=methods))
        return tokens

    def _ask_gates(self, user: Any, methods: Sequence[str], client: Client) -> None:
        try:
            for gate in self._auth.gates:
                gate(user, methods)
        except InvalidCredentials:
            self._refuse(user.email, "refused by a gate", client, self._auth.users.identify(user))


def _account(credentials: Credentials | None) -> Account:
    """What a device cookie is bound to; where there is no account it costs the same work."""
    if credentials is None:
        return Account(subject="", password_hash="")
    return Account(subject=str(credentials.key), password_hash=credentials.password_hash or "")


def login(call: Call) -> Tokens:
    """Sign in. What the browser held before is over."""
    transport = call.auth.transport
    held, access_token = transport.refresh_cookie(), transport.access_cookie()
    tokens: Tokens = call.service.login(**call.body, client=call.client, device=transport.device_cookie())
    sessions = call.auth.service(SessionService)
    sessions.end_held(held, access_token=access_token, but=tokens.session_id, reason="replaced")
    return tokens


def create_access_token(
    identity: Any,
    fresh: bool = False,
    expires_delta: timedelta | None = None,
    additional_claims: Mapping[str, Any] | None = None,
) -> str:
    """Open a session for a user that the app has identified itself, and return its access token.

    ``identity`` is the user, or the user's key. ``fresh`` says that the user proved it just now.
    ``expires_delta`` may only shorten the configured lifetime. Commits the app's SQLAlchemy
    session. Raises ValueError for an unknown user, a longer life or a reserved claim,
    :exc:`InvalidCredentials` for a disabled user, and whatever a gate raises.
    """
    auth = current_auth()
    user = _find(auth, identity)
    extra = dict(additional_claims or {})
    if isinstance(expires_delta, bool):
        raise ValueError("a token that never expires does not exist: expires_delta is a timedelta or None")
    if expires_delta is not None:
        extra["exp"] = int(auth.clock.timestamp() + expires_delta.total_seconds())
    client = acting_client()
    with auth.database.transaction():
        tokens = auth.service(LoginService).complete_login(user, ("app",), client=client, fresh=fresh, extra=extra)
    return tokens.access_token


def _find(auth: AuthState, identity: Any) -> Any:
    key = auth.users.identify(identity)
    user = None if key is None else auth.users.find(key)
    if user is None:
        raise ValueError(f"no user has the key {identity!r}")
    return user


FEATURE = Feature(
    name="login",
    requires=("sessions",),
    service=LoginService,
    routes=(
        Route(
            "login",
            "POST",
            "/auth/login",
            login,
            body=LoginSchema,
            answer=TokensSchema,
            errors=(InvalidCredentials,),
            throttles=(PASSWORDS,),
        ),
    ),
)

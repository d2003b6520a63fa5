"""What a first look at an HS256 token costs: ours against ``jwt.decode``, interleaved. Prints microseconds."""

from __future__ import annotations

import secrets
import time
from statistics import median

import jwt

from flask_secureauth.core.jwt import TokenIssuer, TokenRules, TokenVerifier
from flask_secureauth.core.key_ring import KeyRing
from flask_secureauth.core.keys import load_key

ROUNDS, CALLS = 15, 300


def main() -> None:
    """Issue tokens, verify each once with both, and print the medians of the rounds."""
    secret = secrets.token_urlsafe(32)
    ring = KeyRing([load_key(secret)])
    rules = TokenRules(issuer="secureauth", audience=None, lifetime=3600, leeway=5)
    issuer, now = TokenIssuer(ring, rules), int(time.time())
    ours, theirs = [], []
    for _ in range(ROUNDS):
        tokens = [
            issuer.issue(subject="1", session_id=secrets.token_hex(16), auth_time=now, methods=["pwd"], now=now)
            for _ in range(CALLS)
        ]
        verifier = TokenVerifier(ring, rules)  # A new one, so that no token has been seen before.
        start = time.perf_counter()
        for token in tokens:
            verifier.verify(token, now)
        middle = time.perf_counter()
        for token in tokens:
            jwt.decode(token, secret, ["HS256"], issuer="secureauth", options={"require": ["exp", "iat", "sub"]})
        ours.append((middle - start) / CALLS * 1e6)
        theirs.append((time.perf_counter() - middle) / CALLS * 1e6)
    print(f"ours {median(ours):.0f} µs, jwt.decode {median(theirs):.0f} µs (PyJWT {jwt.__version__})")


if __name__ == "__main__":
    main()

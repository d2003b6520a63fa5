"""Flask-Security's hashes: not of the password, but of a MAC of it under a secret of that app.

Their formats are those of other software, so they are marked when they are imported.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import unicodedata

from .foreign_hashes import BCRYPT_MAX_BYTES

MARK = "flask-security$"


def unwrap(stored: str, password: str, salt: str) -> tuple[str, str]:
    """Return the hash without its mark, and the text that was hashed for ``password``.

    Source: ``hash_password`` of Flask-Security 5.9, with its defaults.
    """
    hashed = stored.removeprefix(MARK)
    # Half a surrogate pair is in no password of theirs, and must not raise here.
    normal = unicodedata.normalize("NFKD", password).encode("utf-8", "surrogatepass")
    text = base64.b64encode(hmac.digest(salt.encode(), normal, hashlib.sha512)).decode()
    return hashed, text[:BCRYPT_MAX_BYTES] if hashed.startswith("$2") else text

"""JWT authentication for Flask: accounts, sign-in, sessions and guarded views."""

from .db.mixins import UserMixin
from .errors import (
    AuthError,
    ConfigurationError,
    FreshLoginRequired,
    InvalidInput,
    NotAuthenticated,
    SecureAuthError,
    SessionRevoked,
    TokenExpired,
    TokenInvalid,
    TokenMissing,
)
from .events import login_failed, user_logged_in, user_logged_out, user_registered
from .extension import SecureAuth
from .feature import Feature, Guard, Route
from .features import BUILTIN
from .features.login import LoginSchema, create_access_token
from .features.profile import ProfileSchema
from .features.registration import RegistrationSchema
from .web.guard import (
    current_session,
    current_user,
    get_jwt,
    get_jwt_identity,
    jwt_required,
    verify_jwt_in_request,
)
from .web.state import current_auth

__all__ = [
    "BUILTIN",
    "AuthError",
    "ConfigurationError",
    "Feature",
    "FreshLoginRequired",
    "Guard",
    "InvalidInput",
    "LoginSchema",
    "NotAuthenticated",
    "ProfileSchema",
    "RegistrationSchema",
    "Route",
    "SecureAuth",
    "SecureAuthError",
    "SessionRevoked",
    "TokenExpired",
    "TokenInvalid",
    "TokenMissing",
    "UserMixin",
    "create_access_token",
    "current_auth",
    "current_session",
    "current_user",
    "get_jwt",
    "get_jwt_identity",
    "jwt_required",
    "login_failed",
    "user_logged_in",
    "user_logged_out",
    "user_registered",
    "verify_jwt_in_request",
]

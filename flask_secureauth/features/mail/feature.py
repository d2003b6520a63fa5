"""Mail, put together."""

from __future__ import annotations

from ...events import UserDeleted
from ...feature import Feature
from .cli import mail
from .service import BY_ADDRESS, BY_CLIENT, MailService
from .settings import MailSettings
from .tables import MailMixin

FEATURE = Feature(
    name="mail",
    requires=("one_time_tokens",),
    settings=MailSettings,
    tables=(MailMixin,),
    service=MailService,
    handlers={UserDeleted: MailService.forget},
    cli=(mail,),
    purge=lambda service: {MailMixin: service.purgeable()},
    export=MailService.export,
    throttles=(BY_ADDRESS, BY_CLIENT),
)

"""``SecureAuth`` in every form in which an app may write it."""

from __future__ import annotations

import stat
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import MetaData, Table, event, inspect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from flask_secureauth import BUILTIN, ConfigurationError, SecureAuth, UserMixin, jwt_required
from flask_secureauth.testing import CONFIG
from tests.conftest import bearer, dispose, new_sqlalchemy, sign_in, sign_up
from tests.features.models import model_with_name, model_with_uuid

TABLES = {table.__tablename__ for feature in BUILTIN for table in feature.tables}


@pytest.fixture
def new_app(tmp_path: Path) -> Iterator[Callable[..., Flask]]:
    """Return a function that makes a plain app; its files are in a folder of its own."""
    apps: list[Flask] = []

    def make(**settings: Any) -> Flask:
        app = Flask("testapp", instance_path=str(tmp_path / f"instance{len(apps)}"))
        app.config.update(CONFIG, **settings)
        apps.append(app)
        return app

    yield make
    for app in apps:
        dispose(app)


def create_tables(app: Flask, db: SQLAlchemy) -> None:
    with app.app_context():
        db.create_all()


def tables_of(app: Flask) -> set[str]:
    with app.app_context():
        return set(inspect(app.extensions["sqlalchemy"].engine).get_table_names())


def problems_of(start: Callable[[], Any]) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as raised:
        start()
    return raised.value.problems


def assert_works(client: FlaskClient) -> None:
    """Register, sign in, ask for the profile."""
    sign_up(client)
    response = client.get("/users/me", headers=bearer(sign_in(client)))
    assert response.json["email"] == "kim@example.com"


def test_app_alone_gets_a_database_in_its_instance_folder(new_app: Callable[..., Flask]) -> None:
    app = new_app()
    SecureAuth(app)

    assert_works(app.test_client())
    assert (Path(app.instance_path) / "secureauth.sqlite3").is_file()


def test_embedded_database_has_the_tables_of_users_and_features(new_app: Callable[..., Flask]) -> None:
    app = new_app()
    SecureAuth(app)

    assert tables_of(app) == {"users", *TABLES}


def test_embedded_database_survives_a_restart(new_app: Callable[..., Flask], tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'kept.sqlite3'}"
    first, second = new_app(SQLALCHEMY_DATABASE_URI=uri), new_app(SQLALCHEMY_DATABASE_URI=uri)
    SecureAuth(first)
    sign_up(first.test_client())
    SecureAuth(second)

    assert sign_in(second.test_client())


def test_app_with_a_sqlalchemy_of_its_own_lends_it(new_app: Callable[..., Flask]) -> None:
    app = new_app(SQLALCHEMY_DATABASE_URI="sqlite://")
    db = new_sqlalchemy()
    db.init_app(app)
    SecureAuth(app)
    create_tables(app, db)

    assert app.extensions["sqlalchemy"] is db
    assert_works(app.test_client())


def test_tables_are_not_created_in_a_database_of_the_apps_own(new_app: Callable[..., Flask]) -> None:
    app = new_app(SQLALCHEMY_DATABASE_URI="sqlite://")
    new_sqlalchemy().init_app(app)
    SecureAuth(app)

    assert tables_of(app) == set()


def test_user_model_of_the_app_works_with_init_app(new_app: Callable[..., Flask]) -> None:
    db = new_sqlalchemy()
    auth = SecureAuth(db=db, user_model=model_with_name(db))
    app = new_app(SQLALCHEMY_DATABASE_URI="sqlite://")
    db.init_app(app)
    auth.init_app(app)
    create_tables(app, db)

    assert tables_of(app) == {"members", *TABLES}
    assert_works(app.test_client())


def test_db_without_a_user_model_brings_the_default_one(new_app: Callable[..., Flask]) -> None:
    db = new_sqlalchemy()
    auth = SecureAuth(db=db)
    app = new_app(SQLALCHEMY_DATABASE_URI="sqlite://")
    db.init_app(app)
    auth.init_app(app)
    create_tables(app, db)

    assert_works(app.test_client())


def test_constructor_puts_the_tables_where_migrations_find_them() -> None:
    db = new_sqlalchemy()

    SecureAuth(db=db, user_model=model_with_uuid(db))

    assert set(db.metadata.tables) == {"accounts", *TABLES}
    key = db.metadata.tables["secureauth_sessions"].c.user_id
    assert key.type.python_type is uuid.UUID
    assert [constraint.target_fullname for constraint in key.foreign_keys] == ["accounts.id"]


def test_declarative_base_of_the_apps_own_is_used(new_app: Callable[..., Flask]) -> None:
    class Base(DeclarativeBase):
        metadata = MetaData(naming_convention={"pk": "pk_%(table_name)s", "ix": "ix_%(column_0_label)s"})

    db = SQLAlchemy(model_class=Base)
    app = new_app(SQLALCHEMY_DATABASE_URI="sqlite://")
    db.init_app(app)
    SecureAuth(app, db=db)
    create_tables(app, db)

    assert db.metadata.tables["secureauth_sessions"].primary_key.name == "pk_secureauth_sessions"
    assert_works(app.test_client())


def test_key_column_of_another_name_works(new_app: Callable[..., Flask]) -> None:
    db = new_sqlalchemy()

    class Person(UserMixin, db.Model):  # type: ignore[name-defined,misc]
        id = None  # type: ignore[assignment]
        number: Mapped[int] = mapped_column(primary_key=True)

    app = new_app(SQLALCHEMY_DATABASE_URI="sqlite://")
    db.init_app(app)
    SecureAuth(app, db=db, user_model=Person)
    create_tables(app, db)

    assert_works(app.test_client())


def test_one_object_serves_two_apps(new_app: Callable[..., Flask]) -> None:
    auth = SecureAuth()
    first, second = new_app(), new_app()
    auth.init_app(first)
    auth.init_app(second)
    sign_up(first.test_client())

    refused = second.test_client().post(
        "/auth/login", json={"email": "kim@example.com", "password": "kraken-vulcan-42"}
    )

    assert refused.status_code == 401
    assert_works(second.test_client())


def test_two_apps_have_settings_of_their_own(new_app: Callable[..., Flask]) -> None:
    auth = SecureAuth()
    short, long = new_app(SECUREAUTH_ACCESS_TOKEN_LIFETIME=60), new_app(SECUREAUTH_URL_PREFIX="/api")
    auth.init_app(short)
    auth.init_app(long)
    body = {"email": "kim@example.com", "password": "kraken-vulcan-42"}
    for client, prefix, lifetime in ((short.test_client(), "", 60), (long.test_client(), "/api", 3600)):
        client.post(f"{prefix}/users", json=body)

        assert client.post(f"{prefix}/auth/login", json=body).json["expires_in"] == lifetime


def test_token_of_one_app_is_refused_by_another(new_app: Callable[..., Flask]) -> None:
    auth = SecureAuth()
    first, second = new_app(SECRET_KEY="the first app"), new_app(SECRET_KEY="the second app")
    auth.init_app(first)
    auth.init_app(second)
    sign_up(first.test_client())
    sign_up(second.test_client())
    token = sign_in(first.test_client())

    assert second.test_client().get("/users/me", headers=bearer(token)).status_code == 401


def test_init_app_leaves_the_object_as_it_was(new_app: Callable[..., Flask]) -> None:
    auth = SecureAuth()
    before = dict(vars(auth))

    auth.init_app(new_app())

    assert vars(auth) == before


def test_two_objects_over_one_database_share_its_tables(new_app: Callable[..., Flask]) -> None:
    db = new_sqlalchemy()
    User = model_with_name(db)
    app = new_app(SQLALCHEMY_DATABASE_URI="sqlite://")
    db.init_app(app)
    SecureAuth(db=db, user_model=User)
    SecureAuth(db=db, user_model=User).init_app(app)
    create_tables(app, db)

    assert_works(app.test_client())


def test_default_user_model_is_the_same_for_two_objects() -> None:
    db = new_sqlalchemy()

    SecureAuth(db=db)
    SecureAuth(db=db)

    assert set(db.metadata.tables) == {"users", *TABLES}


def test_second_init_app_says_why_it_is_refused(new_app: Callable[..., Flask]) -> None:
    app = new_app()
    auth = SecureAuth(app)

    for start in (lambda: auth.init_app(app), lambda: SecureAuth(app)):
        (problem,) = problems_of(start)
        assert problem == "This app has a SecureAuth already: call SecureAuth(app) or init_app(app), once."


def test_init_app_before_the_database_says_the_order(new_app: Callable[..., Flask]) -> None:
    auth = SecureAuth(db=new_sqlalchemy())

    (problem,) = problems_of(lambda: auth.init_app(new_app()))

    assert problem == "Call db.init_app(app) before auth.init_app(app)."


def test_database_of_another_app_says_the_order(new_app: Callable[..., Flask]) -> None:
    app = new_app(SQLALCHEMY_DATABASE_URI="sqlite://")
    new_sqlalchemy().init_app(app)

    (problem,) = problems_of(lambda: SecureAuth(app, db=new_sqlalchemy()))

    assert problem == "Call db.init_app(app) before auth.init_app(app)."


def test_app_that_was_refused_can_start_after_it_is_mended(new_app: Callable[..., Flask]) -> None:
    db = new_sqlalchemy()
    auth = SecureAuth(db=db)
    app = new_app(SQLALCHEMY_DATABASE_URI="sqlite://")
    problems_of(lambda: auth.init_app(app))
    db.init_app(app)
    auth.init_app(app)
    create_tables(app, db)

    assert_works(app.test_client())


def test_user_model_without_its_database_is_refused(new_app: Callable[..., Flask]) -> None:
    db = new_sqlalchemy()
    User = model_with_name(db)

    (problem,) = problems_of(lambda: SecureAuth(new_app(), user_model=User))

    assert problem == "A user_model belongs to a database: SecureAuth(db=db, user_model=...)."


def test_table_users_of_the_app_asks_for_its_model() -> None:
    db = new_sqlalchemy()

    class Customer(db.Model):  # type: ignore[name-defined,misc]
        __tablename__ = "users"
        id: Mapped[int] = mapped_column(primary_key=True)

    (problem,) = problems_of(lambda: SecureAuth(db=db))

    assert problem == "The app already has a table users: pass its model, SecureAuth(user_model=...)."


@pytest.mark.parametrize("has_table", [False, True])
def test_class_without_our_mixin_is_refused(has_table: bool) -> None:
    db = new_sqlalchemy()

    class User(db.Model if has_table else object):  # type: ignore[misc]
        id: Mapped[int] = mapped_column(primary_key=True)

    (problem,) = problems_of(lambda: SecureAuth(db=db, user_model=User))

    assert problem == "user_model=User is not a user model: write class User(UserMixin, db.Model)."


def test_key_of_two_columns_is_refused() -> None:
    db = new_sqlalchemy()

    class User(UserMixin, db.Model):  # type: ignore[name-defined,misc]
        tenant: Mapped[int] = mapped_column(primary_key=True)

    (problem,) = problems_of(lambda: SecureAuth(db=db, user_model=User))

    assert problem == "User has a primary key of 2 columns; it needs a single one."


def test_two_user_models_over_one_database_are_refused() -> None:
    """The table of sessions has one user_id, and it refers to one of them."""
    db = new_sqlalchemy()

    class Customer(UserMixin, db.Model):  # type: ignore[name-defined,misc]
        pass

    class Employee(UserMixin, db.Model):  # type: ignore[name-defined,misc]
        pass

    SecureAuth(db=db, user_model=Customer)

    (problem,) = problems_of(lambda: SecureAuth(db=db, user_model=Employee))

    assert problem.startswith("Customer and Employee share a database")


def test_key_of_a_type_that_no_token_can_name_is_refused(new_app: Callable[..., Flask]) -> None:
    db = new_sqlalchemy()

    class User(UserMixin, db.Model):  # type: ignore[name-defined,misc]
        id: Mapped[float] = mapped_column(primary_key=True)

    app = new_app(SQLALCHEMY_DATABASE_URI="sqlite://")
    db.init_app(app)

    (problem,) = problems_of(lambda: SecureAuth(app, db=db, user_model=User))

    assert problem == "User has a primary key of type float; int, UUID and str work."


def test_key_that_is_text_works(new_app: Callable[..., Flask]) -> None:
    db = new_sqlalchemy()

    class User(UserMixin, db.Model):  # type: ignore[name-defined,misc]
        id: Mapped[str] = mapped_column(primary_key=True, default=lambda: f"u-{uuid.uuid4()}")

    app = new_app(SQLALCHEMY_DATABASE_URI="sqlite://")
    db.init_app(app)
    SecureAuth(app, db=db, user_model=User)
    create_tables(app, db)

    assert_works(app.test_client())


def test_ten_lines_of_the_contract_work(new_app: Callable[..., Flask]) -> None:
    app = new_app()
    SecureAuth(app)

    @app.get("/reports")
    @jwt_required
    def reports() -> dict[str, str]:
        return {"for": "somebody"}

    client = app.test_client()
    sign_up(client)

    assert client.get("/reports").status_code == 401
    assert client.get("/reports", headers=bearer(sign_in(client))).json == {"for": "somebody"}


@pytest.mark.parametrize("uri", ["nonsense", "", "mysql+nodriver://root@127.0.0.1/x", "nodialect://x"])
def test_database_url_that_cannot_be_used_is_one_problem(new_app: Callable[..., Flask], uri: str) -> None:
    (problem,) = problems_of(lambda: SecureAuth(new_app(SQLALCHEMY_DATABASE_URI=uri)))

    assert problem.startswith("SQLALCHEMY_DATABASE_URI")


@pytest.mark.parametrize(
    ("uri", "driver", "extra"),
    [
        ("mysql+pymysql://root@127.0.0.1/x", "pymysql", "mysql"),
        ("mysql://root@127.0.0.1/x", "pymysql", "mysql"),
        ("mariadb://root@127.0.0.1/x", "pymysql", "mysql"),
        ("postgresql+psycopg://127.0.0.1/x", "psycopg", "postgresql"),
        ("postgres://127.0.0.1/x", "psycopg", "postgresql"),
    ],
)
def test_database_url_whose_driver_is_missing_names_the_extra(
    new_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch, uri: str, driver: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, driver, None)

    (problem,) = problems_of(lambda: SecureAuth(new_app(SQLALCHEMY_DATABASE_URI=uri)))

    assert f"pip install 'flask-secureauth[{extra}]'" in problem


def test_worker_that_starts_a_moment_later_finds_the_tables_of_the_first(
    new_app: Callable[..., Flask], tmp_path: Path
) -> None:
    uri = f"sqlite:///{tmp_path / 'shared.sqlite3'}"
    quicker = new_app(SQLALCHEMY_DATABASE_URI=uri)
    later = new_app(SQLALCHEMY_DATABASE_URI=uri)

    def start_the_other(table: Table, connection: Any, **options: Any) -> None:
        if "secureauth" not in quicker.extensions:
            SecureAuth(quicker)

    event.listen(Table, "before_create", start_the_other)
    try:
        SecureAuth(later)
    finally:
        event.remove(Table, "before_create", start_the_other)

    sign_up(quicker.test_client())
    assert sign_in(later.test_client())


def test_database_that_does_not_answer_is_a_problem_at_start(new_app: Callable[..., Flask]) -> None:
    (problem,) = problems_of(lambda: SecureAuth(new_app(SQLALCHEMY_DATABASE_URI="mysql://root@127.0.0.1:1/x")))

    assert problem.startswith("SQLALCHEMY_DATABASE_URI: the database does not answer: ")


def test_embedded_database_is_readable_by_its_owner_alone(new_app: Callable[..., Flask]) -> None:
    """It holds password hashes; ASVS 13.3.2: least privilege."""
    app = new_app()
    SecureAuth(app)

    assert stat.S_IMODE((Path(app.instance_path) / "secureauth.sqlite3").stat().st_mode) == 0o600

"""Plain Python: time, identifiers, passwords, keys and tokens. Knows neither Flask nor SQLAlchemy."""

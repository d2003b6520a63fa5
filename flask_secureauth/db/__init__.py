"""The database: the user model, the tables of features, reads and transactions."""

"""Importing users from a file: accounts of another application, with the passwords that their owners have.

Read ``feature.py`` for what it is made of, ``files.py`` for what is read, ``rows.py`` for what a row must be.
"""

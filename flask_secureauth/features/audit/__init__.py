"""Audit: what happened to accounts, for their owners and for operators.

Each event of the package is one row, written in the transaction that it happened in: neither is there
without the other. After the commit the same is one line of the log, in the words of the OWASP
logging vocabulary. Source: ASVS 16.2, 16.3.
"""

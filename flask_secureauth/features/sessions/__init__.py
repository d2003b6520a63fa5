"""Sessions: one sign-in is one row. Its access tokens name it, and live only as long as it does.

Ending a session is an ``UPDATE``; no list of dead tokens grows. Source: ASVS 7.4.1.
"""

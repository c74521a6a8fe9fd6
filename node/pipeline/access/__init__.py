"""Signing in, and who may: the command line, the API and the pages do the same here.

hashing.py    passwords, hashed
identify.py   who shows a cookie or a token
signing_in.py by password, and the first administrator
people.py     users, their passwords, their tokens
oidc.py       by an OpenID Connect provider
"""

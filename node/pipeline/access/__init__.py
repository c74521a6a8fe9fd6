"""Signing in, and who may: the command line, the API and the pages do the same here.

hashing.py    passwords, hashed
identify.py   who shows a cookie or a token
signing_in.py by password, and the first administrator
people.py     users, their passwords, their tokens
reads.py      what is only read, on its way into the trail
trail.py      looking at the trail
export.py     … and bringing it to a collector
oidc.py       by an OpenID Connect provider
"""

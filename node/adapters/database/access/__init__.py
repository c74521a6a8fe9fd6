"""Users, their sessions and tokens, wrong sign-ins, secrets that are used once: rows, each change with its audit line.

accounts.py   users
sessions.py   signed-in browsers
tokens.py     API tokens
failures.py   wrong sign-ins, counted
once.py       codes and states that are used once
"""

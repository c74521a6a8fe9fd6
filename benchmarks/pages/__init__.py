"""How long pages take with a million series in the database, while the node receives.

__main__.py   what is measured, and how
filling.py    a database of as many series as are asked for, in a minute
asked.py      the pages: add yours here
serving.py    a node on that database, and somebody who sends to it
"""

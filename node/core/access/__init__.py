"""Who may do what, and what a sign-in is worth: pure.

roles.py       roles, rights, and the one table between them
passwords.py   which passwords are taken
lockout.py     how long somebody who guesses has to wait
secrets.py     what is kept of a secret, and how long a session lives
masking.py     what is shown in the place of a patient's name
addresses.py   whether an address is this machine's
"""

from node.core.access.masking import HIDDEN, masked, shown
from node.core.access.roles import LOCAL, RIGHTS, Actor, Right, Role

__all__ = ["HIDDEN", "LOCAL", "RIGHTS", "Actor", "Right", "Role", "masked", "shown"]

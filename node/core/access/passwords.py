"""Which passwords are taken (NIST SP 800-63B 3.1.1.2): long ones that are not known; what they are made of is free."""

from __future__ import annotations

import unicodedata
from itertools import pairwise

SHORTEST, LONGEST = 12, 256  # characters after normalization

# Of the lists of passwords that leaked, those that are long enough; shorter ones are refused for their length.
_LEAKED = """
123456789012 1234567890123 12345678901234 123456789123 123123123123 123412341234 112233445566 111222333444
098765432109 987654321098 121212121212 012345678910 1q2w3e4r5t6y 1q2w3e4r5t6y7u 1qaz2wsx3edc 1qaz2wsx3edc4rfv
qwertyuiop12 qwertyuiop123 qwertyuiopas qwertyuiopasdfghjkl qwerty123456 qwertyqwerty qwerty12345678
qazwsxedcrfv q1w2e3r4t5y6 asdfghjkl123 asdfghjklzxcvbnm zxcvbnmasdfghjkl abcdefghijkl abcdefghijklm abcd12345678
abc123abc123 password1234 password12345 password123456 passwordpassword mypassword123 password2024 password2025
password2026 passw0rd1234 p@ssw0rd1234 p@ssword1234 changemechangeme changeme1234 changeme12345 letmeinletmein
letmein12345 welcome12345 welcome123456 welcomewelcome iloveyou1234 iloveyouiloveyou iloveyousomuch
administrator administrator1 admin1234567 admin12345678 adminadminadmin adminadmin123 adminpassword
defaultpassword secretsecret secret123456 supersecret1 correcthorsebatterystaple trustno1trustno1 sunshine1234
princess1234 football1234 baseball1234 superman1234 dragon123456 monkey123456 master123456 michael12345
computer1234 internet1234 whatever1234 test12345678 testtesttest testtest1234 unknownunknown hospital1234
hospital12345 hospitalhospital radiology123 radiology1234 radiologyradiology radiologist1 pacsadmin123
pacspacspacs pacsadministrator dicomdicom12 dicomdicomdicom orthancorthanc orthanc12345 mricoremricore
mricore12345 mricore-node mricorenode1 scanner12345 tomography123 summer202412 winter202512
"""
_COMMON = frozenset((*_LEAKED.split(), "correct horse battery staple"))


def normalized(password: str) -> str:
    """One form of what may be typed in several ways (NIST SP 800-63B 3.1.1.2, NFKC)."""
    return unicodedata.normalize("NFKC", password)


def weakness(password: str, name: str) -> str:
    """Why this password is not taken for the user of that name, as a sentence; "" when it is."""
    text = normalized(password)
    if len(text) < SHORTEST:
        return f"a password has {SHORTEST} characters or more; a few words that come to your mind alone are good"
    if len(text) > LONGEST:
        return f"a password has at most {LONGEST} characters"
    folded = text.casefold()
    if folded in _COMMON or _is_a_run(folded) or len(set(folded)) < 5:
        return "this password is on the lists of those who guess"
    if name.casefold() in folded and len(folded) < len(name) + SHORTEST // 2:
        return "a password is more than the name with something added"
    return ""


def _is_a_run(text: str) -> bool:
    """Characters that follow one another, up or down, as far as the text goes."""
    steps = {ord(after) - ord(before) for before, after in pairwise(text)}
    return steps in ({1}, {-1}, {0})

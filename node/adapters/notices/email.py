"""Mail by SMTP (RFC 5321), over TLS from the beginning (RFC 8314) or by STARTTLS (RFC 3207)."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate
from typing import Literal

from node.adapters.notices.channel import Message
from node.errors import DestinationUnavailable

_SUBJECT_AT_MOST = 200


@dataclass(frozen=True)
class MailServer:
    """Who takes mail, and how it knows us."""

    host: str
    port: int
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str = ""
    password: str = ""
    timeout_seconds: float = 30
    tls: ssl.SSLContext | None = None  # None: the system's authorities


class Email:
    """Sends to one or more addresses. A mail that the server takes for one of them is sent."""

    def __init__(self, name: str, server: MailServer, sender: str, to: Sequence[str]) -> None:
        self.name, self._server, self._sender, self._to = name, server, sender, tuple(to)
        self._tls = server.tls or ssl.create_default_context()

    def send(self, message: Message) -> None:
        """Raises DestinationUnavailable, with what the server said."""
        mail = self._mail(message)
        at = f"{self._server.host}:{self._server.port}"
        try:
            with self._connected() as smtp:
                refused = smtp.send_message(mail, self._sender, self._to)
        except smtplib.SMTPRecipientsRefused as nobody:
            raise DestinationUnavailable(f"{at} took the mail for none of its addresses ({_first(nobody)})") from nobody
        except smtplib.SMTPResponseException as said:
            raise DestinationUnavailable(f"{at} answered {said.smtp_code} {_text(said.smtp_error)}".strip()) from said
        except (smtplib.SMTPException, OSError, ValueError) as fault:
            reason = fault.strerror if isinstance(fault, OSError) and fault.strerror else str(fault)
            raise DestinationUnavailable(f"{at} cannot be reached ({reason or type(fault).__name__})"[:300]) from fault
        if len(refused) == len(self._to):
            raise DestinationUnavailable(f"{at} took the mail for none of its addresses")

    def _connected(self) -> smtplib.SMTP:
        server = self._server
        if server.security == "tls":
            smtp: smtplib.SMTP = smtplib.SMTP_SSL(
                server.host, server.port, timeout=server.timeout_seconds, context=self._tls
            )
        else:
            smtp = smtplib.SMTP(server.host, server.port, timeout=server.timeout_seconds)
        try:
            if server.security == "starttls":
                smtp.starttls(context=self._tls)
            if server.user:
                smtp.login(server.user, server.password)
        except BaseException:
            smtp.close()
            raise
        return smtp

    def _mail(self, message: Message) -> EmailMessage:
        mail = EmailMessage()
        mail["From"], mail["To"] = self._sender, ", ".join(self._to)
        mail["Subject"] = " ".join(message.subject.split())[:_SUBJECT_AT_MOST]
        mail["Date"] = formatdate(usegmt=True)
        domain = self._sender.rpartition("@")[2].strip("> ") or "localhost"
        mail["Message-ID"] = f"<{message.id}@{domain}>"
        mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers
        mail.set_content(message.body)
        return mail


def _text(said: bytes | str) -> str:
    text = said.decode("ascii", "replace") if isinstance(said, bytes) else said
    return " ".join(text.split())[:200]


def _first(nobody: smtplib.SMTPRecipientsRefused) -> str:
    code, said = next(iter(nobody.recipients.values()), (0, b""))
    return f"{code} {_text(said)}".strip()

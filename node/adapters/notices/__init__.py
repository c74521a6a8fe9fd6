"""Ways to tell somebody: e-mail, and a webhook. Both say the same, one to people and one to programs."""

from node.adapters.notices.channel import Channel, Message
from node.adapters.notices.email import Email, MailServer
from node.adapters.notices.webhook import Webhook

__all__ = ["Channel", "Email", "MailServer", "Message", "Webhook"]

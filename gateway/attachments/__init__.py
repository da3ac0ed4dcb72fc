"""Files that people attach to messages: announced, sent, kept, read by the model and by tools, and taken away."""

from gateway.attachments.handling import Attachments
from gateway.attachments.keeping import Keeping
from gateway.attachments.opening import open_keeping
from gateway.attachments.proofs import Proofs
from gateway.attachments.reading import FILE_KEY, FileReading
from gateway.attachments.routes import UPLOADS, attachment_routes
from gateway.attachments.sweeping import erase, sweep, unneeded

__all__ = [
    "FILE_KEY",
    "UPLOADS",
    "Attachments",
    "FileReading",
    "Keeping",
    "Proofs",
    "attachment_routes",
    "erase",
    "open_keeping",
    "sweep",
    "unneeded",
]

"""Which model answers, how long it may take, and what becomes of it when it misbehaves."""

from gateway.models.choosing import Choice, Models, choose
from gateway.models.client import client_of
from gateway.models.counting import tokens_used
from gateway.models.failing import ModelFailed
from gateway.models.patience import Patience
from gateway.models.readable import refused_call

__all__ = ["Choice", "ModelFailed", "Models", "Patience", "choose", "client_of", "refused_call", "tokens_used"]

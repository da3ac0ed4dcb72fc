"""Dictation: recorded speech becomes text for the composer. The recording is neither stored nor logged."""

import asyncio
import binascii
import logging
from typing import Final

from chatkit.types import AudioInput, InputTranscribeParams, TranscriptionResult
from openai import AsyncOpenAI, OpenAIError
from starlette.requests import Request

from gateway.words import Sentence
from shared.errors import Problem

log = logging.getLogger(__name__)

LIMIT_S: Final = 30.0
AUDIO_LIMIT: Final = 25 * 1024 * 1024
BODY_LIMIT: Final = 34 * 1024 * 1024  # such a recording in base64, with the request around it
TEXT_LIMIT: Final = 16_000
# What browsers record, and the name under which a provider takes it for that.
FILE_NAMES: Final = {"audio/webm": "speech.webm", "audio/ogg": "speech.ogg", "audio/mp4": "speech.mp4"}
OPERATION: Final = b'"input.transcribe"'
BEGINNING: Final = 1_024


class Dictation:
    """Dictation with one model of one provider; without a model it is off."""

    def __init__(self, client: AsyncOpenAI, model: str, *, limit_s: float = LIMIT_S) -> None:
        # A second try would come when the person has long begun to type.
        self._client = client.with_options(max_retries=0, timeout=limit_s)
        self._model = model
        self._limit_s = limit_s

    @property
    def is_on(self) -> bool:
        """Whether recordings are taken."""
        return bool(self._model)

    async def transcribe(self, params: InputTranscribeParams) -> TranscriptionResult:
        """What was said. Raises `Problem`: switched off, not a recording that we take, or the provider failed."""
        if not self.is_on:
            raise Problem("disabled", "dictation is not offered here", "type the text instead")
        audio = checked_audio(params)
        file = (FILE_NAMES[audio.mime_type], audio.data, audio.mime_type)
        try:
            async with asyncio.timeout(self._limit_s):
                heard = await self._client.audio.transcriptions.create(model=self._model, file=file)
        except (OpenAIError, TimeoutError, ValueError) as error:
            raise self._failed(type(error).__name__) from error
        # A server that answers with something else than JSON is handed on by the client as it came.
        text = getattr(heard, "text", None)
        if not isinstance(text, str):
            raise self._failed("no text")
        return TranscriptionResult(text=text.strip()[:TEXT_LIMIT])

    def _failed(self, error_class: str) -> Problem:
        log.warning("a recording was not transcribed", extra={"error_class": error_class})
        return Problem("unavailable", "dictation is not available right now", "type the text, or try again later")


def checked_audio(params: InputTranscribeParams) -> AudioInput:
    """The recording as bytes with its bare media type. Raises `Problem` for what is none."""
    media_type = params.mime_type.partition(";")[0].strip().lower()
    if media_type not in FILE_NAMES:
        raise Problem("wrong_type", "recordings of this kind are not understood", "send WebM, Ogg or MP4 audio")
    if len(params.audio_base64) > (AUDIO_LIMIT + 2) // 3 * 4:
        raise _too_big()
    try:
        data = binascii.a2b_base64(params.audio_base64)
        is_whole = binascii.b2a_base64(data, newline=False) == params.audio_base64.encode("ascii")
    except ValueError:
        is_whole = False
    # Python overlooks too much padding, even where it is told to be strict.
    if not is_whole:
        raise Problem("bad_request", "the recording is not valid base64", "send it again")
    if len(data) > AUDIO_LIMIT:
        raise _too_big()
    if not data:
        raise Problem("missing_argument", "the recording is empty", "record again")
    return AudioInput(data=data, mime_type=media_type)


def _too_big() -> Problem:
    return Problem(
        "too_big", Sentence("the recording is larger than {size} MB", size=AUDIO_LIMIT // 1024**2), "speak in parts"
    )


async def read_body(request: Request, limit: int, *, takes_speech: bool) -> bytes:
    """The body of a ChatKit request, which only a recording may make larger than the limit.

    Whether it is one is told by its beginning, before the rest is kept. Raises `Problem`.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit and not (takes_speech and OPERATION in body[:BEGINNING] and len(body) <= BODY_LIMIT):
            raise Problem("too_big", "the request is too large", "send less at a time")
    return bytes(body)

"""Dictation: what is taken as a recording, what comes back, and what becomes of a provider that misbehaves."""

import asyncio
import base64
import email.parser
import email.policy
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from email.message import EmailMessage

import pytest
from chatkit.types import InputTranscribeParams
from openai import AsyncOpenAI
from starlette.requests import Request
from starlette.types import Message

from gateway.dictation import AUDIO_LIMIT, BODY_LIMIT, Dictation, checked_audio, read_body
from shared.errors import Problem
from tests.living import Databases, Living

pytestmark = pytest.mark.anyio

SPEECH = b"\x1aE\xdf\xa3 what ada said"
Reply = Callable[[asyncio.StreamWriter], Awaitable[None]]


def params(audio: bytes = SPEECH, mime_type: str = "audio/webm;codecs=opus") -> InputTranscribeParams:
    return InputTranscribeParams(audio_base64=base64.b64encode(audio).decode(), mime_type=mime_type)


def encoded(text: str) -> InputTranscribeParams:
    return InputTranscribeParams(audio_base64=text, mime_type="audio/webm")


def answer(body: bytes, status: str = "200 OK", kind: str = "application/json", length: int | None = None) -> Reply:
    """A reply; a length that is too great means that the connection breaks before its end."""

    async def reply(writer: asyncio.StreamWriter) -> None:
        announced = len(body) if length is None else length
        head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {announced}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()

    return reply


async def silence(writer: asyncio.StreamWriter) -> None:
    await writer.wait_closed()


class Provider:
    """A transcription server on this machine."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self.heard: list[tuple[str, EmailMessage]] = []
        self._answering: set[asyncio.Task[None]] = set()

    def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._answering.add(asyncio.create_task(self._answer(reader, writer)))

    async def end(self) -> None:
        """Answer no longer."""
        for task in self._answering:
            task.cancel()
        await asyncio.gather(*self._answering, return_exceptions=True)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            line, _, headers = head.partition(b"\r\n")
            parser = email.parser.BytesParser(policy=email.policy.HTTP)
            length = int(parser.parsebytes(headers)["content-length"])
            form = parser.parsebytes(headers + await reader.readexactly(length))
            assert isinstance(form, EmailMessage)
            self.heard.append((line.decode(), form))
            await self._reply(writer)
        finally:
            writer.close()


@asynccontextmanager
async def dictation(provider: Provider, model: str = "whisper", limit_s: float = 10) -> AsyncGenerator[Dictation]:
    server = await asyncio.start_server(provider, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, AsyncOpenAI(api_key="a key", base_url=f"http://127.0.0.1:{port}/v1") as client:
        try:
            yield Dictation(client, model, limit_s=limit_s)
        finally:
            await provider.end()


async def test_speech_becomes_text() -> None:
    provider = Provider(answer(json.dumps({"text": " Buy milk 🥛 \n"}).encode()))
    async with dictation(provider) as ours:
        assert ours.is_on
        assert (await ours.transcribe(params())).text == "Buy milk 🥛"
    [(line, form)] = provider.heard
    assert line.startswith("POST /v1/audio/transcriptions ")
    parts = {part.get_param("name", header="content-disposition"): part for part in form.iter_parts()}
    assert parts["model"].get_payload(decode=True) == b"whisper"
    assert parts["file"].get_filename() == "speech.webm"
    assert parts["file"].get_content_type() == "audio/webm"
    assert parts["file"].get_payload(decode=True) == SPEECH


MISBEHAVING: dict[str, Reply] = {
    "refuses": answer(b'{"error": {"message": "key sk-12345 is wrong"}}', "401 Unauthorized"),
    "is limited": answer(b"{}", "429 Too Many Requests"),
    "breaks": answer(b"<html>broken</html>", "500 Internal Server Error", "text/html"),
    "is away": answer(b"", "503 Service Unavailable"),
    "sends no JSON": answer(b"{not json"),
    "sends a page": answer(b"<html>welcome</html>", kind="text/html"),
    "sends no text": answer(b"{}"),
    "sends a number": answer(b'{"text": 12}'),
    "sends nothing": answer(b"null"),
    "is cut": answer(b'{"text": "Buy', length=1_000),
    "hangs up": answer(b"", length=1_000),
    "is silent": silence,
}


@pytest.mark.parametrize("reply", MISBEHAVING.values(), ids=MISBEHAVING)
async def test_a_provider_that_misbehaves_is_unavailable(reply: Reply, caplog: pytest.LogCaptureFixture) -> None:
    provider = Provider(reply)
    async with dictation(provider, limit_s=10 if reply is not silence else 0.05) as ours:
        with pytest.raises(Problem) as refused:
            await ours.transcribe(params())
    assert refused.value.code == "unavailable"
    assert len(provider.heard) == 1
    assert "sk-12345" not in f"{caplog.text}{refused.value}"
    assert "ada said" not in caplog.text


async def test_without_a_provider_at_that_address_it_is_unavailable() -> None:
    async with AsyncOpenAI(api_key="a key", base_url="http://127.0.0.1:1/v1") as client:
        with pytest.raises(Problem) as refused:
            await Dictation(client, "whisper").transcribe(params())
    assert refused.value.code == "unavailable"


async def test_without_a_model_it_is_off_before_anything_is_looked_at() -> None:
    provider = Provider(answer(b'{"text": "Buy milk"}'))
    async with dictation(provider, model="") as ours:
        assert not ours.is_on
        with pytest.raises(Problem) as refused:
            await ours.transcribe(InputTranscribeParams(audio_base64="no base64", mime_type="text/html"))
    assert refused.value.status == 501
    assert provider.heard == []


async def test_an_endless_text_is_cut() -> None:
    async with dictation(Provider(answer(json.dumps({"text": "x" * 100_000}).encode()))) as ours:
        assert len((await ours.transcribe(params())).text) == 16_000


@pytest.mark.parametrize("mime_type", ["audio/webm", "AUDIO/WEBM; codecs=opus", "audio/ogg", "audio/mp4"])
def test_what_browsers_record_is_taken(mime_type: str) -> None:
    audio = checked_audio(params(mime_type=mime_type))
    assert audio.data == SPEECH
    assert audio.mime_type == mime_type.lower().partition(";")[0]


REFUSED: dict[str, tuple[InputTranscribeParams, int]] = {
    "another sound": (params(mime_type="audio/wav"), 415),
    "a film": (params(mime_type="video/mp4"), 415),
    "no type": (params(mime_type=""), 415),
    "a type of two lines": (params(mime_type="audio/webm\r\nX: y"), 415),
    "nothing": (params(b""), 400),
    "no padding": (encoded("GkXfo"), 400),
    "too much padding": (encoded("GkXf="), 400),
    "a line feed": (encoded("GkXf\n"), 400),
    "an address": (encoded("data:audio/webm;base64,GkXf"), 400),
    "another alphabet": (encoded("Gk-_"), 400),
    "a letter outside of ASCII": (encoded("Gkö="), 400),
    "one byte too many": (params(bytes(AUDIO_LIMIT + 1)), 413),
    "some bytes too many": (params(bytes(AUDIO_LIMIT + 10)), 413),
}


@pytest.mark.parametrize(("sent", "status"), REFUSED.values(), ids=REFUSED)
def test_anything_else_is_refused(sent: InputTranscribeParams, status: int) -> None:
    with pytest.raises(Problem) as refused:
        checked_audio(sent)
    assert refused.value.status == status


def test_the_largest_recording_is_taken() -> None:
    assert len(checked_audio(params(bytes(AUDIO_LIMIT))).data) == AUDIO_LIMIT


def sending(chunks: Sequence[bytes]) -> tuple[Request, list[bytes]]:
    """A request of these pieces, and those that nobody has asked for yet."""
    left = list(chunks)

    async def receive() -> Message:
        return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

    return Request({"type": "http", "method": "POST", "headers": []}, receive), left


BEGINNING = b'{"type": "input.transcribe", "params": {"audio_base64": "'
LIMIT = 2_000


async def test_only_a_recording_may_be_larger_than_the_limit() -> None:
    large = [BEGINNING, *[b"A" * 1_000] * 50]
    assert await read_body(sending(large)[0], LIMIT, takes_speech=True) == b"".join(large)
    for chunks, takes_speech in (
        (large, False),
        ([b'{"type": "threads.create", "params": "', *large[1:]], True),
        ([b" " * 1_500, *large], True),
    ):
        request, left = sending(chunks)
        with pytest.raises(Problem) as refused:
            await read_body(request, LIMIT, takes_speech=takes_speech)
        assert refused.value.status == 413
        assert len(left) > 40


async def test_a_recording_has_a_limit_too() -> None:
    request, left = sending([BEGINNING, *[b"A" * 1024**2] * 50])
    with pytest.raises(Problem) as refused:
        await read_body(request, LIMIT, takes_speech=True)
    assert refused.value.status == 413
    assert len(left) == 50 - BODY_LIMIT // 1024**2


async def test_what_is_small_is_read_whatever_it_is() -> None:
    for takes_speech in (True, False):
        assert await read_body(sending([b"{", b"}"])[0], LIMIT, takes_speech=takes_speech) == b"{}"


async def test_over_http_a_recording_becomes_text_for_its_person_only(databases: Databases) -> None:
    provider = Provider(answer(b'{"text": "Buy milk"}'))
    server = await asyncio.start_server(provider, "127.0.0.1", 0)
    living = Living(databases, start_mcp=False)
    living.speech_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    async with server, living, living.chat("ada") as ada, living.chat("bob", token="no token") as bob:
        assert (await bob.post("input.transcribe", **params().model_dump())).status_code == 401
        assert provider.heard == []
        assert await ada.reply("input.transcribe", **params().model_dump()) == {"text": "Buy milk"}
        assert (await ada.post("input.transcribe", **params(mime_type="text/html").model_dump())).status_code == 415
        assert (await ada.post("input.transcribe", audio_base64="GkXfo", mime_type="audio/webm")).status_code == 400
        large = params(bytes(1024**2)).model_dump()
        assert await ada.reply("input.transcribe", **large) == {"text": "Buy milk"}
        too_large = await ada.post("threads.get_by_id", thread_id="x" * 300_000)
        assert too_large.status_code == 413


async def test_over_http_dictation_is_off_unless_a_model_is_configured(living: Living) -> None:
    async with living.chat("ada") as ada:
        refused = await ada.post("input.transcribe", **params().model_dump())
        assert refused.status_code == 501
        assert refused.json()["code"] == "disabled"
        assert (await ada.post("input.transcribe", **params(bytes(1024**2)).model_dump())).status_code == 413

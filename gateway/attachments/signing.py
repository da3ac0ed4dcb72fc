"""AWS Signature Version 4: how a request to S3 proves who sends it. Nothing here knows HTTP clients or attachments."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final
from urllib.parse import quote

ALGORITHM: Final = "AWS4-HMAC-SHA256"
EMPTY: Final = sha256(b"").hexdigest()


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who sends requests, for which region of which service."""

    key_id: str
    secret: str = field(repr=False)
    region: str
    service: str = "s3"

    def signed(
        self, method: str, host: str, path: str, headers: Mapping[str, str], digest: str, now: datetime
    ) -> dict[str, str]:
        """The headers to send: those given, and the three that prove them. `digest` is the SHA-256 of the body.

        The path is the one on the wire, without a query.
        """
        at = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
        sent = {name.lower(): value.strip() for name, value in headers.items()}
        sent |= {"host": host, "x-amz-date": at}
        if self.service == "s3":
            sent["x-amz-content-sha256"] = digest
        names = ";".join(sorted(sent))
        listed = "".join(f"{name}:{sent[name]}\n" for name in sorted(sent))
        canonical = "\n".join((method, path, "", listed, names, digest))
        scope = f"{at[:8]}/{self.region}/{self.service}/aws4_request"
        to_sign = "\n".join((ALGORITHM, at, scope, sha256(canonical.encode()).hexdigest()))
        signature = hmac.new(self._key(at[:8]), to_sign.encode(), sha256).hexdigest()
        proof = f"{ALGORITHM} Credential={self.key_id}/{scope}, SignedHeaders={names}, Signature={signature}"
        return {**sent, "authorization": proof}

    def _key(self, day: str) -> bytes:
        key = f"AWS4{self.secret}".encode()
        for part in (day, self.region, self.service, "aws4_request"):
            key = hmac.new(key, part.encode(), sha256).digest()
        return key


def wire_path(*parts: str) -> str:
    """A path as it stands on the wire: S3 counts every character that is not quoted exactly so as another one."""
    return "/" + "/".join(quote(part, safe="/-_.~") for part in parts)

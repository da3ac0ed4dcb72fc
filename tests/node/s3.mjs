// Storage that speaks the protocol of S3, made by others. It knows only signatures that are no longer in use, so whether a
// request is signed as it should be is asked of AWS' own signer. It says where it listens.
import { Sha256 } from "@aws-crypto/sha256-js";
import { SignatureV4 } from "@smithy/signature-v4";
import { createHash } from "node:crypto";
import { mkdtemp } from "node:fs/promises";
import { createServer } from "node:http";
import { Readable } from "node:stream";
import S3rver from "s3rver";

const ID = "S3RVER"; // the one account that the storage knows
const signer = new SignatureV4({
  credentials: { accessKeyId: ID, secretAccessKey: ID },
  region: "us-east-1",
  service: "s3",
  sha256: Sha256,
  uriEscapePath: false,
});
const storage = new S3rver({
  silent: true,
  directory: await mkdtemp("storage-"),
  configureBuckets: [{ name: "files" }],
});
await storage.configureBuckets();
const answer = storage.callback();

/** Whether AWS would have signed this request in the same way. */
async function isSigned({ method, url, headers }, body) {
  const { authorization = "", "x-amz-date": at = "" } = headers;
  const names = authorization.match(/SignedHeaders=([^,]*)/)?.[1].split(";") ?? [];
  const needed = ["host", "x-amz-date", "x-amz-content-sha256"].every((name) => names.includes(name));
  if (!needed || headers["x-amz-content-sha256"] !== createHash("sha256").update(body).digest("hex")) return false;
  const signed = await signer.sign(
    {
      method,
      protocol: "http:",
      hostname: headers.host,
      path: url,
      query: {},
      headers: Object.fromEntries(names.map((name) => [name, headers[name]])),
    },
    { signingDate: new Date(at.replace(/(....)(..)(..T..)(..)(..Z)/, "$1-$2-$3:$4:$5")) },
  );
  return signed.headers.authorization === authorization;
}

const server = createServer(async (request, response) => {
  const body = Buffer.concat(await request.toArray());
  if (!(await isSigned(request, body))) {
    response.writeHead(403).end("<Error><Code>SignatureDoesNotMatch</Code></Error>");
    return;
  }
  // The storage reads the body once more.
  const again = Object.assign(Readable.from([body]), {
    method: request.method,
    url: request.url,
    headers: request.headers,
    socket: request.socket,
    httpVersion: request.httpVersion,
  });
  answer(again, response);
});
server.listen(0, "127.0.0.1", () => console.log(JSON.stringify(server.address())));

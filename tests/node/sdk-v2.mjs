// The second TypeScript SDK as a host that signs a person in, in either era.
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";

import { Wallet, answerOf, obey } from "./host.mjs";

const [address, era, asks] = process.argv.slice(2);
const mode = era === "legacy" || era === "auto" ? era : { pin: era };
const wallet = new Wallet();

obey(
  wallet,
  () => {
    const transport = new StreamableHTTPClientTransport(new URL(address), { authProvider: wallet });
    const capabilities = asks ? { elicitation: { form: {} } } : {};
    const options = { capabilities, versionNegotiation: { mode } };
    const client = new Client({ name: "the second TypeScript SDK", version: "1" }, options);
    if (asks) client.setRequestHandler("elicitation/create", answerOf);
    const call = (request, options) => client.callTool(request, options);
    return { transport, client, call, connected: client.connect(transport) };
  },
  (transport, callback) => transport.finishAuth(callback),
);

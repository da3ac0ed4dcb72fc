// The second TypeScript SDK as a host that signs a person in, in either era.
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";

import { Wallet, obey } from "./host.mjs";

const [address, era] = process.argv.slice(2);
const mode = era === "legacy" || era === "auto" ? era : { pin: era };
const wallet = new Wallet();

obey(
  wallet,
  () => {
    const transport = new StreamableHTTPClientTransport(new URL(address), { authProvider: wallet });
    const client = new Client({ name: "the second TypeScript SDK", version: "1" }, { versionNegotiation: { mode } });
    const call = (request, options) => client.callTool(request, options);
    return { transport, client, call, connected: client.connect(transport) };
  },
  (transport, callback) => transport.finishAuth(callback),
);

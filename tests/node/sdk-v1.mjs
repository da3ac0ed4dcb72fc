// The first TypeScript SDK as a host that signs a person in. It knows the legacy era only.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

import { Wallet, obey } from "./host.mjs";

const [address] = process.argv.slice(2);

class CarefulWallet extends Wallet {
  lacksScope = false;
  #tokens = this.tokens;

  // For more scopes this SDK tries its refresh token first, gets the same ones again and gives up.
  tokens = () => {
    const { refresh_token, ...others } = this.#tokens() ?? {};
    if (!others.access_token) return undefined;
    return this.lacksScope ? others : { ...others, refresh_token };
  };
}

const wallet = new CarefulWallet();

async function watching(...request) {
  const response = await fetch(...request);
  if (response.status === 403) wallet.lacksScope = true;
  return response;
}

obey(
  wallet,
  () => {
    const transport = new StreamableHTTPClientTransport(new URL(address), { authProvider: wallet, fetch: watching });
    const client = new Client({ name: "the first TypeScript SDK", version: "1" });
    const call = (request, options) => client.callTool(request, undefined, options);
    return { transport, client, call, connected: client.connect(transport) };
  },
  async (transport, callback) => {
    if (callback.has("error")) throw new Error(callback.get("error"));
    await transport.finishAuth(callback.get("code"));
    wallet.lacksScope = false;
  },
);

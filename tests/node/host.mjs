// What an MCP SDK wants of its host: a place for its tokens and a person with a browser. Here a test is the person: it
// says in lines of JSON what to do, and hears in the same way what came of it and where the browser is sent.
import { randomUUID } from "node:crypto";
import { createInterface } from "node:readline";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const say = (value) => console.log(JSON.stringify(value));
const hear = async () => {
  const { done, value } = await lines.next();
  return done ? null : JSON.parse(value);
};

const REDIRECT = "http://127.0.0.1:1/callback";

const textOf = (blocks) => blocks.map(({ text }) => text).join("\n");

/** What the person says to a question of the server, as the client hands it on. */
export async function answerOf({ params }) {
  say({ question: params.message });
  return hear();
}

/** The `OAuthClientProvider` of both SDKs. */
export class Wallet {
  redirectUrl = REDIRECT;
  clientMetadata = {
    client_name: "a client in JavaScript",
    // Only the second SDK says so by itself, and some issuers take whoever does not for a web site.
    application_type: "native",
    redirect_uris: [REDIRECT],
    grant_types: ["authorization_code", "refresh_token"],
    response_types: ["code"],
    token_endpoint_auth_method: "none",
  };
  #kept = {};

  clientInformation = () => this.#kept.client;
  saveClientInformation = (client) => { this.#kept.client = client; };
  tokens = () => this.#kept.tokens;
  saveTokens = (tokens) => { this.#kept.tokens = tokens; };
  codeVerifier = () => this.#kept.verifier;
  saveCodeVerifier = (verifier) => { this.#kept.verifier = verifier; };
  discoveryState = () => this.#kept.discovery;
  saveDiscoveryState = (discovery) => { this.#kept.discovery = discovery; };
  state = () => (this.#kept.state = randomUUID());

  async redirectToAuthorization(address) {
    say({ authorize: address.href });
    this.#kept.callback = new URL((await hear()).callback).searchParams;
    if (this.#kept.callback.get("state") !== this.#kept.state) throw new Error("an answer to another question");
  }

  /** What the person's browser brought back since the last time, if it did. */
  takeCallback() {
    const { callback } = this.#kept;
    delete this.#kept.callback;
    return callback;
  }

  /** As if the access token had expired. */
  spoilAccessToken() {
    this.#kept.tokens.access_token = "expired";
  }
}

/** Do what the test says, with the connections that `connect` makes and the sign-ins that `finish` completes. */
export async function obey(wallet, connect, finish) {
  let connection;
  let changed;
  const signedIn = async (work) => {
    for (;;) {
      try {
        connection ??= connect();
        await connection.connected;
        return await work(connection);
      } catch (error) {
        const callback = wallet.takeCallback();
        if (!callback) throw error;
        const { transport } = connection;
        connection = undefined;
        await finish(transport, callback);
        await transport.close();
      }
    }
  };
  const deeds = {
    async list() {
      const { tools } = await signedIn(({ client }) => client.listTools());
      return { tools: tools.map(({ name }) => name) };
    },
    async call({ name, arguments: given }) {
      const progress = [];
      const onprogress = (report) => progress.push(report.progress);
      const { content, isError, structuredContent } = await signedIn(({ call }) =>
        call({ name, arguments: given }, { onprogress }));
      return { text: textOf(content), isError: Boolean(isError), progress, values: structuredContent ?? {} };
    },
    // The call ends with its first report.
    async leave({ name, arguments: given }) {
      const leaving = new AbortController();
      const options = { onprogress: () => leaving.abort(), signal: leaving.signal };
      const outcome = await signedIn(({ call }) => call({ name, arguments: given }, options)).catch((error) => error);
      if (!leaving.signal.aborted) throw outcome;
      return {};
    },
    async resources() {
      const { resources } = await signedIn(({ client }) => client.listResources());
      return { found: resources.map(({ uri }) => uri) };
    },
    async read({ uri }) {
      const { contents } = await signedIn(({ client }) => client.readResource({ uri }));
      return { text: textOf(contents) };
    },
    async prompts() {
      const { prompts } = await signedIn(({ client }) => client.listPrompts());
      return { found: prompts.map(({ name }) => name) };
    },
    async prompt({ name, arguments: given }) {
      const { messages } = await signedIn(({ client }) => client.getPrompt({ name, arguments: given }));
      return { text: textOf(messages.map(({ content }) => content)) };
    },
    async complete({ prompt, argument }) {
      const ref = { type: "ref/prompt", name: prompt };
      const { completion } = await signedIn(({ client }) => client.complete({ ref, argument }));
      return { found: completion.values };
    },
    async listen({ uris }) {
      await signedIn(({ client }) => {
        changed = new Promise((resolve) => {
          client.setNotificationHandler("notifications/resources/updated", ({ params }) => resolve(params.uri));
        });
        return client.listen({ resourceSubscriptions: uris });
      });
      return {};
    },
    async hear() {
      return { uri: await changed };
    },
    spoil() {
      wallet.spoilAccessToken();
      return {};
    },
  };
  for (let request = await hear(); request; request = await hear()) {
    try {
      say(await deeds[request.do](request));
    } catch (error) {
      say({ refused: error.code ?? 0, message: error.message });
    }
  }
  await connection?.client.close();
}

/* Owns the conversation with the host: JSON-RPC with the window around this one, and with no other. */

const PROTOCOL = "2026-01-26";
const PATIENCE_MS = 120_000; // a host may ask the person before it passes a call on

/** `hear` is called with every notification of the host. */
function hostAround(hear) {
  const waiting = new Map();
  let last = 0;
  // Whose page this is shown in cannot be known; what is sent is what the person does here.
  const send = (message) => parent.postMessage({ jsonrpc: "2.0", ...message }, "*");

  function request(method, params, patience = PATIENCE_MS) {
    const id = ++last;
    return new Promise((resolve, reject) => {
      const timer = patience && setTimeout(() => settle(id, "The client did not answer. Try again."), patience);
      waiting.set(id, { resolve, reject, timer });
      send({ id, method, params });
    });
  }

  function settle(id, failure, result) {
    const one = waiting.get(id);
    if (!one) return;
    waiting.delete(id);
    clearTimeout(one.timer);
    if (failure) one.reject(new Error(failure));
    else one.resolve(result);
  }

  function answer({ id, method }) {
    if (method === "ping" || method === "ui/resource-teardown") send({ id, result: {} });
    else send({ id, error: { code: -32601, message: "Method not found" } });
  }

  addEventListener("message", ({ source, data }) => {
    if (source !== parent || data?.jsonrpc !== "2.0") return;
    if (data.method === undefined) settle(data.id, data.error && (data.error.message || "The client refused."), data.result);
    else if (data.id === undefined) hear(data.method, data.params ?? {});
    else answer(data);
  });

  return {
    /** What the host can do and how it looks. Waits without end: there is nothing else to do. */
    async greet() {
      const hello = await request("ui/initialize", {
        protocolVersion: PROTOCOL,
        appInfo: { name: "taskgate-tasks", version: "1" },
        appCapabilities: { availableDisplayModes: ["inline", "fullscreen"] },
      }, 0);
      send({ method: "ui/notifications/initialized", params: {} });
      return hello;
    },

    /** What a tool answered; an error of the tool is a sentence like any other answer, one of the host is thrown. */
    async call(name, given) {
      return answerOf(await request("tools/call", { name, arguments: given }));
    },

    /** Let the model know. A host may refuse, and nothing depends on it. */
    tell(text) {
      request("ui/update-model-context", { content: [{ type: "text", text }] }).catch(() => {});
    },

    resized(height) {
      send({ method: "ui/notifications/size-changed", params: { height } });
    },
  };
}

function answerOf(result) {
  const blocks = (result?.content ?? []).filter(({ type }) => type === "text");
  return {
    failed: Boolean(result?.isError),
    text: blocks.map(({ text }) => text).join("\n"),
    values: result?.structuredContent,
  };
}

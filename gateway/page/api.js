// Owns the requests to the gateway and the reading of its event stream; knows nothing of what is on screen.

const SILENCE_MS = 45_000; // the server sends a comment every 15 s: three missed ones mean nobody is there
const REPLY_MS = 30_000;
const PAGE_ITEMS = 100;

/** The gateway answered and said no. `message` and `hint` are empty when the answer was not ours (a proxy's, say). */
export class Refused extends Error {
  constructor(status, body, retryAfterS) {
    const text = (value) => (typeof value === "string" ? value : "");
    super(text(body?.message));
    this.status = status;
    this.code = text(body?.code);
    this.hint = text(body?.hint);
    this.requestId = text(body?.request_id);
    this.login = text(body?.login);
    this.retryAfterS = retryAfterS;
  }
}

/** No answer, or one that broke off: nobody knows what the server did. */
export class Lost extends Error {}

export const signIn = (token) => call("/auth/session", { headers: { Authorization: `Bearer ${token}` } });
export const signOut = () => call("/auth/logout").then(json);
export const whoAmI = () => call("/auth/me", { method: "GET" }).then(json);
export const listThreads = (after) => chat("threads.list", { limit: 30, order: "desc", ...(after && { after }) });

/** Presses a control of a card without an answer of the model; brings the card as it is now. */
export const press = (params) => chat("threads.sync_custom_action", params);
export const preview = (ref) => call(`/api/entities/${encodeURIComponent(ref)}`, { method: "GET" }).then(json);
export const beingAnswered = (threadId) =>
  call(`/api/turn?thread_id=${encodeURIComponent(threadId)}`, { method: "GET" }).then(json);
export const stopAnswer = (threadId) => call("/api/stop", { body: { thread_id: threadId } }).then(json);

/** A conversation with all its visible items, oldest first. */
export async function loadThread(threadId) {
  const { items: page, ...thread } = await chat("threads.get_by_id", { thread_id: threadId });
  const items = [...page.data];
  for (let next = page; next.has_more && next.after; ) {
    next = await chat("items.list", { thread_id: threadId, limit: PAGE_ITEMS, order: "asc", after: next.after });
    items.push(...next.data);
  }
  return { thread, items };
}

/** Yields the events of one streamed request. A thread that is busy is asked once more, after the time it names. */
export async function* stream(request, signal) {
  const open = () => within(SILENCE_MS, call("/chatkit", { body: request, signal }));
  const response = await open().catch(async (error) => {
    if (error.status !== 409 || !error.retryAfterS) throw error;
    await pause(error.retryAfterS * 1000, signal);
    return open();
  });
  if (!response.headers.get("Content-Type")?.startsWith("text/event-stream")) throw new Lost();
  yield* events(texts(response.body));
}

/** Turns pieces of text, cut anywhere, into events. What follows the last blank line was not finished: dropped. */
export async function* events(pieces) {
  let rest = "";
  let data = [];
  for await (const piece of pieces) {
    const lines = (rest + piece).split("\n");
    rest = lines.pop();
    for (const ended of lines) {
      const line = ended.endsWith("\r") ? ended.slice(0, -1) : ended;
      if (line.startsWith("data:")) data.push(line.slice(line[5] === " " ? 6 : 5));
      if (line !== "" || data.length === 0) continue;
      const event = parse(data.join("\n"));
      data = [];
      if (typeof event?.type === "string") yield event;
    }
  }
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    throw new Lost();
  }
}

async function* texts(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (;;) {
      const { done, value } = await within(SILENCE_MS, reader.read().catch(lost));
      if (done) return;
      yield value;
    }
  } finally {
    reader.cancel().catch(() => {}); // a stream that broke by itself refuses to be cancelled
  }
}

const chat = (type, params) => call("/chatkit", { body: { type, params } }).then(json);
const json = (response) => response.json().catch(lost);

async function call(path, { method = "POST", body = {}, headers = {}, signal = AbortSignal.timeout(REPLY_MS) } = {}) {
  const posts = method === "POST";
  const response = await fetch(path, {
    method,
    signal,
    body: posts ? JSON.stringify(body) : undefined,
    cache: "no-store",
    credentials: "same-origin",
    redirect: "error",
    headers: { "X-Taskgate-Client": "page", ...(posts && { "Content-Type": "application/json" }), ...headers },
  }).catch(lost);
  if (response.ok) return response;
  const reason = await response.json().catch(() => null);
  throw new Refused(response.status, reason, Number(response.headers.get("Retry-After")) || 0);
}

function lost(error) {
  throw error.name === "AbortError" ? error : new Lost();
}

function within(ms, promise) {
  let timer;
  const silence = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Lost()), ms);
  });
  return Promise.race([promise, silence]).finally(() => clearTimeout(timer));
}

function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}

// The stream of events. An EventSource cannot bear a token, so that it is read by hand from a fetch.

const AGAIN_MS = 1000;
const AGAIN_MAX_MS = 5000;
const HUSH_MS = 5000;

/**
 * Calls `on.hello`, `on.shape`, `on.tick`, `on.lost`, `on.set`, `on.end` with what comes, `on.denied` where the token
 * is wrong, and `on.away` where nobody answers; then it tries again until the end has come.
 */
export class Stream {
  #token;
  #on;
  #viewer = null;
  #wants = [];
  #hasEnded = false;

  constructor(token, on) {
    this.#token = token;
    this.#on = on;
  }

  async run() {
    let wait = AGAIN_MS;
    while (!this.#hasEnded) {
      try {
        if (await this.#once()) wait = AGAIN_MS;
        else return;
      } catch (error) {
        if (this.#hasEnded) return;
        this.#on.away(String(error.message || error));
      }
      this.#viewer = null;
      if (this.#hasEnded) return;
      await new Promise((done) => setTimeout(done, wait));
      wait = Math.min(2 * wait, AGAIN_MAX_MS);
    }
  }

  /** What to show, from now on. */
  watch(outputs) {
    this.#wants = outputs;
    return this.#ask();
  }

  /** Does something to the run; fails with words that say why not. */
  async control(asked) {
    const answer = await this.#post("/api/control", asked);
    if (!answer.ok) {
      const said = await answer.json().catch(() => ({}));
      throw new Error([said.error, said.hint].filter(Boolean).join(" — ") || answer.statusText);
    }
  }

  #post(path, body) {
    const headers = { Authorization: `Bearer ${this.#token}`, "Content-Type": "application/json" };
    return fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
  }

  async #ask() {
    if (this.#viewer === null) return;
    // Where it is away, it is asked again once it is back.
    await this.#post(`/api/viewers/${this.#viewer}`, { outputs: this.#wants }).catch(() => {});
  }

  /** One connection, to its end. Says no where there is no use in another. */
  async #once() {
    const silence = new AbortController();
    let hush = setTimeout(() => silence.abort(), 2 * HUSH_MS);
    try {
      const headers = { Authorization: `Bearer ${this.#token}` };
      const answer = await fetch("/api/events", { headers, signal: silence.signal, cache: "no-store" });
      if (answer.status === 401) {
        this.#on.denied();
        return false;
      }
      if (!answer.ok) {
        const said = await answer.json().catch(() => ({}));
        throw new Error(said.error || answer.statusText);
      }
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let text = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) throw new Error("the connection was closed");
        clearTimeout(hush);
        hush = setTimeout(() => silence.abort(new Error("nothing is heard any more")), 2 * HUSH_MS);
        text += value;
        const end = text.lastIndexOf("\n\n");
        if (end < 0) continue;
        for (const event of text.slice(0, end).split("\n\n")) this.#take(event);
        text = text.slice(end + 2);
        if (this.#hasEnded) return true;
      }
    } finally {
      clearTimeout(hush);
    }
  }

  #take(event) {
    const cut = event.indexOf("\ndata: ");
    if (!event.startsWith("event: ") || cut < 0) return;
    const name = event.slice(7, cut);
    const data = JSON.parse(event.slice(cut + 7));
    if (name === "hello") {
      this.#viewer = data.viewer;
      this.#on.hello(data);
      this.#ask();
      return;
    }
    if (name === "end") this.#hasEnded = true;
    this.#on[name]?.(data);
  }
}

/**
 * Clicks on their way: each gets an id, and exactly one reply or error under it.
 *
 * Requests belong to the model, so that a click outlives the view it was made in. Nothing times
 * out: a kernel that trains may answer late, and the views say what a click waits for meanwhile.
 */

import {
  type Answer,
  decodeAnswer,
  encode,
  type JsonObject,
  type Unpacked,
  type Waits,
} from "./wire";

/** How long a click may go unanswered before it is shown as queued, in milliseconds. */
export const QUEUED_AFTER = 300;

export interface Pending {
  readonly id: number;
  readonly action: string;
  /** `sent`: nothing heard yet; `queued`: it waits; `working`: the kernel is at it. */
  state: "sent" | "queued" | "working";
  /** What the kernel says it waits for; null also while the kernel has not spoken. */
  waits: Waits;
  fraction: number | null;
  note: string;
}

export interface Reply {
  result: JsonObject[string];
  packed: Unpacked | null;
}

/** What the kernel, or the page in its stead, answered instead of a result. */
export class RequestError extends Error {
  override name = "RequestError";
}

/** The request was withdrawn, by the user or by a newer one. */
export class CancelledError extends Error {
  override name = "CancelledError";
}

interface Entry {
  pending: Pending;
  timer: ReturnType<typeof setTimeout>;
  resolve(reply: Reply): void;
  reject(error: Error): void;
}

export interface RequestsOptions {
  send(content: JsonObject): void;
  /** Called whenever `pending` has changed. */
  changed(): void;
  signal: AbortSignal;
}

export class Requests {
  readonly #entries = new Map<number, Entry>();
  readonly #options: RequestsOptions;
  // Two pages may share one kernel-side model, and both hear every answer.
  #next = Math.floor(Math.random() * 2 ** 31) * 2 ** 20;

  constructor(options: RequestsOptions) {
    this.#options = options;
    options.signal.addEventListener("abort", () => this.failAll(new CancelledError("closed")), {
      once: true,
    });
  }

  /** Requests without an answer yet, oldest first. */
  get pending(): readonly Pending[] {
    return [...this.#entries.values()].map((entry) => entry.pending);
  }

  /**
   * Asks the kernel for something.
   *
   * @returns the reply; rejects with RequestError (the kernel's sentence) or CancelledError
   */
  request(action: string, args: JsonObject = {}, signal?: AbortSignal): Promise<Reply> {
    const id = ++this.#next;
    return new Promise((resolve, reject) => {
      if (this.#options.signal.aborted || signal?.aborted) {
        reject(new CancelledError("closed"));
        return;
      }
      const pending: Pending = { id, action, state: "sent", waits: null, fraction: null, note: "" };
      const timer = setTimeout(() => {
        if (pending.state !== "sent") return;
        pending.state = "queued";
        this.#options.changed();
      }, QUEUED_AFTER);
      this.#entries.set(id, { pending, timer, resolve, reject });
      signal?.addEventListener("abort", () => this.cancel(id), { once: true });
      try {
        this.#options.send(encode.request(id, action, args));
      } catch (problem) {
        this.#take(id)?.reject(new RequestError(String((problem as Error).message ?? problem)));
      }
      this.#options.changed();
    });
  }

  /** Withdraws a request; the kernel is told, an answer that comes all the same is dropped. */
  cancel(id: number): void {
    const entry = this.#take(id);
    if (entry === undefined) return;
    entry.reject(new CancelledError("cancelled"));
    try {
      this.#options.send(encode.cancel(id));
    } catch {
      // The connection is gone, and the request with it.
    }
    this.#options.changed();
  }

  /** Takes in a custom message; false when it answers no request of this page. */
  handle(content: unknown, buffers: readonly unknown[] = []): boolean {
    const id = (content as { id?: unknown } | null)?.id;
    const entry = typeof id === "number" ? this.#entries.get(id) : undefined;
    if (entry === undefined) return false;
    let answer: Answer | null;
    try {
      answer = decodeAnswer(content, buffers);
    } catch (problem) {
      answer = { type: "error", id: entry.pending.id, error: (problem as Error).message };
    }
    if (answer === null) return false;
    this.#answer(entry, answer);
    this.#options.changed();
    return true;
  }

  /** Ends every open request, when no answer can come any more. */
  failAll(error: Error): void {
    const ids = [...this.#entries.keys()];
    for (const id of ids) this.#take(id)?.reject(error);
    if (ids.length > 0) this.#options.changed();
  }

  #answer({ pending, resolve, reject }: Entry, answer: Answer): void {
    switch (answer.type) {
      case "accepted":
        pending.waits = answer.waits;
        pending.state = answer.waits === null ? "working" : "queued";
        break;
      case "progress":
        pending.state = "working";
        pending.fraction = answer.fraction;
        pending.note = answer.note;
        break;
      case "reply":
        this.#take(answer.id);
        resolve({ result: answer.result, packed: answer.packed });
        break;
      case "error":
        this.#take(answer.id);
        reject(new RequestError(answer.error));
        break;
    }
  }

  #take(id: number): Entry | undefined {
    const entry = this.#entries.get(id);
    if (entry !== undefined) {
      clearTimeout(entry.timer);
      this.#entries.delete(id);
    }
    return entry;
  }
}

/** Requests of which only the newest matters: a new one withdraws the one before it. */
export class LatestRequest {
  readonly #requests: Requests;
  readonly #action: string;
  #current: AbortController | null = null;

  constructor(requests: Requests, action: string) {
    this.#requests = requests;
    this.#action = action;
  }

  send(args: JsonObject): Promise<Reply> {
    this.cancel();
    const controller = new AbortController();
    this.#current = controller;
    return this.#requests.request(this.#action, args, controller.signal).finally(() => {
      if (this.#current === controller) this.#current = null;
    });
  }

  cancel(): void {
    this.#current?.abort();
    this.#current = null;
  }
}

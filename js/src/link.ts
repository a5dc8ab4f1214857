/**
 * One model's end of the link to the kernel: traits in, requests out, and whether anybody is there.
 *
 * A link belongs to the model and serves all its views. Of the host it needs `get`, `on`, `off`,
 * `send` and the event `msg:custom`, which every anywidget host has.
 */

import { type Reply, RequestError, Requests } from "./requests";
import { encode, type JsonObject, type Unpacked, unpack } from "./wire";

type Listener = (...args: never[]) => void;

/** The part of anywidget's model that we use. */
export interface AnyModel {
  get(name: string): unknown;
  on(name: string, callback: Listener): void;
  off(name: string, callback: Listener): void;
  send(content: unknown, callbacks?: unknown, buffers?: ArrayBuffer[]): void;
}

/**
 * `unknown`: just opened; `live`: the kernel was heard; `silent`: it was asked and did not answer
 * (a saved notebook, a kernel started anew); `closed`: the widget was closed; `offline`: a page
 * that never had a kernel.
 */
export type Connection = "unknown" | "live" | "silent" | "closed" | "offline";

/** How long a kernel may stay silent after it was greeted, in milliseconds. */
export const SILENT_AFTER = 3000;

/** The trait by which the page without a kernel says what it is. */
export const OFFLINE_TRAIT = "_offline";

interface Slot {
  raw: unknown;
  seq: number;
  unpacked: Unpacked | null;
  stale: boolean;
}

export class Link {
  readonly requests: Requests;
  #connection: Connection;
  #fault: string | null = null;
  #silence: ReturnType<typeof setTimeout> | undefined;
  readonly #model: AnyModel;
  readonly #signal: AbortSignal;
  readonly #slots = new Map<string, Slot>();
  readonly #listeners = new Set<() => void>();

  /**
   * @param packed names of the traits that hold packed dictionaries
   * @param plain names of the others
   */
  constructor(
    model: AnyModel,
    packed: readonly string[],
    plain: readonly string[],
    signal: AbortSignal,
  ) {
    this.#model = model;
    this.#signal = signal;
    this.#connection = model.get(OFFLINE_TRAIT) === true ? "offline" : "unknown";
    this.requests = new Requests({
      send: (content: JsonObject) => model.send(content),
      changed: () => this.#notify(),
      signal,
    });
    for (const name of packed) {
      this.#accept(name);
      this.#on(`change:${name}`, () => {
        this.#accept(name);
        this.#heard();
      });
    }
    for (const name of plain) this.#on(`change:${name}`, () => this.#heard());
    this.#on("msg:custom", (content: unknown, buffers: unknown) => {
      this.requests.handle(content, Array.isArray(buffers) ? buffers : []);
      this.#heard();
    });
    this.#on("comm:close", () => this.#close());
    // The kernel went away or came back; which of the two, the host does not say.
    this.#on("comm_live_update", () => this.greet());
    signal.addEventListener("abort", () => clearTimeout(this.#silence), { once: true });
    this.greet();
  }

  get connection(): Connection {
    return this.#connection;
  }

  /** The last thing that could not be read, as a sentence. */
  get fault(): string | null {
    return this.#fault;
  }

  /** The newest picture of a trait; the same object until a newer one arrives. */
  packed(name: string): Unpacked | null {
    const slot = this.#slots.get(name);
    if (slot === undefined) return null;
    if (slot.stale) {
      slot.stale = false;
      try {
        slot.unpacked = unpack(slot.raw);
        this.#fault = null;
      } catch (problem) {
        this.#fault = `${name}: ${(problem as Error).message}.`;
      }
    }
    return slot.unpacked;
  }

  plain(name: string): unknown {
    return this.#model.get(name);
  }

  /** Calls `listener` after anything has changed, until `signal` aborts. */
  subscribe(listener: () => void, signal: AbortSignal): void {
    this.#listeners.add(listener);
    signal.addEventListener("abort", () => this.#listeners.delete(listener), { once: true });
  }

  /** Tells the kernel whether anybody can see a view; nothing is sent to what nobody sees. */
  reportView(view: string, visible: boolean, language: string): void {
    try {
      this.#model.send(encode.view(view, visible, language));
    } catch {
      // Without a kernel nobody needs to know.
    }
  }

  /** Sends a click; without a kernel it is answered here, with a plain sentence. */
  request(action: string, args: JsonObject = {}, signal?: AbortSignal): Promise<Reply> {
    if (this.#connection === "closed") return Promise.reject(new RequestError("closed"));
    return this.requests.request(action, args, signal);
  }

  /** Asks the kernel for a sign of life: any answer is one. */
  greet(): void {
    if (this.#connection === "offline" || this.#connection === "closed") return;
    clearTimeout(this.#silence);
    this.#connection = "unknown";
    this.#silence = setTimeout(() => {
      if (this.#connection !== "unknown") return;
      this.#connection = "silent";
      this.#notify();
    }, SILENT_AFTER);
    this.requests.request("hello").catch(() => undefined);
    this.#notify();
  }

  #on(name: string, callback: (...args: never[]) => void): void {
    this.#model.on(name, callback);
    this.#signal.addEventListener("abort", () => this.#model.off(name, callback), { once: true });
  }

  /** Keeps a trait's value unless it is older than what is shown. */
  #accept(name: string): void {
    const raw = this.#model.get(name);
    if (typeof raw !== "object" || raw === null || !Object.hasOwn(raw, "v")) return;
    const meta = (raw as { meta?: { seq?: unknown } }).meta;
    const seq = typeof meta?.seq === "number" ? meta.seq : 0;
    const slot = this.#slots.get(name);
    if (slot !== undefined && seq <= slot.seq) return;
    this.#slots.set(name, { raw, seq, unpacked: slot?.unpacked ?? null, stale: true });
  }

  #heard(): void {
    if (this.#connection === "unknown" || this.#connection === "silent") {
      clearTimeout(this.#silence);
      this.#connection = "live";
    }
    this.#notify();
  }

  #close(): void {
    clearTimeout(this.#silence);
    this.#connection = "closed";
    this.requests.failAll(new RequestError("closed"));
    this.#notify();
  }

  #notify(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}

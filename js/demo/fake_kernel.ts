/** A kernel in the page, as far as every widget needs one: traits, messages, answers. */

import type { AnyModel } from "../src/link";
import type { JsonObject } from "../src/wire";
import type { PackedDict } from "./pack";

type Callback = (...args: never[]) => void;

export interface KernelOptions {
  /** A kernel that answers nothing: clicks stay queued. */
  deaf?: boolean;
  /** Clicks wait for the end of the cell. */
  late?: boolean;
}

/** How long an answer takes, in milliseconds: it never comes at once from a real one. */
export const ANSWER_AFTER = 30;

export abstract class FakeKernel implements AnyModel {
  readonly sent: JsonObject[] = [];
  protected readonly options: KernelOptions;
  readonly #traits = new Map<string, unknown>();
  readonly #listeners = new Map<string, Set<Callback>>();
  #seq = 0;

  constructor(options: KernelOptions, traits: Readonly<Record<string, unknown>>) {
    this.options = options;
    for (const [name, value] of Object.entries(traits)) this.#traits.set(name, value);
  }

  // --- anywidget's model ---------------------------------------------------------------------

  get(name: string): unknown {
    return this.#traits.get(name);
  }

  on(name: string, callback: Callback): void {
    const known = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, known.add(callback));
  }

  off(name: string, callback: Callback): void {
    this.#listeners.get(name)?.delete(callback);
  }

  send(content: unknown): void {
    const message = content as JsonObject;
    this.sent.push(message);
    if (this.options.deaf) return;
    if (message.type === "request") this.#answer(message);
    if (message.type === "cancel") this.cancelled(Number(message.id));
  }

  /** How many listeners are left; 0 after everything has been closed. */
  get listenerCount(): number {
    return [...this.#listeners.values()].reduce((sum, set) => sum + set.size, 0);
  }

  set(name: string, value: unknown): void {
    this.#traits.set(name, value);
    this.emit(`change:${name}`);
  }

  emit(event: string, ...args: unknown[]): void {
    for (const callback of [...(this.#listeners.get(event) ?? [])]) {
      (callback as (...args: unknown[]) => void)(...args);
    }
  }

  // --- the kernel ----------------------------------------------------------------------------

  /** Brings every trait up to date. */
  abstract publish(): void;

  /**
   * Does what was asked for. A string is an error; `undefined` says that the answer comes later,
   * through `reply`.
   */
  protected abstract act(
    action: string,
    args: JsonObject,
    id: number,
  ): PackedDict | null | string | undefined;

  protected cancelled(_id: number): void {}

  protected nextSeq(): number {
    return ++this.#seq;
  }

  protected reply(id: number, packed: PackedDict | null): void {
    if (packed === null) {
      this.emit("msg:custom", { type: "reply", id, result: null, packed: null }, []);
      return;
    }
    const { data, ...rest } = packed;
    this.emit("msg:custom", { type: "reply", id, result: null, packed: rest }, [data]);
  }

  #answer(message: JsonObject): void {
    const { id, action } = message;
    setTimeout(() => {
      if (this.options.late && action !== "hello") {
        this.emit("msg:custom", { type: "accepted", id, waits: "cell" }, []);
        return;
      }
      const number = Number(id);
      const done = this.act(String(action), (message.args ?? {}) as JsonObject, number);
      if (typeof done === "string") {
        this.emit("msg:custom", { type: "error", id, error: done }, []);
      } else if (done !== undefined) this.reply(number, done);
      if (action !== "hello") this.publish();
    }, ANSWER_AFTER);
  }
}

/** Clicks of a view on their way to the kernel, and what has gone wrong with the last of them. */

import { Asked } from "./asked";
import type { Link } from "./link";
import { object } from "./read";
import { CancelledError, LatestRequest } from "./requests";
import { connected } from "./session";
import { fileOf, saveFile } from "./ui/save";
import { throttled } from "./ui/throttled";
import type { Json, JsonObject } from "./wire";

/** A choice that is dragged: shown at once, asked for now and then, and the last always. */
export class Dragged<T> {
  readonly #asked: Asked<T>;
  readonly #send: (value: T) => void;
  /** The answer that `Asked` waits for: the last of a drag. */
  #answer: ((taken: boolean) => void) | null = null;

  constructor(signal: AbortSignal, changed: () => void, act: (value: T) => Promise<boolean>) {
    this.#asked = new Asked<T>(signal, changed);
    this.#send = throttled(signal, (value) => {
      const answer = this.#answer;
      void act(value).then((taken) => answer?.(taken));
    });
  }

  ask = (value: T): void => {
    const answer = new Promise<boolean>((resolve) => {
      this.#answer = resolve;
    });
    this.#asked.ask(value, answer);
    this.#send(value);
  };

  shown(reported: T): T {
    return this.#asked.shown(reported);
  }
}

export class Clicks {
  /** What went wrong with a click, until it is dismissed or another one goes well. */
  problem: string | null = null;
  protected readonly link: Link;
  protected readonly signal: AbortSignal;
  protected readonly redraw: () => void;
  readonly #latest: ReadonlyMap<string, LatestRequest>;

  /** @param latest of these only the newest matters: it withdraws the one that still waits */
  constructor(link: Link, signal: AbortSignal, redraw: () => void, latest: readonly string[]) {
    this.link = link;
    this.signal = signal;
    this.redraw = redraw;
    this.#latest = new Map(
      latest.map((action) => [action, new LatestRequest(link.requests, action)]),
    );
  }

  /** Asks for something; false if the kernel did not do it. */
  async act(action: string, args: JsonObject = {}): Promise<boolean> {
    return (await this.ask(action, args)) !== null;
  }

  /** Asks for something; null if the kernel did not do it. */
  async ask(action: string, args: JsonObject = {}): Promise<{ result: Json } | null> {
    // The banner over a saved page says what it can do; each click need not say it again.
    if (this.link.connection === "offline" && !this.holds(action, args)) return null;
    try {
      const latest = this.#latest.get(action);
      const reply = await (latest !== undefined && connected(this.link.connection)
        ? latest.send(args)
        : this.link.request(action, args));
      this.problem = null;
      this.redraw();
      return reply;
    } catch (error) {
      this.#report(error);
      return null;
    }
  }

  /** Has the kernel write a file, and hands it to the person in front of the browser. */
  async save(format: string, how: JsonObject = {}): Promise<void> {
    try {
      const file = fileOf((await this.link.request("export", { format, ...how })).packed);
      saveFile(file.content, file.name);
    } catch (error) {
      this.#report(error);
    }
  }

  /**
   * Whether a click can do something: the kernel hears it, or the saved page holds what it shows.
   *
   * @param given what other plain traits will be by then
   */
  can = (action: string, args: JsonObject = {}, given: JsonObject = {}): boolean =>
    connected(this.link.connection) || this.holds(action, args, given);

  /** A saved page may hold more pictures than the one it was saved with: see `offline.ts`. */
  holds(action: string, args: JsonObject, given: JsonObject = {}): boolean {
    const held = object(this.link.plain("_held") as Json | undefined);
    const change = object(held.actions)[action];
    if (this.link.connection !== "offline" || !Array.isArray(change)) return false;
    const by = Array.isArray(held.by) ? held.by.map(String) : [];
    const [trait, argument] = change.map(String);
    const value = args[argument ?? ""] ?? null;
    const resets = object(held.resets)[action];
    const plain = (name: string) => (name in given ? given[name] : this.#plain(name)) ?? null;
    const keyOf = (leave: readonly Json[]) =>
      by
        .map((name) => (name === trait ? value : leave.includes(name) ? null : plain(name)))
        .map(String)
        .join("\n");
    const pages = object(held.pages);
    return [[], Array.isArray(resets) ? resets : []].some((leave) =>
      Object.hasOwn(pages, keyOf(leave)),
    );
  }

  #plain(name: string): unknown {
    return this.link.plain(name) ?? null;
  }

  #report(error: unknown): void {
    if (error instanceof CancelledError || this.signal.aborted) return;
    this.problem = error instanceof Error ? error.message : String(error);
    this.redraw();
  }
}

/** What is asked of the kernel, shown at once, and what comes of it. */

import { Asked } from "../asked";
import type { Link } from "../link";
import { object } from "../read";
import { CancelledError, LatestRequest } from "../requests";
import { connected } from "../session";
import { fileOf, saveFile } from "../ui/save";
import { throttled } from "../ui/throttled";
import type { Json, JsonObject } from "../wire";
import type { Compared, Live, Pane, Picture } from "./state";

/** Of these only the newest matters: a new one withdraws the one that still waits. */
const LATEST: readonly string[] = [
  "index",
  "target",
  "method",
  "layer",
  "baseline",
  "slot",
  "compare",
  "at",
];

/** One of two: what is compared, and with which. */
export interface Comparison {
  by: Compared | null;
  value: string | number | null;
}

export interface Reported {
  live: Live | null;
  picture: Picture | null;
}

/** What is chosen at the moment, whether or not the kernel has said so yet. */
export interface Choice {
  index: number;
  method: string;
  /** Null: the class that the model predicts. */
  target: number | null;
  layer: string;
  baseline: string;
  slot: number;
  compare: Comparison;
  cursor: number | null;
  /** The picture is not the one that was asked for. */
  loading: boolean;
}

const sameComparison = (a: Comparison, b: Comparison) =>
  a.by === b.by && String(a.value) === String(b.value);

/** What the second pane differs in. */
export function comparisonOf(picture: Picture | null): Comparison {
  const by = picture?.compare ?? null;
  const other: Pane | undefined = picture?.panes[1];
  return { by, value: by === null || other === undefined ? null : other[by] };
}

export class Asking {
  /** What went wrong with a click, until it is dismissed or another one goes well. */
  problem: string | null = null;
  readonly #link: Link;
  readonly #signal: AbortSignal;
  readonly #redraw: () => void;
  readonly #latest: ReadonlyMap<string, LatestRequest>;
  readonly #index: Asked<number>;
  readonly #method: Asked<string>;
  readonly #target: Asked<number | null>;
  readonly #layer: Asked<string>;
  readonly #baseline: Asked<string>;
  readonly #slot: Asked<number>;
  readonly #compare: Asked<Comparison>;
  readonly #cursor: Asked<number | null>;
  readonly #sendCursor: (step: number | null) => void;
  /** Of the cursor, the answer that `Asked` waits for: the last of a drag. */
  #cursorAnswer: ((taken: boolean) => void) | null = null;

  constructor(link: Link, signal: AbortSignal, redraw: () => void) {
    this.#link = link;
    this.#signal = signal;
    this.#redraw = redraw;
    this.#latest = new Map(
      LATEST.map((action) => [action, new LatestRequest(link.requests, action)]),
    );
    this.#index = new Asked(signal, redraw);
    this.#method = new Asked(signal, redraw);
    this.#target = new Asked<number | null>(signal, redraw);
    this.#layer = new Asked(signal, redraw);
    this.#baseline = new Asked(signal, redraw);
    this.#slot = new Asked(signal, redraw);
    this.#compare = new Asked<Comparison>(signal, redraw, sameComparison);
    this.#cursor = new Asked<number | null>(signal, redraw);
    this.#sendCursor = throttled(signal, (step) => {
      const answer = this.#cursorAnswer;
      void this.act("cursor", { step }).then((taken) => answer?.(taken));
    });
  }

  /** Asks for something; false if the kernel did not do it. */
  async act(action: string, args: JsonObject = {}): Promise<boolean> {
    return (await this.ask(action, args)) !== null;
  }

  /** Asks for something; null if the kernel did not do it. */
  async ask(action: string, args: JsonObject = {}): Promise<{ result: Json } | null> {
    // The banner over a saved page says what it can do; each click need not say it again.
    if (this.#link.connection === "offline" && !this.holds(action, args)) return null;
    try {
      const latest = this.#latest.get(action);
      const reply = await (latest !== undefined && connected(this.#link.connection)
        ? latest.send(args)
        : this.#link.request(action, args));
      this.problem = null;
      this.#redraw();
      return reply;
    } catch (error) {
      this.#report(error);
      return null;
    }
  }

  index = (index: number): void => this.#index.ask(index, this.act("index", { index }));
  method = (method: string): void => this.#method.ask(method, this.act("method", { method }));
  target = (target: number | null): void =>
    this.#target.ask(target, this.act("target", { target }));
  layer = (layer: string): void => this.#layer.ask(layer, this.act("layer", { layer }));
  baseline = (name: string): void =>
    this.#baseline.ask(name, this.act("baseline", { baseline: name }));
  slot = (slot: number): void => this.#slot.ask(slot, this.act("slot", { slot }));
  compare = (chosen: Comparison): void =>
    this.#compare.ask(chosen, this.act("compare", { by: chosen.by, value: chosen.value }));

  setCursor = (step: number | null): void => {
    this.#cursor.ask(
      step,
      new Promise((resolve) => {
        this.#cursorAnswer = resolve;
      }),
    );
    this.#sendCursor(step);
  };

  async save(format: string, dark: boolean): Promise<void> {
    try {
      const file = fileOf((await this.#link.request("export", { format, dark })).packed);
      saveFile(file.content, file.name);
    } catch (error) {
      this.#report(error);
    }
  }

  choice({ live, picture }: Reported): Choice {
    const pane = picture?.panes[0];
    const plain = <T>(name: string, kind: string, otherwise: T): T => {
      const value = this.#link.plain(name);
      return typeof value === kind && value !== "" ? (value as T) : otherwise;
    };
    const index = this.#index.shown(plain("index", "number", pane?.index ?? 0));
    const method = this.#method.shown(plain("method", "string", pane?.method ?? ""));
    const target = this.#target.shown(plain<number | null>("target", "number", null));
    const layer = this.#layer.shown(plain("layer", "string", pane?.layer ?? ""));
    const baseline = this.#baseline.shown(pane?.baseline ?? "");
    const slot = this.#slot.shown(pane?.slot ?? 0);
    const compare = this.#compare.shown(comparisonOf(picture));
    const other =
      pane === undefined ||
      pane.index !== index ||
      pane.method !== method ||
      pane.slot !== slot ||
      (pane.baseline ?? "") !== baseline ||
      (target !== null && pane.target !== target);
    return {
      index,
      method,
      target,
      layer,
      baseline,
      slot,
      compare,
      cursor: this.#cursor.shown(live?.cursor ?? null),
      loading: connected(this.#link.connection) && other && pane?.state !== "failed",
    };
  }

  /** Whether a click can do something: the kernel hears it, or the saved page holds what it shows. */
  can = (action: string, args: JsonObject = {}): boolean =>
    connected(this.#link.connection) || this.holds(action, args);

  /** A saved page may hold more pictures than the one it was saved with. */
  holds(action: string, args: JsonObject): boolean {
    const held = object(this.#link.plain("_held") as Json | undefined);
    const change = object(held.actions)[action];
    if (this.#link.connection !== "offline" || !Array.isArray(change)) return false;
    const by = Array.isArray(held.by) ? held.by.map(String) : [];
    const [trait, argument] = change.map(String);
    const value = args[argument ?? ""] ?? null;
    const resets = object(held.resets)[action];
    const keyOf = (leave: readonly Json[]) =>
      by
        .map((name) => (name === trait ? value : leave.includes(name) ? null : this.#plain(name)))
        .map(String)
        .join("\n");
    const pages = object(held.pages);
    return [[], Array.isArray(resets) ? resets : []].some((leave) =>
      Object.hasOwn(pages, keyOf(leave)),
    );
  }

  #plain(name: string): unknown {
    return this.#link.plain(name) ?? null;
  }

  #report(error: unknown): void {
    if (error instanceof CancelledError || this.#signal.aborted) return;
    this.problem = error instanceof Error ? error.message : String(error);
    this.#redraw();
  }
}

/**
 * What hands have done to the points and the kernel has not shown yet. It is drawn at once, and
 * forgotten when the points that arrive say the same, or when the kernel has had its time.
 */

import type { Place, Points, Rectangle } from "../state";

/** How long (ms) what was done is shown without the kernel's word. */
const PATIENCE = 1500;
/** Places this near (shares of the picture) are the same: they travel as float32. */
const NEAR = 1e-3;

interface Waiting {
  at: Place;
  until: number;
}

export class Edits {
  readonly #moved = new Map<number, Waiting>();
  readonly #gone = new Map<number, number>();
  #added: (Waiting & { y: number })[] = [];
  /** The point that is held; its local place counts, whatever arrives. */
  carried: number | null = null;

  constructor(readonly now: () => number = () => performance.now()) {}

  /** Points that have been put down and have not arrived. */
  get added(): readonly { at: Place; y: number }[] {
    return this.#added;
  }

  get waiting(): boolean {
    return this.#moved.size + this.#gone.size + this.#added.length > 0;
  }

  placeOf(id: number): Place | null {
    return this.#moved.get(id)?.at ?? null;
  }

  isGone(id: number): boolean {
    return this.#gone.has(id);
  }

  move(id: number, at: Place): void {
    this.#moved.set(id, { at, until: this.now() + PATIENCE });
  }

  add(at: Place, y: number): void {
    this.#added.push({ at, y, until: this.now() + PATIENCE });
  }

  remove(id: number): void {
    this.#gone.set(id, this.now() + PATIENCE);
  }

  /** Compares with the points as they are now, and forgets what they say, or never will. */
  settle({ id: ids, xy }: Pick<Points, "id" | "xy">, rectangle: Rectangle): void {
    if (!this.waiting) return;
    const now = this.now();
    const [left, right, bottom, top] = rectangle;
    const near = ([x, y]: Place, index: number): boolean =>
      Math.abs((xy[2 * index] as number) - x) <= NEAR * (right - left) &&
      Math.abs((xy[2 * index + 1] as number) - y) <= NEAR * (top - bottom);
    const seen = new Set<number>();
    ids.forEach((id, index) => {
      if (this.#gone.has(id)) seen.add(id);
      const moved = this.#moved.get(id);
      if (moved === undefined) return;
      seen.add(id);
      if (id !== this.carried && near(moved.at, index)) this.#moved.delete(id);
    });
    for (const [id, { until }] of this.#moved) {
      if (id !== this.carried && (now >= until || !seen.has(id))) this.#moved.delete(id);
    }
    for (const [id, until] of this.#gone) {
      if (now >= until || !seen.has(id)) this.#gone.delete(id);
    }
    this.#added = this.#added.filter(
      ({ at, until }) => now < until && !ids.some((_, index) => near(at, index)),
    );
  }
}

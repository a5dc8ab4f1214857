/** One point that is carried: shown at once where it is, told to the kernel 25 times a second. */

import type { Place } from "../state";
import type { Edits } from "./edits";

/** Least time (ms) between two messages of one drag. */
const PACE = 40;

export interface Carrier {
  /** The point that is carried; null for none. */
  readonly id: number | null;
  lift(id: number, from: Place): void;
  carry(to: Place): void;
  /** Leaves it where it is, which is told at once. */
  drop(): void;
  /** Brings it back to where it was. */
  back(): void;
}

export function carrier(
  edits: Edits,
  signal: AbortSignal,
  send: (id: number, at: Place, gesture: string) => void,
): Carrier {
  let origin: Place = [0, 0];
  let gesture = "";
  let timer: ReturnType<typeof setTimeout> | undefined;
  let waiting: Place | null = null;
  signal.addEventListener("abort", () => clearTimeout(timer), { once: true });

  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    if (waiting === null || edits.carried === null) return;
    const at = waiting;
    waiting = null;
    timer = setTimeout(flush, PACE);
    send(edits.carried, at, gesture);
  };
  const carry = (to: Place): void => {
    if (edits.carried === null) return;
    edits.move(edits.carried, to);
    waiting = to;
    if (timer === undefined) flush();
  };
  const drop = (): void => {
    flush();
    edits.carried = null;
  };
  return {
    get id() {
      return edits.carried;
    },
    lift(id, from) {
      drop();
      [edits.carried, origin] = [id, from];
      gesture = `drag-${Math.random().toString(36).slice(2, 10)}`;
    },
    carry,
    drop,
    back() {
      if (edits.carried !== null && edits.placeOf(edits.carried) !== null) carry(origin);
      drop();
    },
  };
}

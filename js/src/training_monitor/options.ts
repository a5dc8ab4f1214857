/** How one view shows the curves; kept by the view, changed by its controls. */

import type { XMode } from "../ui/chart_types";

export interface ViewOptions {
  smoothing: number;
  logY: boolean;
  xMode: XMode;
  /** Shown range in steps; null shows everything. */
  range: [number, number] | null;
  /** Series switched off, by name. */
  hidden: ReadonlySet<string>;
}

export const INITIAL: ViewOptions = {
  smoothing: 0.6,
  logY: false,
  xMode: "step",
  range: null,
  hidden: new Set(),
};

export function toggled(hidden: ReadonlySet<string>, name: string): ReadonlySet<string> {
  const next = new Set(hidden);
  if (!next.delete(name)) next.add(name);
  return next;
}

/** A range that can be drawn: ascending, finite, and not the whole run. */
export function usableRange(
  range: [number, number] | null,
  whole: [number, number] | null,
): [number, number] | null {
  if (range === null || !range.every(Number.isFinite)) return null;
  const [x0, x1] = range[0] <= range[1] ? range : [range[1], range[0]];
  if (x0 === x1) return null;
  return whole !== null && x0 <= whole[0] && x1 >= whole[1] ? null : [x0, x1];
}

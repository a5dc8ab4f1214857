/** How one view shows the curves; kept by the view, changed by its controls. */

import type { XMode } from "../ui/chart_types";
import type { JsonObject } from "../wire";

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

const X_MODES: readonly XMode[] = ["step", "epoch", "time"];

/** The options that a page has kept; whatever is none stands as it does at first. */
export function optionsFrom({ smoothing, logY, xMode, hidden }: JsonObject): ViewOptions {
  const weight = typeof smoothing === "number" && smoothing >= 0 && smoothing <= 0.99;
  const names = Array.isArray(hidden) ? hidden.filter((name) => typeof name === "string") : [];
  return {
    ...INITIAL,
    smoothing: weight ? smoothing : INITIAL.smoothing,
    logY: logY === true,
    xMode: X_MODES.find((mode) => mode === xMode) ?? INITIAL.xMode,
    hidden: new Set(names),
  };
}

/** What is not as at first, for a page to keep. A zoom is left out: the run goes on. */
export function chosen({ smoothing, logY, xMode, hidden }: ViewOptions): JsonObject {
  return {
    ...(smoothing === INITIAL.smoothing ? {} : { smoothing }),
    ...(logY ? { logY } : {}),
    ...(xMode === INITIAL.xMode ? {} : { xMode }),
    ...(hidden.size === 0 ? {} : { hidden: [...hidden] }),
  };
}

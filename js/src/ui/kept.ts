/**
 * What a page remembers of its views when it is loaded again.
 *
 * In the browser's session storage: it lives as long as the tab, is shared with no other tab, and
 * leaves notebook and kernel alone: how one person looks at a run is no business of the others.
 * Hosts that show widgets in a sandbox (VS Code, Colab) may refuse any storage. Then a view begins
 * as it always did; nothing here throws.
 */

import type { JsonObject } from "../wire";

const PREFIX = "nnwidgets:";

function storage(): Storage | null {
  try {
    return globalThis.sessionStorage ?? null;
  } catch {
    return null;
  }
}

/** What was kept under a widget's id; empty if nothing was, or if it cannot be read. */
export function recalled(id: unknown): JsonObject {
  if (typeof id !== "string" || id === "") return {};
  try {
    const value: unknown = JSON.parse(storage()?.getItem(PREFIX + id) ?? "{}");
    return typeof value === "object" && value !== null ? (value as JsonObject) : {};
  } catch {
    return {};
  }
}

/** Keeps `what` under a widget's id; an empty object takes up no room. */
export function keep(id: unknown, what: JsonObject): void {
  if (typeof id !== "string" || id === "") return;
  try {
    if (Object.keys(what).length === 0) storage()?.removeItem(PREFIX + id);
    else storage()?.setItem(PREFIX + id, JSON.stringify(what));
  } catch {
    // Full, or refused.
  }
}

/** What every widget knows of the session it belongs to, and how that is called. */

import type { Connection } from "./link";
import { number, object, strings, text } from "./read";
import type { JsonObject } from "./wire";

export type RunState = "idle" | "running" | "paused" | "stopped" | "finished";
export type Waiting = "step" | "cell";

export interface Session {
  state: RunState;
  stopping: boolean;
  step: number;
  route: { key: string; params: Record<string, string>; live: boolean };
  queued: { action: string; waits: Waiting } | null;
  /** The step that all widgets show; null while they follow the newest. */
  cursor: number | null;
  budget: number;
  error: string | null;
  status: string[];
  /** Fraction of wall time that watching has taken; NaN before it is known. */
  overhead: number;
}

const STATES: readonly string[] = ["idle", "running", "paused", "stopped", "finished"];

/** Reads what the `_live` traits of all widgets have in common. */
export function readSession(meta: JsonObject, overhead: number | undefined): Session {
  const route = object(meta.route);
  const queued = object(meta.queued);
  return {
    state: STATES.includes(text(meta.state)) ? (meta.state as RunState) : "idle",
    stopping: meta.stopping === true,
    step: number(meta.step) ?? 0,
    route: { key: text(route.key), params: strings(route.params), live: route.live === true },
    queued:
      text(queued.action) === ""
        ? null
        : { action: text(queued.action), waits: queued.waits === "cell" ? "cell" : "step" },
    cursor: number(meta.cursor),
    budget: number(meta.budget) ?? Number.NaN,
    error: text(meta.error) === "" ? null : text(meta.error),
    status: Array.isArray(meta.status) ? meta.status.map(String) : [],
    overhead: overhead ?? Number.NaN,
  };
}

/** How the run is called: the kernel's state, or what is known without a kernel. */
export type Condition = "waiting" | RunState | "stopping" | "saved" | "closed";

export function conditionOf(
  live: Pick<Session, "state" | "stopping"> | null,
  connection: Connection,
): Condition {
  const over = live?.state === "finished" || live?.state === "stopped";
  if (!over && connection === "closed") return "closed";
  if (!over && (connection === "silent" || connection === "offline")) return "saved";
  if (live === null) return "waiting";
  if (live.stopping && (live.state === "running" || live.state === "paused")) return "stopping";
  return live.state;
}

/** Can a click reach the kernel? */
export function connected(connection: Connection): boolean {
  return connection === "live" || connection === "unknown";
}

/** Position of the step nearest to `step`. */
export function nearestPosition(steps: Float64Array, step: number): number {
  let best = 0;
  steps.forEach((value, index) => {
    if (Math.abs(value - step) < Math.abs((steps[best] as number) - step)) best = index;
  });
  return best;
}

/** The line that says what runs, how it goes, what watching costs and how clicks arrive. */

import type { Connection } from "../link";
import { h, setAttribute, setText } from "../ui/dom";
import { formatDuration, formatInteger, formatPercent, formatRate } from "../ui/format";
import type { Words } from "../ui/i18n";
import { type IconName, icon, setIcon } from "../ui/icons";
import { tip } from "../ui/popup";
import type { Live } from "./state";

/** How the run is called: the kernel's state, or what is known without a kernel. */
export type Condition =
  | "waiting"
  | "idle"
  | "running"
  | "paused"
  | "stopping"
  | "stopped"
  | "finished"
  | "saved"
  | "closed";

export function conditionOf(live: Live | null, connection: Connection): Condition {
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

const ICONS: Record<Condition, IconName> = {
  waiting: "live",
  idle: "live",
  running: "live",
  paused: "pause",
  stopping: "stop",
  stopped: "stop",
  finished: "stop",
  saved: "info",
  closed: "info",
};

export interface Header {
  element: HTMLElement;
  draw(title: string, live: Live | null, connection: Connection): void;
}

export function header(words: Words, signal: AbortSignal): Header {
  const title = h("h2", { class: "nnw-title" });
  const sign = icon("live");
  const state = h("span");
  const pill = h("span", { class: "nnw-pill" }, sign, state);
  const bar = h("div", { class: "nnw-progress-bar" });
  const progress = h(
    "div",
    { class: "nnw-progress", role: "progressbar", "aria-label": words("ui.progress") },
    bar,
  );
  const where = h("span", { class: "nnw-where" });
  const pace = h("span", { class: "nnw-pace nnw-muted" });
  const cost = tip(signal);
  const route = tip(signal);
  const spoken = h("span", { class: "nnw-spoken", role: "status" });
  const element = h(
    "div",
    { class: "nnw-header" },
    h("div", { class: "nnw-header-what" }, title, pill),
    h("div", { class: "nnw-header-how" }, progress, where, pace),
    h("div", { class: "nnw-header-cost nnw-muted" }, cost.element, route.element),
    spoken,
  );

  let shown: Condition | null = null;

  const drawProgress = (live: Live | null) => {
    const { done, total } = live?.progress ?? { done: 0, total: null };
    const known = total !== null && total > 0;
    const share = known ? Math.min(1, done / total) : 0;
    // Without a total there is no share to show, and no bar that pretends to know one.
    progress.classList.toggle("nnw-unknown", !known);
    bar.style.transform = `scaleX(${share.toFixed(4)})`;
    setAttribute(progress, "aria-valuenow", known ? Math.round(share * 100) : null);
    setAttribute(progress, "aria-valuetext", known ? formatPercent(share) : formatInteger(done));
  };

  const place = (live: Live): string => {
    const parts: string[] = [];
    if (live.epoch !== null) {
      const epoch = formatInteger(live.epoch.now);
      parts.push(
        live.epoch.total === null
          ? words("ui.epoch", { epoch })
          : words("ui.epoch_of", { epoch, total: formatInteger(live.epoch.total) }),
      );
    }
    parts.push(words("ui.step_at", { step: formatInteger(live.step) }));
    return parts.join(" · ");
  };

  const paceOf = (live: Live, condition: Condition): string => {
    if (condition !== "running" && condition !== "stopping") {
      return Number.isFinite(live.elapsed) && live.elapsed > 0
        ? words("ui.elapsed", { time: formatDuration(live.elapsed) })
        : "";
    }
    const left = Number.isFinite(live.eta)
      ? words("ui.left", { time: formatDuration(live.eta) })
      : words("ui.elapsed", { time: formatDuration(live.elapsed) });
    return `${formatRate(live.rate)} · ${left}`;
  };

  return {
    element,
    draw(name, live, connection) {
      const condition = conditionOf(live, connection);
      setText(title, name === "" ? words("ui.untitled") : name);
      setAttribute(element, "data-condition", condition);
      setAttribute(pill, "data-condition", condition);
      setIcon(sign, ICONS[condition]);
      const label = words(`ui.state.${condition}`);
      setText(state, label);
      if (condition !== shown) {
        // Said aloud when it changes, not when the widget appears.
        if (shown !== null) setText(spoken, label);
        shown = condition;
      }
      drawProgress(live);
      setText(where, live === null ? "" : place(live));
      setText(pace, live === null ? "" : paceOf(live, condition));
      const overhead = live?.overhead ?? Number.NaN;
      cost.set(
        Number.isFinite(overhead) ? words("ui.cost", { share: formatPercent(overhead) }) : "",
        words("ui.cost.hint", { budget: formatPercent(live?.budget ?? Number.NaN) }),
      );
      cost.element.hidden = !Number.isFinite(overhead);
      drawRoute(live, connection);
    },
  };

  function drawRoute(live: Live | null, connection: Connection): void {
    if (!connected(connection)) {
      route.set(words("ui.clicks.none"), words(`ui.connection.${connection}`));
      return;
    }
    const { key = "", params = {} } = live?.route ?? {};
    route.element.hidden = key === "";
    if (key === "") return;
    const hint = words.has(`${key}.hint`) ? [words(`${key}.hint`, params)] : [];
    route.set(words(key, params), [...hint, ...(live?.status ?? [])].join(" "));
  }
}

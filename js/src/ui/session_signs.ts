/** What stands at the head of every widget: how the run goes, what watching costs, how clicks go. */

import type { Connection } from "../link";
import { type Condition, connected, type Session } from "../session";
import { h, setAttribute, setHidden, setText } from "./dom";
import { formatPercent } from "./format";
import type { Words } from "./i18n";
import { type IconName, icon, setIcon } from "./icons";
import { tip } from "./popup";

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

export interface StatePill {
  element: HTMLElement;
  /** Says a change aloud; belongs somewhere in the same widget. */
  spoken: HTMLElement;
  draw(condition: Condition): void;
}

export function statePill(words: Words): StatePill {
  const sign = icon("live");
  const state = h("span");
  const element = h("span", { class: "nnw-pill" }, sign, state);
  const spoken = h("span", { class: "nnw-spoken", role: "status" });
  let shown: Condition | null = null;
  return {
    element,
    spoken,
    draw(condition) {
      setAttribute(element, "data-condition", condition);
      setIcon(sign, ICONS[condition]);
      const label = words(`ui.state.${condition}`);
      setText(state, label);
      if (condition === shown) return;
      // Said aloud when it changes, not when the widget appears.
      if (shown !== null) setText(spoken, label);
      shown = condition;
    },
  };
}

export interface CostAndRoute {
  element: HTMLElement;
  draw(live: Session | null, connection: Connection): void;
}

/** @param lost says why clicks reach no kernel */
export function costAndRoute(
  words: Words,
  signal: AbortSignal,
  lost: (connection: Connection) => string,
): CostAndRoute {
  const cost = tip(signal);
  const route = tip(signal);

  const drawRoute = (live: Session | null, connection: Connection) => {
    if (!connected(connection)) {
      setHidden(route.element, false);
      route.set(words("ui.clicks.none"), lost(connection));
      return;
    }
    const { key = "", params = {} } = live?.route ?? {};
    setHidden(route.element, key === "");
    if (key === "") return;
    const hint = words.has(`${key}.hint`) ? [words(`${key}.hint`, params)] : [];
    route.set(words(key, params), [...hint, ...(live?.status ?? [])].join(" "));
  };

  return {
    element: h("div", { class: "nnw-header-cost nnw-muted" }, cost.element, route.element),
    draw(live, connection) {
      const overhead = live?.overhead ?? Number.NaN;
      cost.set(
        Number.isFinite(overhead) ? words("ui.cost", { share: formatPercent(overhead) }) : "",
        words("ui.cost.hint", { budget: formatPercent(live?.budget ?? Number.NaN) }),
      );
      setHidden(cost.element, !Number.isFinite(overhead));
      drawRoute(live, connection);
    },
  };
}

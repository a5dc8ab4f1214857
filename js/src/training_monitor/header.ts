/** The line that says what runs, how it goes, what watching costs and how clicks arrive. */

import type { Connection } from "../link";
import { type Condition, conditionOf } from "../session";
import { h, setAttribute, setText } from "../ui/dom";
import { formatDuration, formatInteger, formatPercent, formatRate } from "../ui/format";
import type { Words } from "../ui/i18n";
import { costAndRoute, statePill } from "../ui/session_signs";
import type { Live } from "./state";

export interface Header {
  element: HTMLElement;
  draw(title: string, live: Live | null, connection: Connection): void;
}

export function header(words: Words, signal: AbortSignal): Header {
  const title = h("h2", { class: "nnw-title" });
  const pill = statePill(words);
  const bar = h("div", { class: "nnw-progress-bar" });
  const progress = h(
    "div",
    { class: "nnw-progress", role: "progressbar", "aria-label": words("ui.progress") },
    bar,
  );
  const where = h("span", { class: "nnw-where" });
  const pace = h("span", { class: "nnw-pace nnw-muted" });
  const cost = costAndRoute(words, signal, (lost) => words(`ui.connection.${lost}`));
  const element = h(
    "div",
    { class: "nnw-header" },
    h("div", { class: "nnw-header-what" }, title, pill.element),
    h("div", { class: "nnw-header-how" }, progress, where, pace),
    cost.element,
    pill.spoken,
  );

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
      if (!(Number.isFinite(live.elapsed) && live.elapsed > 0)) return "";
      const time = formatDuration(live.elapsed);
      const over = condition === "finished" || condition === "stopped";
      return over ? words("ui.took", { time }) : words("ui.elapsed", { time });
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
      pill.draw(condition);
      drawProgress(live);
      setText(where, live === null ? "" : place(live));
      setText(pace, live === null ? "" : paceOf(live, condition));
      cost.draw(live, connection);
    },
  };
}

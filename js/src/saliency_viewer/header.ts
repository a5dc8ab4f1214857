/** The line that says what is asked, how the run goes, and what watching costs. */

import type { Connection } from "../link";
import { conditionOf } from "../session";
import { h, setAttribute, setHidden, setText } from "../ui/dom";
import { formatInteger } from "../ui/format";
import type { Words } from "../ui/i18n";
import { costAndRoute, statePill } from "../ui/session_signs";
import type { Live } from "./state";

export interface HeaderInput {
  title: string;
  live: Live | null;
  connection: Connection;
}

export interface Header {
  element: HTMLElement;
  draw(input: HeaderInput): void;
}

export function header(words: Words, signal: AbortSignal): Header {
  const title = h("h2", { class: "nnw-title" });
  const pill = statePill(words);
  const step = h("span", { class: "nnw-header-step nnw-muted" });
  const cost = costAndRoute(words, signal, (lost) => words(`ui.saliency.connection.${lost}`));
  const element = h(
    "div",
    { class: "nnw-header" },
    h("div", { class: "nnw-header-what" }, title, pill.element, step),
    cost.element,
    pill.spoken,
  );
  return {
    element,
    draw({ title: given, live, connection }) {
      setText(title, given === "" ? words("ui.saliency.title") : given);
      const condition = conditionOf(live, connection);
      pill.draw(condition);
      setAttribute(element, "data-condition", condition);
      const known = live !== null && live.step > 0;
      setText(step, known ? words("ui.step_at", { step: formatInteger(live.step) }) : "");
      setHidden(step, !known);
      cost.draw(live, connection);
    },
  };
}

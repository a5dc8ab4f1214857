/** The line that says what is shown, how the run goes, how often it is right, what watching costs. */

import type { Connection } from "../link";
import { conditionOf } from "../session";
import { h, setAttribute, setHidden, setText } from "../ui/dom";
import { formatInteger, formatNumber } from "../ui/format";
import type { Words } from "../ui/i18n";
import { costAndRoute, statePill } from "../ui/session_signs";
import type { Live, Surface } from "./state";

export interface HeaderInput {
  title: string;
  live: Live | null;
  surface: Surface | null;
  connection: Connection;
}

export interface Header {
  element: HTMLElement;
  draw(input: HeaderInput): void;
}

/** "97.0 %": of a whole that is known exactly, with the decimal that tells 99.9 from 100. */
export const formatShare = (share: number): string => `${(100 * share).toFixed(1)}\u202f%`;

/** "train 97.0 % · test 93.3 %"; of values R² in place of shares. */
export function accuracyText(surface: Surface | null, words: Words): string {
  if (surface === null) return "";
  const { kind, accuracy } = surface;
  const said = (kind === "classes" ? formatShare : (r2: number) => formatNumber(r2)) as (
    score: number,
  ) => string;
  return (["train", "test"] as const)
    .flatMap((part) => {
      const score = accuracy[part];
      return score === null ? [] : [words(`ui.boundary.${kind}.${part}`, { score: said(score) })];
    })
    .join(" · ");
}

/** So far behind the run (share of its steps) a picture is one of an earlier moment. */
const BEHIND = 0.1;

/** The step of the picture, if that is not the one that the run is at; null: it is, or nearly. */
export function stepBehind(surface: Surface | null, live: Live | null): number | null {
  if (surface === null || live === null) return null;
  const { step, past } = surface;
  const behind = Math.abs(live.step - step);
  // A few steps are nothing: the next picture is on its way.
  return (past && behind > 0) || behind > Math.max(10, BEHIND * live.step) ? step : null;
}

export function header(words: Words, signal: AbortSignal): Header {
  const title = h("h2", { class: "nnw-title" });
  const pill = statePill(words);
  const step = h("span", { class: "nnw-header-step nnw-muted" });
  const accuracy = h("span", { class: "nnw-accuracy" });
  // "accuracy", or of which step it is: one in the place of the other, so that nothing jumps.
  const name = h("span", { class: "nnw-accuracy-name nnw-muted" });
  const scores = h("div", { class: "nnw-header-what" }, name, accuracy);
  const cost = costAndRoute(words, signal, (lost) => words(`ui.boundary.connection.${lost}`));
  const element = h(
    "div",
    { class: "nnw-header" },
    h("div", { class: "nnw-header-what" }, title, pill.element, step),
    scores,
    cost.element,
    pill.spoken,
  );
  return {
    element,
    draw({ title: given, live, surface, connection }) {
      setText(title, given === "" ? words("ui.boundary.title") : given);
      const condition = conditionOf(live, connection);
      pill.draw(condition);
      setAttribute(element, "data-condition", condition);
      const known = live !== null && live.step > 0;
      setText(step, known ? words("ui.step_at", { step: formatInteger(live.step) }) : "");
      setHidden(step, !known);
      const right = accuracyText(surface, words);
      setText(accuracy, right);
      setHidden(scores, right === "");
      const behind = stepBehind(surface, live);
      const kind = surface?.kind ?? "classes";
      const plain = kind === "values" ? "" : words("ui.boundary.accuracy");
      const at = behind === null ? "" : formatInteger(behind);
      setText(name, behind === null ? plain : words("ui.boundary.point.as_of", { step: at }));
      name.classList.toggle("nnw-of-old", behind !== null);
      setAttribute(accuracy, "title", words(`ui.boundary.${kind}.accuracy_hint`));
      cost.draw(live, connection);
    },
  };
}

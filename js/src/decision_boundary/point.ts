/** What the model says of one place, how sure it is, what that depends on, what would change it. */

import { linearLabels, niceStep } from "../ui/chart_axes";
import { isDark } from "../ui/colormap";
import { button } from "../ui/controls";
import { h, setAttribute, setHidden, setText } from "../ui/dom";
import { evenFormat } from "../ui/even_format";
import { formatInteger, formatNumber, formatPercent } from "../ui/format";
import type { StageContext } from "../ui/stage";
import { type Chosen, chosenOf, samePlace } from "./asking";
import { type BarRow, bars } from "./bars";
import { classOf, type DrawnPointActions, drawnPoint } from "./drawn_point";
import { formatShare } from "./header";
import { leads } from "./leads";
import { classColour } from "./picture/palette";
import { pointValues } from "./point_values";
import { say, section, sentences } from "./section";
import type { Choices, Place, PointSaid, Points, Rectangle } from "./state";

export interface PointInput {
  point: PointSaid | null;
  points: Points | null;
  choices: Choices | null;
  /** What the picture shows: of it two decimals matter. */
  rectangle: Rectangle | null;
  /** Of the weights that the picture shows; null: there is none. */
  step: number | null;
  /** The place that is asked about, whether or not the kernel has said anything of it. */
  chosen: Chosen | null;
  reachable: boolean;
}

export interface PointActions extends DrawnPointActions {
  explain(at: Place, id: number | null): void;
  unpoint(): void;
}

export interface PointPart {
  element: HTMLElement;
  draw(input: PointInput): void;
}

/** Classes that are listed: of more, the most probable ones. */
const MOST_CLASSES = 8;
/** Features whose weight is listed: of more, the heaviest. */
const MOST_WEIGHTS = 8;

/** The places of the largest values, in their own order. */
export function largest(values: ArrayLike<number>, most: number, keep: number | null): number[] {
  const size = (place: number) =>
    place === keep ? Number.POSITIVE_INFINITY : (values[place] ?? 0);
  return Array.from({ length: values.length }, (_, place) => place)
    .sort((a, b) => size(b) - size(a) || a - b)
    .slice(0, most)
    .sort((a, b) => a - b);
}

/** Where a drawn point stands; null if it is not drawn. */
export function placeOfPoint(points: Points | null, id: number): Place | null {
  const place = points?.id.indexOf(id) ?? -1;
  if (points === null || place < 0) return null;
  return [points.xy[2 * place] as number, points.xy[2 * place + 1] as number];
}

/** Whether there is an answer. */
const isTold = ({ probabilities, value }: PointSaid): boolean =>
  probabilities.length > 0 || value !== null;

/** A place with as many decimals as can be told apart in the picture. */
export function placeWords(at: Place, rectangle: Rectangle | null): [x: string, y: string] {
  if (rectangle === null) return [formatNumber(at[0]), formatNumber(at[1])];
  const [left, right, bottom, top] = rectangle;
  const write = (value: number, span: number) => {
    const written = String(linearLabels([value], niceStep(span / 200), null));
    // A hair below zero is zero to these digits.
    return /[1-9]/.test(written) ? written : written.replace(/^[-\u2212]/, "");
  };
  return [write(at[0], right - left), write(at[1], top - bottom)];
}

/** The colour of a drawn point's class; null if it has none. */
function colorOfPoint(points: Points | null, id: number, night: boolean): string | null {
  const k = classOf(points, id);
  return k === null ? null : classColour(k, night);
}

export function pointPart(
  { words, signal, say: speak }: StageContext,
  actions: PointActions,
): PointPart {
  const hint = h("p", { class: "nnw-muted" });
  const close = button({
    label: words("ui.boundary.point.close"),
    kind: "plain",
    signal,
    onClick: actions.unpoint,
  });
  const state = h("p", { class: "nnw-point-state nnw-muted", role: "status" });
  const verdict = h("p", { class: "nnw-verdict" });
  const chances = bars(words("ui.boundary.point.chances"));
  const values = pointValues(words, signal);
  /** Whose answer it is: not always that of the picture. */
  const when = h("span", { class: "nnw-point-step nnw-muted" });
  const own = drawnPoint(words, signal, actions);
  const at = section("", [when, close.element], state, own.element);
  const sure = h("p");
  const sureness = section(words("ui.boundary.point.sure"), [], sure);
  const weights = bars(words("ui.boundary.point.weights"), true);
  const fit = h("p", { class: "nnw-muted" });
  const depends = section(words("ui.boundary.point.depends"), [], weights.element, fit);
  setAttribute(depends.heading, "title", words("ui.boundary.point.depends.hint"));
  const rule = h("p", { class: "nnw-rule-text" });
  const agrees = h("p", { class: "nnw-muted" });
  const applies = section(words("ui.boundary.point.rule"), [], rule, agrees);
  const changes = leads(words, signal, actions.explain);
  const smallest = section(words("ui.boundary.point.changes"), [], changes.element);
  const nearest = leads(words, signal, actions.explain);
  const near = section(words("ui.boundary.point.nearest"), [], nearest.element);
  const notes = sentences();
  const facts = h(
    "div",
    { class: "nnw-point-facts" },
    h("div", { class: "nnw-part" }, verdict, chances.element, values.element),
    ...[sureness, depends, applies, smallest, near].map((part) => part.element),
    notes.element,
  );
  const whole = h("div", { class: "nnw-point" }, at.element, facts);
  const element = h("div", { class: "nnw-said" }, hint, whole);
  let drawn: PointSaid | null = null;
  let dark: boolean | null = null;
  let usable: boolean | null = null;
  /** The place of which the answer has been read out: not again with every step. */
  let told: Chosen | null = null;

  return {
    element,
    draw({ point, points, choices, rectangle, step, chosen, reachable }) {
      setHidden(whole, chosen === null);
      const saved = reachable ? "live" : "saved";
      say(hint, chosen === null ? words(`ui.boundary.point.hint.${saved}`) : "");
      if (chosen === null) {
        told = null;
        return;
      }
      setHidden(close.element, !reachable);
      // A click near a point is about the point.
      const stands = chosen.id === null ? null : placeOfPoint(points, chosen.id);
      const [x, y] = placeWords(stands ?? chosen.at, rectangle);
      setText(at.heading, words("ui.boundary.point.at", { x, y }));
      own.draw(chosen.id, choices, points, reachable);
      // What is said may still be of the place before.
      const here = samePlace(chosen, chosenOf(point)) ? point : null;
      say(state, stateText(here));
      writeStep(here, step);
      state.classList.toggle("nnw-bad", here !== null && here.problem !== null);
      const known = point !== null && isTold(point);
      setHidden(facts, !known || point.state === "failed");
      facts.classList.toggle("nnw-outdated", here?.state !== "ready");
      const now = isDark(element);
      if (known && (point !== drawn || now !== dark || reachable !== usable)) {
        write(point, choices, points, now, reachable);
      }
      if (here?.state === "ready" && !samePlace(told, chosen)) {
        told = chosen;
        const place = at.heading.textContent ?? "";
        speak(words("ui.boundary.point.told", { place, answer: answerText(here) }));
      }
      drawn = point;
      dark = now;
      usable = reachable;
    },
  };

  function stateText(point: PointSaid | null): string {
    if (point === null || point.state === "working") return words("ui.boundary.point.working");
    if (point.problem !== null) return point.problem;
    return point.state === "stale" && !isTold(point) ? words("ui.boundary.stopped") : "";
  }

  /** "step 350", or that the picture has gone on since: beside the heading, so that nothing moves. */
  function writeStep(point: PointSaid | null, seen: number | null): void {
    const of = point !== null && isTold(point) ? point.step : null;
    const old = of !== null && (point?.state === "stale" || (seen !== null && seen !== of));
    const step = of === null ? "" : formatInteger(of);
    say(when, of === null ? "" : words(old ? "ui.boundary.point.as_of" : "ui.step_at", { step }));
    when.classList.toggle("nnw-old", old);
    setAttribute(when, "title", old ? words("ui.boundary.stale", { step }) : null);
  }

  function write(
    point: PointSaid,
    choices: Choices | null,
    points: Points | null,
    night: boolean,
    reachable: boolean,
  ): void {
    const names = point.classes.length > 0 ? point.classes : (choices?.classes ?? []);
    const nameOf = (k: number) => names[k] ?? String(k);
    say(verdict, verdictText(point, nameOf));
    chances.draw(chanceRows(point, nameOf, night));
    setHidden(chances.element, point.probabilities.length === 0);
    values.draw(point.point);
    const unsure = point.unsure?.text ?? "";
    setText(sure, unsure);
    setHidden(sureness.element, unsure === "");
    weights.draw(weightRows(point));
    setHidden(weights.element, point.weights.length === 0);
    setText(fit, point.weightsText);
    setHidden(depends.element, point.weights.length === 0 && point.weightsText === "");
    setText(rule, point.rule ?? "");
    const share = point.ruleFidelity;
    say(agrees, share === null ? "" : words("ui.boundary.agrees", { share: formatPercent(share) }));
    setHidden(applies.element, point.rule === null);
    changes.draw(
      point.changes.map(({ text, at: place, answer }) => ({
        text,
        at: place,
        id: null,
        color: answer === null ? null : classColour(answer, night),
      })),
      reachable,
    );
    setHidden(smallest.element, point.changes.length === 0);
    nearest.draw(
      point.nearest.map(({ id, text }) => ({
        text,
        at: placeOfPoint(points, id),
        id,
        color: colorOfPoint(points, id, night),
      })),
      reachable,
    );
    setHidden(near.element, point.nearest.length === 0);
    notes.draw(point.notes);
  }

  /** "B 64 %", or the value. */
  function answerText({ label, probabilities, classes, value }: PointSaid): string {
    if (label === null) return value === null ? "" : formatNumber(value);
    const chance = probabilities[label];
    const name = classes[label] ?? String(label);
    return chance === undefined ? name : `${name} ${formatPercent(chance)}`;
  }

  /** Whether the model is right about a drawn point, or the value. */
  function verdictText(
    { label, truth, value, probabilities }: PointSaid,
    nameOf: (k: number) => string,
  ) {
    if (probabilities.length === 0 && value !== null) {
      const said = words("ui.boundary.point.value", { value: formatNumber(value) });
      if (truth === null) return said;
      return `${said} ${words("ui.boundary.point.true_value", { value: formatNumber(truth) })}`;
    }
    if (label === null || truth === null) return "";
    const key = label === truth ? "right" : "wrong";
    const [says, is] = [nameOf(label), nameOf(truth)];
    return words(`ui.boundary.point.verdict.${key}`, { says, is });
  }
}

function chanceRows(point: PointSaid, nameOf: (k: number) => string, night: boolean): BarRow[] {
  const { probabilities, spread, label } = point;
  return largest(probabilities, MOST_CLASSES, label).map((k) => {
    const chance = probabilities[k] ?? Number.NaN;
    const around = spread[k];
    const finite = Number.isFinite(chance);
    return {
      name: nameOf(k),
      number: finite ? formatShare(chance) : formatNumber(chance),
      from: 0,
      to: finite ? chance : 0,
      spread: around === undefined || !(around > 0) ? null : [chance - around, chance + around],
      color: classColour(k, night),
      mark: true,
      strong: k === label,
    };
  });
}

/** The heaviest weights, from zero in the middle to either side. */
function weightRows({ weights, features }: PointSaid): BarRow[] {
  const sizes = weights.map((weight) => (Number.isFinite(weight) ? Math.abs(weight) : 0));
  const places = largest(sizes, MOST_WEIGHTS, null);
  const most = Math.max(...sizes, 0) || 1;
  const format = evenFormat(places.map((place) => weights[place] ?? 0));
  return places.map((place) => {
    const weight = weights[place] ?? 0;
    return {
      name: features[place] ?? String(place),
      number: weight > 0 ? `+${format(weight)}` : format(weight),
      from: 0.5,
      to: 0.5 + (Number.isFinite(weight) ? weight / most / 2 : 0),
      spread: null,
      color: `var(--nnw-${weight < 0 ? "negative" : "positive"})`,
      mark: false,
      strong: false,
    };
  });
}

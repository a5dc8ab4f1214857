/** One map: whose evidence it shows, how it was made, and what to bear in mind. */

import { button } from "../ui/controls";
import { h, setAttribute, setHidden, setText, uniqueId } from "../ui/dom";
import { formatInteger, formatNumber } from "../ui/format";
import type { Words } from "../ui/i18n";
import { type IconName, icon } from "../ui/icons";
import type { Cell } from "../ui/pointer";
import type { Drawn, KindContext, KindView } from "./context";
import { imageView } from "./image";
import { methodName } from "./methods";
import { sequenceView } from "./sequence";
import { signalView } from "./signal";
import { type Choices, flawOf, type Kind, type Pane } from "./state";
import { tableView } from "./table";
import { tokensView } from "./tokens";

export interface PaneInput extends Omit<Drawn, "title"> {
  /** The input stands beside it, with the note on how it was made. */
  beside: boolean;
  choices: Choices | null;
  /** A click that computes it anew can be heard. */
  reachable: boolean;
  busy: boolean;
}

export interface PaneView {
  element: HTMLElement;
  draw(input: PaneInput): void;
  repaint(): void;
  follow(cell: Cell | null): void;
}

/** What the evidence is for: "Evidence for “5”". */
export function headingOf({ targetName }: Pane, words: Words): string {
  return targetName === ""
    ? words("ui.saliency.evidence.output")
    : words("ui.saliency.evidence", { name: targetName });
}

/** How it was found: "Grad-CAM, layer features.6, step 3,412". */
export function captionOf(pane: Pane, choices: Choices | null, words: Words): string {
  const uses = choices?.uses.get(pane.method);
  const parts = [methodName(pane.method, words)];
  if (pane.layer !== null && uses?.layer !== false) {
    parts.push(words("ui.saliency.of.layer", { layer: pane.layer }));
  }
  if (pane.baseline !== null && uses?.baseline !== false) {
    const known = choices?.baselines.find(({ name }) => name === pane.baseline);
    parts.push(words("ui.saliency.of.baseline", { baseline: known?.label ?? pane.baseline }));
  }
  if (pane.checkpoint !== null) {
    parts.push(words("ui.saliency.of.checkpoint", { name: pane.checkpoint }));
  } else {
    const step = formatInteger(pane.step);
    parts.push(words(pane.past ? "ui.saliency.of.past" : "ui.step_at", { step }));
  }
  return parts.join(words("ui.saliency.comma"));
}

export interface Note {
  level: IconName;
  text: string;
}

/** A list of sentences, made anew only when they change. */
export function noteList(words: Words) {
  const element = h("ul", { class: "nnw-notes" });
  let drawn = "";
  return {
    element,
    draw(notes: readonly Note[]) {
      const key = JSON.stringify(notes);
      if (key === drawn) return;
      drawn = key;
      element.replaceChildren(
        ...notes.map(({ level, text }) =>
          h(
            "li",
            { class: "nnw-note", "data-level": level },
            icon(level),
            h("span", { class: "nnw-spoken" }, `${words(`ui.severity.${level}`)} `),
            h("span", {}, text),
          ),
        ),
      );
    },
  };
}

/** Sentences beside a map: what to bear in mind, and what it rests on. */
export function notesOf(pane: Pane, words: Words): Note[] {
  const notes: Note[] = [];
  if (pane.problem !== null) notes.push({ level: "error", text: pane.problem });
  for (const text of pane.warnings) notes.push({ level: "warning", text });
  const flaw = pane.state === "failed" ? null : flawOf(pane.map);
  // The kernel names the cause where it knows one; then that is enough.
  if (flaw !== null && pane.warnings.length === 0 && pane.map !== null) {
    notes.push({ level: "warning", text: words(`ui.saliency.flaw.${flaw}`) });
  }
  if (pane.r2 !== null) {
    const level = pane.r2 < 0.5 ? "warning" : "info";
    notes.push({ level, text: words("ui.saliency.r2", { r2: formatNumber(pane.r2, 2) }) });
  }
  return notes;
}

/** What it took: "0.42 s, 51 evaluations". */
export function costOf({ seconds, evaluations }: Pane, words: Words): string {
  if (seconds === null) return "";
  const short = seconds < 0.0995;
  const time = words(short ? "ui.saliency.took.short" : "ui.saliency.took.time", {
    seconds: formatNumber(seconds, 2),
    milliseconds: formatNumber(1000 * seconds, 2),
  });
  const params = { time, count: formatInteger(evaluations) };
  return evaluations > 0 ? words("ui.saliency.took", params) : time;
}

function makerOf(
  kind: Kind,
): (context: KindContext, linked: (cell: Cell | null) => void) => KindView {
  if (kind === "image") return imageView;
  if (kind === "tokens") return tokensView;
  if (kind === "signal") return signalView;
  if (kind === "sequence") return sequenceView;
  return tableView;
}

/** Whether two drawings show the same: of a map there is one object for each time it is made. */
export function same(a: Drawn, b: Drawn): boolean {
  return (
    a.pane === b.pane &&
    a.panes === b.panes &&
    a.display === b.display &&
    a.opacity === b.opacity &&
    a.title === b.title
  );
}

export function paneView(
  context: KindContext,
  actions: { explain(): void; stop(): void; linked(cell: Cell | null): void },
): PaneView {
  const { words, signal } = context;
  const comma = words("ui.saliency.comma");
  const title = h("span", { class: "nnw-pane-title" });
  const caption = h("span", { class: "nnw-muted" });
  const heading = h(
    "h3",
    { class: "nnw-pane-heading", id: uniqueId("nnw-pane") },
    title,
    " ",
    caption,
  );
  const stateText = h("span");
  const again = button({
    label: words("ui.saliency.explain"),
    title: words("ui.saliency.explain.hint"),
    signal,
    onClick: actions.explain,
  });
  const end = button({
    label: words("ui.saliency.cancel"),
    kind: "plain",
    signal,
    onClick: actions.stop,
  });
  const state = h(
    "p",
    { class: "nnw-pane-state", hidden: true },
    stateText,
    again.element,
    end.element,
  );
  const place = h("div", { class: "nnw-pane-map" });
  const empty = h("p", { class: "nnw-pane-empty nnw-muted" });
  const notes = noteList(words);
  const cost = h("span", { class: "nnw-muted" });
  const element = h(
    "section",
    { class: "nnw-pane", "aria-labelledby": heading.id },
    h("div", {}, heading),
    h("div", {}, place, empty),
    // Below the map, which so stays where it is when the model has learned on.
    h("div", {}, state, notes.element, cost),
  );
  let view: KindView | null = null;
  let kind: Kind | null = null;
  let drawn: Drawn | null = null;
  let life = new AbortController();

  const build = (wanted: Kind): KindView => {
    life.abort();
    life = new AbortController();
    const { signal: mine } = life;
    signal.addEventListener("abort", () => life.abort(), { once: true, signal: mine });
    kind = wanted;
    drawn = null;
    const made = makerOf(wanted)({ ...context, signal: mine }, actions.linked);
    place.replaceChildren(made.element);
    return made;
  };
  return {
    element,
    follow: (cell) => view?.follow?.(cell),
    repaint: () => view?.repaint(),
    draw({ pane, panes, scale, display, opacity, beside, choices, reachable, busy }) {
      setText(title, headingOf(pane, words));
      setText(caption, captionOf(pane, choices, words));
      setAttribute(element, "data-state", pane.state);
      setAttribute(element, "data-kind", pane.kind);
      setAttribute(element, "aria-busy", String(pane.state === "working"));
      setHidden(state, pane.state === "ready");
      const stands = pane.state === "stale" && pane.map === null ? "todo" : pane.state;
      setText(stateText, stands === "ready" ? "" : words(`ui.saliency.state.${stands}`));
      setHidden(again.element, pane.state === "working");
      again.set({ disabled: !reachable || busy });
      setHidden(end.element, pane.state !== "working" || !reachable);
      const current = kind === pane.kind && view !== null ? view : build(pane.kind);
      view = current;
      // A picture whose map is being worked out keeps the place for it: nothing jumps then.
      const kept = pane.map === null && pane.input !== null && pane.state !== "ready";
      setHidden(place, pane.map === null && !kept);
      setHidden(empty, pane.map !== null || pane.state !== "ready");
      setText(empty, words("ui.saliency.flaw.empty"));
      if (pane.map !== null || kept) {
        const said = [headingOf(pane, words), captionOf(pane, choices, words)];
        const wanted = { pane, panes, scale, display, opacity, title: said.join(comma) };
        // While it trains a view is drawn many times for each new map.
        if (drawn === null || !same(wanted, drawn)) current.draw(wanted);
        drawn = wanted;
      }
      const ofInput: Note[] =
        pane.note === null || beside ? [] : [{ level: "info", text: pane.note }];
      notes.draw([...notesOf(pane, words), ...ofInput]);
      setText(cost, costOf(pane, words));
    },
  };
}

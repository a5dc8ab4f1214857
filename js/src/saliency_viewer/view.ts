/** One view of a viewer: puts the parts together. */

import { reader } from "../read";
import type { View, ViewContext } from "../runtime";
import { readSamples } from "../samples";
import { connected } from "../session";
import { busyLine } from "../ui/busy";
import { isDark } from "../ui/colormap";
import { h, setAttribute, setHidden, setText } from "../ui/dom";
import { connectionBanner, problemLine, queueNotice } from "../ui/notices";
import { Asking } from "./asking";
import { bar } from "./bar";
import { classes } from "./classes";
import { detail } from "./detail";
import { foot } from "./foot";
import { header } from "./header";
import { importancePanel } from "./importance";
import { panes } from "./panes";
import { readChoices, readFilm, readImportance, readLive, readPicture, readTrust } from "./state";
import { trustPanel } from "./trust";

/** Clicks of which a person wants to know that they wait. */
const CLICKS: readonly string[] = [
  "index",
  "target",
  "method",
  "layer",
  "baseline",
  "slot",
  "compare",
  "cursor",
  "explain",
  "trust",
  "at",
  "importance",
  "refresh",
  "export",
];

export function saliencyView({ link, root, words, signal, redraw }: ViewContext): View {
  const liveOf = reader(readLive);
  const choicesOf = reader(readChoices);
  const samplesOf = reader(readSamples);
  const pictureOf = reader(readPicture);
  const filmOf = reader(readFilm);
  const trustOf = reader(readTrust);
  const importanceOf = reader(readImportance);

  const asking = new Asking(link, signal, redraw);
  const label = (action: string) =>
    CLICKS.includes(action) ? words(`ui.saliency.action.${action}`) : null;
  const cancel = (id: number) => link.requests.cancel(id);
  const stop = () => void asking.act("stop");

  // --- the parts ---------------------------------------------------------------------------

  const top = header(words, signal);
  const connection = connectionBanner((lost) => words(`ui.saliency.connection.${lost}`));
  const problems = problemLine(words, signal, () => {
    asking.problem = null;
    redraw();
  });
  const question = bar(words, signal, {
    method: asking.method,
    layer: asking.layer,
    baseline: asking.baseline,
    slot: asking.slot,
    compare: asking.compare,
    save: (format) => void asking.save(format, { dark: isDark(root) }),
  });
  const said = h("span", { class: "nnw-spoken", role: "status" });
  const numbers = detail(words, signal, (text) => setText(said, text));
  const pictures = panes(words, signal, {
    explain: () => void asking.act("explain"),
    stop,
    inquire(pane, place, anchor) {
      // Without a kernel nobody knows more than what is written below.
      if (!asking.can("at")) return;
      numbers.open(anchor, asking.ask("at", { pane, place: [...place] }));
    },
    dismiss: numbers.close,
    redraw,
  });
  const answer = classes(words, signal, asking.target);
  const trust = trustPanel(words, signal, {
    check: () => void asking.act("trust"),
    cancel,
    stop,
  });
  const importance = importancePanel(words, signal, () => void asking.act("importance"));
  const queued = queueNotice(words, signal, {
    label,
    other: words("ui.saliency.action.other"),
    withdraw: cancel,
  });
  const busy = busyLine(words, signal, {
    label: (action) => label(action) ?? words("ui.saliency.action.other"),
    cancel,
    stop,
  });
  const notices = h("div", { class: "nnw-over" }, busy.element, queued.element);
  const side = h("div", { class: "nnw-why-side" }, answer.element, trust.element);
  const main = h(
    "div",
    { class: "nnw-why" },
    h("div", { class: "nnw-why-picture" }, pictures.element, importance.element),
    side,
    notices,
  );
  const emptyText = h("p", { class: "nnw-empty-text" });
  const example = h("code", {}, "SaliencyViewer(model, inputs)");
  const empty = h("div", { class: "nnw-empty" }, emptyText, example);
  const bottom = foot(words, signal, {
    index: asking.index,
    setCursor: asking.setCursor,
    refresh: () => void asking.act("refresh"),
  });
  root.append(
    top.element,
    connection.element,
    problems.element,
    question.element,
    empty,
    main,
    bottom.element,
    numbers.element,
    said,
  );

  /** What the picture is of: the numbers behind another one must not stay open over it. */
  let asked = "";

  // --- drawing -----------------------------------------------------------------------------

  return {
    draw() {
      const live = liveOf(link.packed("_live"));
      const choices = choicesOf(link.packed("_choices"));
      const samples = samplesOf(link.packed("_samples"));
      const picture = pictureOf(link.packed("_picture"));
      const film = filmOf(link.packed("_film"));
      const reachable = connected(link.connection);
      const choice = asking.choice({ live, picture });
      const pane = picture?.panes[0];
      const what = JSON.stringify([pane?.index, pane?.method, pane?.target, pane?.kind]);
      if (what !== asked) numbers.close();
      asked = what;
      top.draw({ title: String(link.plain("title") ?? ""), live, connection: link.connection });
      connection.draw(link.connection);
      problems.draw(asking.problem, live?.error ?? null);

      const { pending } = link.requests;
      const working = pending.filter(({ action, state }) => state === "working" && label(action));
      const ofTrust = working.find(({ action }) => action === "trust") ?? null;
      const others = working.filter((one) => one !== ofTrust);
      const underWay = reachable ? (live?.busy ?? null) : null;
      const elsewhere = underWay?.action === "trust" ? null : underWay;
      queued.draw(
        pending.filter(({ state }) => state !== "working"),
        live,
      );
      busy.draw(others[0] ?? null, elsewhere);
      const occupied = working.length > 0 || underWay !== null;

      setHidden(question.element, choices === null);
      question.draw({ choices, picture, choice, reachable, can: asking.can });
      setHidden(main, pane === undefined);
      setHidden(empty, pane !== undefined);
      const none = (samples?.count ?? 0) === 0 && choices !== null;
      const state = choices !== null && !none ? "loading" : reachable ? "waiting" : "over";
      setText(emptyText, words(`ui.saliency.empty.${none ? "no_input" : state}`));
      setHidden(example, !none);
      if (picture !== null && pane !== undefined) {
        pictures.draw({
          picture,
          choices,
          loading: choice.loading,
          reachable,
          busy: occupied,
        });
        answer.draw({ pane, choice, can: asking.can });
        setHidden(answer.element, pane.outputs.length === 0);
        trust.draw({
          trust: trustOf(link.packed("_trust")),
          pane,
          working: ofTrust,
          elsewhere: underWay?.action === "trust" ? underWay : null,
          reachable,
          busy: occupied,
        });
        setHidden(importance.element, pane.kind !== "table");
        importance.draw({
          importance: importanceOf(link.packed("_importance")),
          working: others.find(({ action }) => action === "importance") ?? null,
          reachable,
          busy: occupied,
        });
        setAttribute(main, "data-kind", pane.kind);
        // A waterfall is as long as what a check says; without an answer there is room beside it.
        const beside = pane.kind === "table" || pane.outputs.length === 0;
        setAttribute(main, "data-trust", beside ? "beside" : "below");
        setAttribute(main, "data-count", picture.panes.length);
      }
      setHidden(bottom.element, samples === null || samples.count === 0);
      bottom.draw({
        samples,
        index: choice.index,
        film,
        kept: choices?.steps ?? [],
        step: live?.step ?? 0,
        cursor: choice.cursor,
        reachable,
        browsable: reachable || browsable(samples?.count ?? 0, choice.index),
      });
    },
    repaint() {
      pictures.repaint();
      trust.repaint();
    },
  };

  /** A saved page holds a picture of another sample. */
  function browsable(count: number, index: number): boolean {
    for (let other = 0; other < Math.min(count, 64); other++) {
      if (other !== index && asking.can("index", { index: other })) return true;
    }
    return false;
  }
}

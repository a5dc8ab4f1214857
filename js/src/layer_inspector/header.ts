/** The line that says which model is looked into, finds layers, and switches tree and graph. */

import type { Connection } from "../link";
import type { Samples } from "../samples";
import { conditionOf } from "../session";
import { button, segmented } from "../ui/controls";
import { h, setAttribute, setHidden, setText, uniqueId } from "../ui/dom";
import { formatInteger } from "../ui/format";
import type { Words } from "../ui/i18n";
import { costAndRoute, statePill } from "../ui/session_signs";
import type { Live, Tree } from "./state";
import { formatFlops } from "./tree_item";

export type Shape = "tree" | "graph";

export interface HeaderInput {
  title: string;
  live: Live | null;
  tree: Tree | null;
  samples: Samples | null;
  connection: Connection;
  shape: Shape;
  /** Modules that the search has found; null while nothing is searched for. */
  found: number | null;
  drawer: boolean;
}

export interface HeaderActions {
  search(text: string): void;
  /** Enter in the search field: chooses what was found first. */
  chooseFound(): void;
  /** Arrow down in the search field: to the layers. */
  enterList(): void;
  shape(shape: Shape): void;
  toggleDrawer(): void;
}

export interface Header {
  element: HTMLElement;
  /** Opens the list of layers where there is no room for it beside the panel. */
  opener: HTMLButtonElement;
  /** @param drawer id of what it opens */
  controls(drawer: string): void;
  draw(input: HeaderInput): void;
}

/** Conditions worth a word here: a run that simply goes on, or is over, is not among them. */
const SAID: readonly string[] = ["waiting", "paused", "stopping", "saved", "closed"];

export function header(words: Words, signal: AbortSignal, actions: HeaderActions): Header {
  const title = h("h2", { class: "nnw-title" });
  const model = h("span", { class: "nnw-model nnw-muted" });
  const pill = statePill(words);
  const totals = h("span", { class: "nnw-totals nnw-muted" });
  const cost = costAndRoute(words, signal, (lost) => words(`ui.inspector.connection.${lost}`));
  const count = h("span", { class: "nnw-spoken nnw-found", role: "status" });
  const field = h("input", {
    type: "search",
    class: "nnw-search",
    id: uniqueId("nnw-search"),
    placeholder: words("ui.inspector.search"),
    "aria-label": words("ui.inspector.search"),
    autocomplete: "off",
    spellcheck: "false",
  });
  field.addEventListener("input", () => actions.search(field.value), { signal });
  field.addEventListener(
    "keydown",
    (event) => {
      if (event.key === "Escape" && field.value !== "") {
        field.value = "";
        actions.search("");
      } else if (event.key === "Enter") actions.chooseFound();
      else if (event.key === "ArrowDown") actions.enterList();
      else return;
      event.preventDefault();
    },
    { signal },
  );
  const shapes: readonly Shape[] = ["tree", "graph"];
  const switches = shapes.map((shape) =>
    button({
      label: words(`ui.inspector.shape.${shape}`),
      kind: "segment",
      signal,
      onClick: () => actions.shape(shape),
    }),
  );
  const drawer = button({
    label: words("ui.inspector.drawer"),
    icon: "list",
    signal,
    onClick: actions.toggleDrawer,
  });
  drawer.element.classList.add("nnw-drawer-button");
  const element = h(
    "div",
    { class: "nnw-header" },
    h("div", { class: "nnw-header-what" }, title, model, pill.element),
    totals,
    h(
      "div",
      { class: "nnw-find" },
      drawer.element,
      field,
      segmented(words("ui.inspector.shape"), switches),
    ),
    cost.element,
    pill.spoken,
    count,
  );

  return {
    element,
    opener: drawer.element,
    controls: (id) => setAttribute(drawer.element, "aria-controls", id),
    draw(input) {
      const { live, tree, connection } = input;
      setText(title, input.title === "" ? words("ui.inspector.title") : input.title);
      setText(model, tree?.model ?? "");
      setAttribute(title, "title", tree?.model);
      const condition = conditionOf(live, connection);
      pill.draw(condition);
      setHidden(pill.element, !SAID.includes(condition));
      setAttribute(element, "data-condition", condition);
      const [text, hint] = tree === null ? ["", ""] : totalsOf(tree, input.samples, words);
      setText(totals, text);
      setAttribute(totals, "title", hint);
      setAttribute(drawer.element, "aria-expanded", String(input.drawer));
      switches.forEach(({ set }, index) => {
        set({ pressed: shapes[index] === input.shape });
      });
      const found =
        input.found === null
          ? ""
          : words("ui.inspector.search.found", { count: formatInteger(input.found) });
      setText(count, found);
      cost.draw(live, connection);
    },
  };
}

/** "13 modules · 106,282 parameters · 1.93 MFLOPs a sample", and what exactly is counted. */
export function totalsOf(
  { totals }: Tree,
  samples: Samples | null,
  words: Words,
): [string, string] {
  const modules = formatInteger(totals.modules);
  const params = formatInteger(totals.params);
  const parts = [
    words("ui.inspector.totals.modules", { count: modules }),
    words("ui.inspector.totals.params", { count: params }),
  ];
  const hints = [
    words("ui.inspector.totals.trainable", { count: formatInteger(totals.trainable) }),
  ];
  const { flops } = totals;
  if (flops !== null) {
    const count = samples?.count ?? 0;
    const whole = formatInteger(flops);
    // Where a batch does not share its work evenly, only the whole is true.
    const each = count > 0 && flops % count === 0 ? flops / count : null;
    const key = each === null ? "ui.inspector.totals.flops_all" : "ui.inspector.totals.flops";
    parts.push(words(key, { flops: formatFlops(each ?? flops) }));
    hints.push(words("ui.inspector.totals.flops.hint", { flops: whole }));
  }
  return [parts.join(" · "), hints.join("\n")];
}

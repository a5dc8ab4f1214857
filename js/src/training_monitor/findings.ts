/** Findings and messages in words: what was seen, on what evidence, what to try. */

import { button, disclosure } from "../ui/controls";
import { h, setHidden } from "../ui/dom";
import { formatInteger, unbroken } from "../ui/format";
import type { Words } from "../ui/i18n";
import { icon } from "../ui/icons";
import type { Finding, Message, Notes } from "./state";

export interface Findings {
  element: HTMLElement;
  draw(notes: Notes | null): void;
}

export function findings(
  words: Words,
  signal: AbortSignal,
  goTo: (step: number) => void,
): Findings {
  const list = h("ul", { class: "nnw-findings", "aria-label": words("ui.findings") });
  const spoken = h("span", { class: "nnw-spoken", role: "status" });
  const element = h("section", { class: "nnw-notes" }, list, spoken);
  /** Advice that was opened stays open while the numbers in its finding change. */
  const opened = new Set<string>();
  const known = new Set<string>();
  let drawn: Notes | null = null;
  let built = new AbortController();
  signal.addEventListener("abort", () => built.abort(), { once: true });

  const rowOf = (finding: Finding): HTMLElement => {
    const key = `${finding.kind} ${finding.severity}`;
    const advice = h("p", { class: "nnw-advice" }, unbroken(finding.advice));
    const row = h("li", { class: "nnw-finding", "data-severity": finding.severity });
    const text = h(
      "div",
      { class: "nnw-finding-text" },
      h("strong", {}, finding.title),
      " ",
      h("span", {}, unbroken(finding.body)),
    );
    const tools = h("div", { class: "nnw-finding-tools" });
    row.append(
      h("span", { class: "nnw-finding-icon" }, icon(finding.severity)),
      h("span", { class: "nnw-spoken" }, words(`ui.severity.${finding.severity}`)),
      text,
      tools,
    );
    if (finding.advice !== "") {
      const part = disclosure(words("ui.advice"), advice, {
        open: opened.has(key),
        signal: built.signal,
        onToggle: (open) => (open ? opened.add(key) : opened.delete(key)),
      });
      tools.append(part.button);
      row.append(advice);
    }
    const { step } = finding;
    if (step !== null) {
      const go = button({
        label: words("ui.go_to", { step: formatInteger(step) }),
        kind: "plain",
        signal: built.signal,
        onClick: () => goTo(step),
      });
      tools.append(go.element);
    }
    return row;
  };

  const lineOf = (message: Message): HTMLElement => {
    const parts = [
      message.step === null ? "" : words("ui.message.at", { step: formatInteger(message.step) }),
      message.count > 1 ? words("ui.message.count", { count: formatInteger(message.count) }) : "",
    ].filter((part) => part !== "");
    return h(
      "li",
      { class: "nnw-finding nnw-message", "data-severity": message.level },
      h("span", { class: "nnw-finding-icon" }, icon(message.level)),
      h("span", { class: "nnw-spoken" }, words(`ui.severity.${message.level}`)),
      h("div", { class: "nnw-finding-text" }, message.text),
      parts.length > 0 && h("div", { class: "nnw-finding-tools nnw-muted" }, parts.join(" · ")),
    );
  };

  return {
    element,
    draw(notes) {
      if (notes === drawn) return;
      const focused = keyOfFocus(list);
      built.abort();
      built = new AbortController();
      const rows = (notes?.findings ?? []).map(rowOf);
      rows.push(...(notes?.messages ?? []).map(lineOf));
      list.replaceChildren(...rows);
      setHidden(element, rows.length === 0);
      restoreFocus(list, focused);
      // News are said aloud once; what was there when the widget appeared is not news.
      const news = (notes?.findings ?? []).filter(({ kind }) => !known.has(kind));
      for (const { kind } of news) known.add(kind);
      if (drawn !== null && news.length > 0) {
        spoken.textContent = news.map(({ title }) => title).join(". ");
      }
      drawn = notes;
    },
  };
}

/** Which row and button had the focus, so that a redraw does not take it away. */
function keyOfFocus(list: HTMLElement): [number, number] | null {
  const active = (list.getRootNode() as Document | ShadowRoot).activeElement;
  if (active === null || !list.contains(active)) return null;
  const row = [...list.children].findIndex((item) => item.contains(active));
  const buttons = [...(list.children[row]?.querySelectorAll("button") ?? [])];
  return [row, buttons.indexOf(active as HTMLButtonElement)];
}

function restoreFocus(list: HTMLElement, key: [number, number] | null): void {
  if (key === null) return;
  list.children[key[0]]?.querySelectorAll("button")[key[1]]?.focus();
}

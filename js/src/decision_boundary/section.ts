/** A part of the panel beside the picture: a heading, what stands beside it, and what is below. */

import { type Child, h, setHidden, setText, uniqueId } from "../ui/dom";

export interface Section {
  element: HTMLElement;
  heading: HTMLElement;
}

export function section(title: string, beside: readonly Child[], ...below: Child[]): Section {
  const heading = h("h3", { class: "nnw-part-title", id: uniqueId("nnw-part") }, title);
  const element = h(
    "section",
    { class: "nnw-part", "aria-labelledby": heading.id },
    beside.length === 0 ? heading : h("div", { class: "nnw-part-head" }, heading, ...beside),
    ...below,
  );
  return { element, heading };
}

/** Writes sentences as paragraphs, once per change. */
export function sentences(): { element: HTMLElement; draw(all: readonly string[]): void } {
  const element = h("div", { class: "nnw-muted" });
  let written: string | null = null;
  return {
    element,
    draw(all) {
      const said = all.filter((one) => one !== "");
      const key = said.join("\n");
      setHidden(element, said.length === 0);
      if (key === written) return;
      written = key;
      element.replaceChildren(...said.map((one) => h("p", {}, one)));
    },
  };
}

/** Writes one sentence, and hides it where there is none. */
export function say(element: HTMLElement, sentence: string): void {
  setText(element, sentence);
  setHidden(element, sentence === "");
}

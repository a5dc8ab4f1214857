/** What all blocks share: a title above the picture, and that the whole has a name. */

import { h, setHidden, setText, uniqueId } from "../../ui/dom";
import type { Words } from "../../ui/i18n";
import type { BlockData } from "./types";

/** The title in the view's language where the catalogue has it, else as the kernel wrote it. */
export function titleOf({ title }: BlockData, words: Words): string {
  if (title === null) return "";
  return words.has(title.key) ? words(title.key, title.params) : title.text || title.key;
}

export interface Frame {
  element: HTMLElement;
  /** Beside the title: choices. */
  aside: HTMLElement;
  /** Writes the title, and gives it; a block without one is named by its kind. */
  draw(block: BlockData): string;
  /** A few muted words beside the title. */
  note(text: string): void;
}

/** What cannot be told from the picture alone is said above it, also where it is the usual. */
const NEVER_BARE: readonly string[] = ["bars", "histogram"];

export function frame(kind: string, words: Words, ...content: readonly HTMLElement[]): Frame {
  const title = h("h4", { class: "nnw-block-title", id: uniqueId("nnw-block") });
  const note = h("span", { class: "nnw-muted", hidden: true });
  const aside = h("div", { class: "nnw-block-aside" });
  // A group and not a region: a dozen landmarks would be no map of the page.
  const element = h(
    "div",
    { class: `nnw-block nnw-block-${kind}`, role: "group", "aria-labelledby": title.id },
    h("div", { class: "nnw-block-head" }, title, note, aside),
    ...content,
  );
  return {
    element,
    aside,
    draw(block) {
      const written = titleOf(block, words);
      const text = written || words(`ui.inspector.block.${kind}`);
      setText(title, text);
      title.classList.toggle("nnw-spoken", written === "" && !NEVER_BARE.includes(kind));
      return text;
    },
    note(text) {
      setText(note, text);
      setHidden(note, text === "");
    },
  };
}

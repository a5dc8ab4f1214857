/** What the parts of an input are called. */

import { formatInteger } from "../ui/format";
import type { Words } from "../ui/i18n";

export function featureName(names: readonly string[], index: number, words: Words): string {
  return names[index] ?? words("ui.saliency.feature", { number: formatInteger(index) });
}

/** A token as it is written where white space must be seen. */
export function tokenText(token: string): string {
  if (token === "") return "∅";
  return token.trim() === "" ? token.replace(/\n/g, "↵").replace(/\s/g, "␣") : token;
}

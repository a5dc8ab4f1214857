/** Words, from one catalogue per language that Python and the views share. */

import en from "../../../nnwidgets/catalogue/en.json";
import zh from "../../../nnwidgets/catalogue/zh.json";

export type Language = "en" | "zh";
export type Params = Record<string, string | number>;

export const CATALOGUES: Readonly<Record<Language, Readonly<Record<string, string>>>> = { en, zh };

/** The language that a tag such as "zh-CN" asks for; null when we do not speak it. */
function spoken(tag: string | undefined | null): Language | null {
  const primary = (tag ?? "").toLowerCase().split(/[-_]/)[0];
  return primary === "en" || primary === "zh" ? primary : null;
}

/** The trait if it names a language, else the page's language, else the browser's, else English. */
export function resolveLanguage(
  trait: unknown,
  page: string = document.documentElement.lang,
  browser: readonly string[] = navigator.languages ?? [],
): Language {
  const asked = typeof trait === "string" ? spoken(trait) : null;
  if (asked !== null) return asked;
  if (page !== "") return spoken(page) ?? "en";
  for (const tag of browser) {
    const language = spoken(tag);
    if (language !== null) return language;
  }
  return "en";
}

export interface Words {
  readonly language: Language;
  /** The sentence for a key, `{name}` replaced; the key itself where the catalogue lacks it. */
  (key: string, params?: Params): string;
  has(key: string): boolean;
}

export function wordsFor(language: Language): Words {
  const catalogue = CATALOGUES[language];
  /** Of one thing, the sentence for one, in languages whose words change with the number. */
  const sentence = (from: Readonly<Record<string, string>>, key: string, { count }: Params) =>
    (String(count) === "1" ? from[`${key}.one`] : undefined) ?? from[key];
  const words = (key: string, params: Params = {}): string =>
    (sentence(catalogue, key, params) ?? sentence(CATALOGUES.en, key, params) ?? key).replace(
      /\{(\w+)\}/g,
      (hole, name: string) => (Object.hasOwn(params, name) ? String(params[name]) : hole),
    );
  return Object.assign(words, { language, has: (key: string) => Object.hasOwn(catalogue, key) });
}

/// <reference types="vite/client" />
import { describe, expect, it } from "vitest";
import { KEYS, kept, translated } from "../catalogue.mjs";
import { CATALOGUES } from "../src/ui/i18n";

const sources = import.meta.glob<string>("../src/**/*.ts", {
  eager: true,
  query: "?raw",
  import: "default",
});

/** The files that a module brings with it, types aside: what esbuild would bundle. */
function closure(entry: string): Set<string> {
  const seen = new Set<string>();
  const visit = (file: string) => {
    if (seen.has(file) || sources[file] === undefined) return;
    seen.add(file);
    for (const [, path] of sources[file].matchAll(
      /^(?:import|export|\}) [^;]*?from "(\.[^"]+)"/gm,
    )) {
      const parts = [...file.split("/").slice(0, -1), ...(path as string).split("/")];
      const whole: string[] = [];
      for (const part of parts) {
        if (part === ".." && whole.at(-1) !== ".." && whole.length > 0) whole.pop();
        else if (part !== ".") whole.push(part);
      }
      const name = whole.join("/");
      visit(`${name}.ts`);
      visit(`${name}/index.ts`);
    }
  };
  visit(entry);
  return seen;
}

/** Keys and families of keys that the files name. */
function named(files: Iterable<string>): { keys: string[]; families: string[] } {
  const text = [...files].map((file) => sources[file]).join("\n");
  const keys = [...text.matchAll(/"((?:ui|route)\.[\w.]*\w)"/g)].map(([, key]) => key as string);
  const families = [...text.matchAll(/`((?:ui)\.[\w.]+\.)\$\{/g)].map(([, key]) => key as string);
  return { keys: [...new Set(keys)], families: [...new Set(families)] };
}

const bundles = [
  ["training_monitor", "../src/training_monitor/index.ts"],
  ["layer_inspector", "../src/layer_inspector/index.ts"],
  ["saliency_viewer", "../src/saliency_viewer/index.ts"],
  ["decision_boundary", "../src/decision_boundary/index.ts"],
  ["offline", "../src/offline.ts"],
] as const;

describe.each(bundles)("the words in the bundle of %s", (entry, file) => {
  const en = kept(CATALOGUES.en, entry, "en");
  const files = closure(file);
  const { keys, families } = named(files);

  it("are found by following its imports", () => {
    expect(files.size).toBeGreaterThan(2);
    expect(files.has("../src/ui/i18n.ts")).toBe(true);
    const others = bundles.map(([, other]) => other).filter((other) => other !== file);
    for (const other of others) expect(files.has(other)).toBe(false);
  });

  it("hold every key that its code names", () => {
    // The host of saved pages is not drawn by the widgets' frame, whose one sentence it imports.
    const missing = keys.filter((key) => !Object.hasOwn(en, key));
    expect(entry === "offline" ? missing.filter((key) => key !== "ui.fault") : missing).toEqual([]);
    for (const family of families) {
      const all = Object.keys(CATALOGUES.en).filter((key) => key.startsWith(family));
      expect(all.filter((key) => !Object.hasOwn(en, key))).toEqual([]);
    }
  });

  it("hold no sentence of the view that its code does not name", () => {
    const asked = (key: string) =>
      keys.some((name) => key === name || key.startsWith(`${name}.`)) ||
      families.some((family) => key.startsWith(family));
    const ours = Object.keys(en).filter((key) => key.startsWith("ui."));
    // Titles of blocks and names of numbers come from the kernel as keys, to be translated here.
    const sent = (key: string) => entry === "layer_inspector" && key.startsWith("ui.inspector.");
    expect(ours.filter((key) => !asked(key) && !sent(key))).toEqual([]);
  });

  it("are the same keys in both languages, events aside", () => {
    const zh = Object.keys(kept(CATALOGUES.zh, entry, "zh"));
    expect(zh.filter((key) => !KEYS[entry].foreign.some((name) => key.startsWith(name)))).toEqual(
      Object.keys(en),
    );
  });
});

describe("a translation in a bundle", () => {
  it.each(bundles)("says in %s what the catalogue says", (entry) => {
    const english = kept(CATALOGUES.en, entry, "en");
    const chinese = kept(CATALOGUES.zh, entry, "zh");
    const code = translated(english, chinese)
      .replace(/^import .*$/m, "")
      .replace("export default", "return");
    const found: unknown = new Function("english", code)(english);
    expect(found).toEqual(chinese);
  });

  it("keeps keys that English leaves out", () => {
    expect(translated({ a: "1" }, { a: "一", b: "二" })).toContain('{"b":"二"}');
  });
});

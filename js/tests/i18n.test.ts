/// <reference types="vite/client" />
import { describe, expect, it } from "vitest";
import { CATALOGUES, resolveLanguage, wordsFor } from "../src/ui/i18n";

const sources = import.meta.glob<string>("../src/**/*.ts", {
  eager: true,
  query: "?raw",
  import: "default",
});
const holes = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort();

describe("catalogues", () => {
  it("hold the same keys with the same placeholders in both languages", () => {
    expect(Object.keys(CATALOGUES.zh).sort()).toEqual(Object.keys(CATALOGUES.en).sort());
    for (const [key, text] of Object.entries(CATALOGUES.en)) {
      expect(holes(CATALOGUES.zh[key] ?? ""), key).toEqual(holes(text));
    }
  });

  it("hold every key that a view names", () => {
    const named = Object.values(sources).flatMap((source) => [
      ...source.matchAll(/"(ui\.[\w.]+)"/g),
    ]);
    expect(named.length).toBeGreaterThan(50);
    for (const [, key] of named) expect(CATALOGUES.en, key).toHaveProperty([key as string]);
  });

  it("hold every key that a view puts together", () => {
    const families = new Set(
      Object.values(sources)
        .flatMap((source) => [...source.matchAll(/`(ui\.[\w.]+\.)\$\{/g)])
        .map(([, family]) => family as string),
    );
    expect(families).toContain("ui.state.");
    for (const family of families) {
      const keys = Object.keys(CATALOGUES.en).filter((key) => key.startsWith(family));
      expect(keys.length, family).toBeGreaterThan(1);
    }
  });
});

describe("resolveLanguage", () => {
  it("asks the trait, then the page, then the browser", () => {
    expect(resolveLanguage("zh", "en", ["en"])).toBe("zh");
    expect(resolveLanguage("", "zh-CN", ["en"])).toBe("zh");
    expect(resolveLanguage("", "", ["fr", "zh-TW", "en"])).toBe("zh");
    expect(resolveLanguage("", "", ["fr"])).toBe("en");
    expect(resolveLanguage("", "de", ["zh"])).toBe("en");
    expect(resolveLanguage(undefined, "", [])).toBe("en");
  });
});

describe("words", () => {
  it("fill in values once, as text", () => {
    const words = wordsFor("en");
    expect(words("ui.go_to", { step: "{step} <b>" })).toBe("Go to step {step} <b>");
    expect(words("ui.go_to")).toBe("Go to step {step}");
    expect(words("ui.go_to", { constructor: 1 })).toBe("Go to step {step}");
  });

  it("say one thing as one", () => {
    const words = wordsFor("en");
    expect(words("ui.inspector.totals.modules", { count: "1" })).toBe("1 module");
    expect(words("ui.inspector.totals.modules", { count: 1 })).toBe("1 module");
    expect(words("ui.inspector.totals.modules", { count: "0" })).toBe("0 modules");
    expect(words("ui.inspector.totals.modules", { count: "1,000" })).toBe("1,000 modules");
    expect(wordsFor("zh")("ui.inspector.totals.modules", { count: "1" })).toBe("1 个模块");
  });

  it("show the key where a sentence is missing", () => {
    expect(wordsFor("zh")("ui.no_such_key")).toBe("ui.no_such_key");
    expect(wordsFor("zh").has("ui.no_such_key")).toBe(false);
    expect(wordsFor("zh").has("toString")).toBe(false);
  });
});

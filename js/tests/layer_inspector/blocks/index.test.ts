import { describe, expect, it } from "vitest";
import {
  histogramPart,
  LAYERS,
  layerOf,
  linesPart,
  mapsPart,
  numbersPart,
  termsPart,
} from "../../../demo/blocks/layers";
import { readLayer } from "../../../src/layer_inspector/blocks";
import { opened } from "./list";

const note = { kind: "note", text: "Something to bear in mind.", meta: { level: "warning" } };

describe("the list of blocks", () => {
  it.each(Object.keys(LAYERS))("draws %s, each part with a name", (name) => {
    const page = opened();
    page.draw(LAYERS[name]?.() ?? null);
    for (const section of page.all(".nnw-block")) {
      const title = document.getElementById(section.getAttribute("aria-labelledby") ?? "");
      expect(title?.textContent).toMatch(/\S/);
    }
    for (const picture of page.all("[role=application], [role=img], [tabindex][role=group]")) {
      if (picture.closest("[hidden]") !== null) continue;
      expect(picture.getAttribute("aria-label")).toMatch(/\S{2}/);
    }
    for (const button of page.all("button")) {
      expect(button.getAttribute("aria-label") ?? button.textContent).toMatch(/\S/);
    }
    const text = page.root.textContent ?? "";
    expect(text).not.toContain("undefined");
    expect(page.root.innerHTML).not.toContain("ui.inspector");
    expect(page.root.innerHTML).not.toMatch(/\{\w+\}/);
  });

  it("keeps elements, focus and scroll while numbers change", () => {
    const page = opened();
    const parts = (seed: number) => [mapsPart(8, 4, {}, seed), histogramPart(), termsPart()];
    page.draw(layerOf(parts(1)));
    const before = page.all(".nnw-blocks *");
    const tile = page.all<HTMLButtonElement>(".nnw-map-tile")[2] as HTMLButtonElement;
    tile.focus();
    page.find(".nnw-terms-scroll").scrollTop = 40;
    for (const seed of [2, 3]) page.draw(layerOf(parts(seed)));
    expect(page.all(".nnw-blocks *")).toEqual(before);
    expect(document.activeElement).toBe(tile);
    expect(page.find(".nnw-terms-scroll").scrollTop).toBe(40);
  });

  it("say what they show where the kernel has no title for them", () => {
    const page = opened();
    const bare = { ...histogramPart(), text: "", key: "", params: {} };
    page.draw(layerOf([bare, termsPart()]));
    const [title] = page.all(".nnw-block-histogram .nnw-block-title");
    expect(title?.textContent).toBe("How many numbers have which value");
    expect(title?.classList.contains("nnw-spoken")).toBe(false);
    expect(page.find(".nnw-terms-input").textContent).toBe("input: channel · row, column");
  });

  it("leaves the others alone when a block comes or goes", () => {
    const page = opened();
    page.draw(layerOf([mapsPart(4, 4), histogramPart()]));
    const [maps, histogram] = page.all(".nnw-block");
    (page.find(".nnw-map-tile") as HTMLElement).focus();
    page.draw(layerOf([note, mapsPart(4, 4), numbersPart(), histogramPart()]));
    const kinds = [...page.find(".nnw-blocks").children].map((part) => part.className);
    expect(kinds).toEqual([
      "nnw-block-note",
      "nnw-block nnw-block-maps",
      "nnw-block nnw-block-numbers",
      "nnw-block nnw-block-histogram",
    ]);
    expect(page.find(".nnw-block-maps")).toBe(maps);
    expect(page.find(".nnw-block-histogram")).toBe(histogram);
    expect(document.activeElement?.className).toBe("nnw-map-tile");
    page.draw(layerOf([histogramPart()]));
    expect(page.all(".nnw-block")).toEqual([histogram]);
  });

  it("begins anew with another layer, but keeps the choice of a log axis", () => {
    const page = opened();
    page.draw(layerOf([histogramPart()]));
    const first = page.find(".nnw-block-histogram");
    page.find<HTMLInputElement>("input").click();
    page.draw(layerOf([histogramPart()], { name: "7" }));
    expect(page.find(".nnw-block-histogram")).not.toBe(first);
    expect(page.find<HTMLInputElement>("input").checked).toBe(true);
  });

  it("says what it cannot draw, and shows nothing of no layer", () => {
    const page = opened();
    page.draw(layerOf([{ kind: "hologram" }]));
    expect(page.root.textContent).toContain("cannot draw “hologram”");
    page.draw(null);
    expect(page.find(".nnw-blocks").children).toHaveLength(0);
  });

  it("survives blocks without their arrays", () => {
    const page = opened();
    const kinds = "maps map bars matrix attention histogram numbers ridge lines terms".split(" ");
    const rest = "arithmetic samples image outputs note".split(" ");
    page.draw(layerOf([...kinds, ...rest].map((kind) => ({ kind }))));
    page.list.repaint();
    expect(page.find(".nnw-blocks").children).toHaveLength(15);
  });

  it("paints again when asked, in the colours of the theme", () => {
    const page = opened();
    page.draw(layerOf([mapsPart(2, 3, { signed: true }), linesPart()]));
    const image = () => {
      const images = page.calls.filter(({ name }) => name === "putImageData");
      const last = images.at(-1)?.args[0];
      if (!(last instanceof ImageData)) throw new Error("nothing was painted");
      return [...last.data];
    };
    const light = image();
    page.root.dataset.theme = "dark";
    page.calls.length = 0;
    page.list.repaint();
    expect(image()).not.toEqual(light);
    expect(page.calls.some(({ name }) => name === "lineTo")).toBe(true);
  });

  it("listens no longer once it is gone", () => {
    const page = opened();
    page.draw(layerOf([mapsPart(4, 4)]));
    const tile = page.find(".nnw-map-tile");
    page.draw(null);
    tile.click();
    expect(page.picked).toEqual([]);
    page.draw(layerOf([mapsPart(4, 4)]));
    page.controller.abort();
    page.find(".nnw-map-tile").click();
    expect(page.picked).toEqual([]);
  });
});

describe("readLayer", () => {
  it("gives each block its own arrays, also the eleventh", () => {
    const many = Array.from({ length: 12 }, () => histogramPart());
    const layer = layerOf([...many.slice(0, 11), linesPart()]);
    expect(Object.keys(layer.blocks[1]?.arrays ?? {})).toEqual(["counts", "edges"]);
    expect(Object.keys(layer.blocks[11]?.arrays ?? {})).toEqual(["steps", "values"]);
    expect(layer.blocks[11]?.shapes.values).toEqual([2, 80]);
  });

  it("makes do with what is missing or of the wrong kind", () => {
    const layer = readLayer({
      meta: {
        step: "x",
        unit: [1, "b"],
        blocks: [null, { kind: 3, title: { key: "k" } }],
        tabs: 5,
      },
      arrays: {},
      shapes: {},
    });
    expect(layer).toMatchObject({ step: null, unit: null, row: -1, tabs: [], name: "" });
    expect(layer.blocks).toHaveLength(1);
    expect(layer.blocks[0]).toMatchObject({ kind: "", title: { key: "k", params: {}, text: "" } });
    const whole = readLayer({ meta: { unit: [1, 2, 3], step: 0 }, arrays: {}, shapes: {} });
    expect(whole).toMatchObject({ unit: [1, 2, 3], step: 0 });
  });
});

/** What can be done with a drawn point that is explained. */

import { describe, expect, it, vi } from "vitest";
import { readValue, valueText } from "../../src/decision_boundary/value_field";
import { boundary, elsewhere, requests, settle } from "./boundary";

describe("a drawn point that is explained", () => {
  const chosen = async () => {
    const shown = boundary();
    const drawn = shown.model.world.points.all.find(({ y }) => y === 0);
    if (!drawn) throw new Error("no point");
    elsewhere(shown.model, "point", { at: drawn.x.slice(0, 2), id: drawn.id });
    await settle();
    const named = (name: string) =>
      [...shown.find(".nnw-point .nnw-draw-row").querySelectorAll("button")].find(
        ({ textContent }) => textContent === name,
      );
    return { ...shown, id: drawn.id, own: named };
  };

  it("is named by where it stands, not by where the click was", async () => {
    const { model, find } = boundary();
    const drawn = model.world.points.all[3];
    const [x = 0, y = 0] = drawn?.x ?? [];
    elsewhere(model, "point", { at: [x + 0.04, y - 0.03], id: drawn?.id });
    await settle();
    const numbers = find(".nnw-point h3")
      .textContent?.replaceAll("−", "-")
      .match(/-?\d+\.\d+/g);
    const errors = numbers?.map((one, k) => Math.abs(Number(one) - ([x, y][k] ?? 0)));
    expect(Math.max(...(errors ?? [1]))).toBeLessThan(0.01);
  });

  it("can be given another class", async () => {
    const { model, id, own, find } = await chosen();
    const group = find('.nnw-point [aria-label="This point’s class"]');
    expect(group.querySelector('[aria-pressed="true"]')?.textContent).toBe("A");
    own("C")?.click();
    await settle();
    expect(requests(model).slice(1)).toEqual([["label", { ids: [id], y: 2 }]]);
    expect(model.world.points.find(id)?.y).toBe(2);
    expect(group.querySelector('[aria-pressed="true"]')?.textContent).toBe("C");
  });

  it("can be taken away, and is explained no longer", async () => {
    const { model, id, own, shown: seen, all } = await chosen();
    own("Delete this point")?.click();
    await settle();
    expect(requests(model).slice(1)).toEqual([
      ["delete", { ids: [id] }],
      ["unpoint", {}],
    ]);
    expect(seen(".nnw-point")).toBe(false);
    expect(document.activeElement?.classList.contains("nnw-plane")).toBe(true);
    expect(all(".nnw-spoken").at(-1)?.textContent).toContain("removed");
  });

  it("is offered no class where a place without a point is explained", async () => {
    const { model, seen, find } = boundary();
    elsewhere(model, "point", { at: [0.2, 0.1], id: null });
    await settle();
    expect(seen(find(".nnw-point .nnw-draw-row"))).toBe(false);
  });
});

describe("a drawn point of a regression", () => {
  const valued = async () => {
    const shown = boundary({ data: "values" });
    const drawn = shown.model.world.points.all[3];
    if (!drawn) throw new Error("no point");
    elsewhere(shown.model, "point", { at: drawn.x.slice(0, 2), id: drawn.id });
    await settle();
    const field = shown.find<HTMLInputElement>('input[aria-label="This point’s value"]');
    const type = (text: string) => {
      field.value = text;
      field.dispatchEvent(new Event("input"));
    };
    const enter = async (text: string) => {
      type(text);
      field.dispatchEvent(new Event("change"));
      await settle();
    };
    const value = () => shown.model.world.points.find(drawn.id)?.y;
    return { ...shown, field, type, enter, value, id: drawn.id, first: drawn.y as number };
  };

  it("can be given another value, which can be taken back", async () => {
    const { model, id, field, enter, value, first, named, text, seen, find } = await valued();
    expect(seen(field)).toBe(true);
    expect(seen(find(".nnw-point .nnw-class-choice"))).toBe(false);
    expect(Number(field.value.replace("−", "-"))).toBeCloseTo(first, 5);
    await enter("−2.5");
    expect(requests(model).slice(1)).toEqual([["label", { ids: [id], y: -2.5 }]]);
    expect([value(), field.value]).toEqual([-2.5, "−2.5"]);
    model.advance(1);
    await settle();
    expect(text(".nnw-verdict")).toContain("The point has −2.50.");
    named("Undo").click();
    await settle();
    expect(value()).toBe(first);
    expect(Number(field.value.replace("−", "-"))).toBeCloseTo(first, 5);
  });

  it("keeps its value when nothing, no number or the same is typed", async () => {
    const { model, field, enter, type, press, value, first } = await valued();
    const written = field.value;
    for (const wrong of ["", " ", "0,5", "one", "1e999"]) {
      await enter(wrong);
      expect([wrong, field.getAttribute("aria-invalid")]).toEqual([wrong, "true"]);
      expect(field.value).toBe(wrong);
    }
    press("Escape", field);
    expect([field.value, field.getAttribute("aria-invalid")]).toEqual([written, null]);
    await enter(written);
    type("7");
    model.advance(1);
    await settle();
    // Neither what comes meanwhile nor a redraw takes away what is being typed.
    expect(field.value).toBe("7");
    press("Escape", field);
    expect(field.value).toBe(written);
    expect(requests(model)).toHaveLength(1);
    expect(value()).toBe(first);
  });

  it("shows its own value again when the kernel refuses another", async () => {
    const { model, field, enter } = await valued();
    const written = field.value;
    const act = vi.spyOn(model as unknown as { act(): unknown }, "act");
    act.mockImplementation(() => "A number is too large for points of the type float32.");
    await enter("1e300");
    expect(field.value).toBe(written);
    act.mockRestore();
  });

  it("does not lose what is typed to the answer about the value before", async () => {
    const { field, enter, type, value } = await valued();
    field.value = "1";
    field.dispatchEvent(new Event("change"));
    type("12");
    await settle();
    expect([value(), field.value]).toEqual([1, "12"]);
    await enter("12");
    expect(value()).toBe(12);
  });

  it("is offered no value in a plot of classes, nor where no point is explained", async () => {
    const { model, find, seen } = boundary();
    elsewhere(model, "point", { at: model.world.points.all[3]?.x.slice(0, 2) ?? [], id: 3 });
    await settle();
    const label = 'input[aria-label="This point’s value"]';
    expect(seen(find(label))).toBe(false);
    const values = boundary({ data: "values" });
    elsewhere(values.model, "point", { at: [0.2, 0.1], id: null });
    await settle();
    expect(values.seen(values.find(label))).toBe(false);
  });

  it("writes and reads values with six figures and either minus sign", () => {
    const numbers = [0.1, -0.926876123, 1e-9, 123456789, -0, 25];
    expect(numbers.map((y) => valueText(y))).toEqual([
      "0.1",
      "−0.926876",
      "1e−9",
      "123457000",
      "0",
      "25",
    ]);
    // 32 bits of 0.1 are another number, which nobody wants to read.
    expect(valueText(Math.fround(0.1))).toBe("0.1");
    expect([valueText(null), valueText(Number.NaN)]).toEqual(["", ""]);
    expect(["−1.5", " -1.5 ", "1e−3", "+2", ".5"].map(readValue)).toEqual([
      -1.5, -1.5, 0.001, 2, 0.5,
    ]);
    expect(["", "1,5", "1 000", "Infinity", "NaN"].map(readValue)).toEqual(Array(5).fill(null));
  });
});

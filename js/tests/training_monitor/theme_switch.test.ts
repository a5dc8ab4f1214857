import { afterEach, describe, expect, it } from "vitest";
import { monitor, page, settle } from "./monitor";

const root = document.documentElement;

/** A theme as JupyterLab brings it: a style sheet of variables. */
function sheet(variables: Record<string, string>): HTMLStyleElement {
  const style = document.createElement("style");
  const lines = Object.entries(variables).map(([name, value]) => `${name}: ${value};`);
  style.textContent = `:root { ${lines.join(" ")} }`;
  document.head.append(style);
  return style;
}

const LIGHT = { "--nnw-series-1": "rgb(1, 2, 3)", "--nnw-muted": "rgb(10, 10, 10)" };
const DARK = { "--nnw-series-1": "rgb(4, 5, 6)", "--nnw-muted": "rgb(200, 200, 200)" };

/** The colours of all that was painted since the last time. */
function painted(): Set<unknown> {
  const colours = page.calls.flatMap(({ name, strokeStyle, fillStyle }) =>
    name === "stroke" ? [strokeStyle] : name === "fill" ? [fillStyle] : [],
  );
  page.calls.length = 0;
  return new Set(colours);
}

afterEach(() => {
  for (const name of ["data-jp-theme-light", "data-jp-theme-name"]) {
    document.body.removeAttribute(name);
  }
  root.removeAttribute("style");
  document.head.replaceChildren();
});

describe("a switch of JupyterLab's theme", () => {
  it("paints every canvas in the new colours, with no new data", async () => {
    document.body.dataset.jpThemeLight = "true";
    const light = sheet(LIGHT);
    const { find } = monitor();
    await settle();
    expect(painted()).toContain(LIGHT["--nnw-series-1"]);
    await settle(1000);
    expect(painted().size).toBe(0);

    light.remove();
    sheet(DARK);
    document.body.dataset.jpThemeLight = "false";
    await settle();
    expect(find(".nnw").dataset.theme).toBe("dark");
    const colours = painted();
    expect(colours).toContain(DARK["--nnw-series-1"]);
    for (const old of Object.values(LIGHT)) expect(colours).not.toContain(old);
  });

  it("is followed when its style sheet comes after the attribute", async () => {
    document.body.dataset.jpThemeLight = "true";
    const light = sheet(LIGHT);
    monitor();
    await settle();
    document.body.dataset.jpThemeLight = "false";
    await settle();
    painted();
    light.remove();
    sheet(DARK);
    await settle(400);
    expect(painted()).toContain(DARK["--nnw-series-1"]);
  });

  it.each(["--nnw-series-1", "--nnw-accent", "--nnw-grid", "--nnw-error"])(
    "is seen although only %s differs between the two",
    async (token) => {
      document.body.dataset.jpThemeLight = "true";
      const first = sheet({ ...LIGHT, [token]: "rgb(7, 7, 7)" });
      monitor();
      await settle();
      painted();
      first.remove();
      sheet({ ...LIGHT, [token]: "rgb(8, 8, 8)" });
      document.body.dataset.jpThemeName = "Another Light";
      await settle();
      expect(painted().size).toBeGreaterThan(0);
    },
  );
});

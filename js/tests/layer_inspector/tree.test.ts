import { describe, expect, it } from "vitest";
import { residual, transformer } from "../../demo/networks";
import { inspector, requests, settle } from "./inspector";

describe("the tree", () => {
  it("is a tree of rows with name, type, shape and badges in words", () => {
    const { row, find } = inspector();
    expect(find('[role="tree"]').getAttribute("aria-label")).toBe("Modules");
    const relu = row("6");
    expect(relu?.getAttribute("role")).toBe("treeitem");
    expect(relu?.textContent).toBe("6ReLU6 dead1×32×14×14");
    expect(relu?.getAttribute("aria-selected")).toBe("true");
    expect(relu?.title).toContain("no sample moves them");
    expect(row("4")?.title).toContain("4,640 parameters of its own");
    expect(row("1")?.textContent).toContain("saturated");
  });

  it("says of a module what is frozen, tied or failed", () => {
    const gpt = inspector({ network: transformer(1), selected: "lm_head" });
    expect(gpt.row("lm_head")?.textContent).toContain("tied");
    expect(gpt.row("lm_head")?.title).toContain("Shares parameters with transformer.wte");
    const net = residual();
    const fc = net.modules.at(-1);
    if (fc !== undefined) fc.failed = true;
    const resnet = inspector({ network: net, selected: "fc" });
    expect(inspector({ network: net }).row("conv1")?.textContent).toContain("frozen");
    expect(resnet.row("fc")?.textContent).toContain("failed");
  });

  it("chooses with a click, and shows the choice before the kernel has answered", async () => {
    const { model, row, text } = inspector();
    row("9")?.click();
    await settle(1);
    expect(requests(model)).toEqual([["select", { layer: "9" }]]);
    expect(row("9")?.getAttribute("aria-selected")).toBe("true");
    expect(text(".nnw-layer-heading")).toBe("9 · Linear");
    await settle();
    expect(model.selected).toBe("9");
    expect(row("9")?.getAttribute("aria-selected")).toBe("true");
    expect(row("6")?.getAttribute("aria-selected")).toBe("false");
  });

  it("keeps the choice that a kernel refuses where it was, and says why", async () => {
    const { model, row, text } = inspector();
    model.network.modules.splice(9, 1);
    row("9")?.click();
    await settle();
    expect(row("6")?.getAttribute("aria-selected")).toBe("true");
    expect(text(".nnw-problem")).toContain("no layer is called 9.");
  });

  it("follows a choice made in Python", async () => {
    const { model, row } = inspector({ network: transformer(12), selected: "" });
    expect(row("transformer.h.7.mlp.act")).toBeNull();
    model.selected = "transformer.h.7.mlp.act";
    model.publish();
    await settle();
    const chosen = row("transformer.h.7.mlp.act");
    expect(chosen?.getAttribute("aria-selected")).toBe("true");
    expect(chosen?.tabIndex).toBe(0);
  });
});

describe("a large tree", () => {
  const open = () => inspector({ network: transformer(110), selected: "transformer.wte" });

  it("has only the rows in the window in the document", async () => {
    const { all, find, press, row } = open();
    row("transformer.wte")?.focus();
    press("*");
    const rows = () => all(".nnw-tree-row").length;
    expect(rows()).toBeLessThan(40);
    expect(find(".nnw-tree-rows").style.height).toBe(`${1327 * 26}px`);
    const tree = find(".nnw-tree");
    tree.scrollTop = 20_000;
    tree.dispatchEvent(new Event("scroll"));
    expect(rows()).toBeLessThan(40);
    const tops = all(".nnw-tree-row").map(({ style }) => Number.parseInt(style.top, 10));
    expect(tops).toEqual([...tops].sort((a, b) => a - b));
    expect(tops.filter((top) => top >= 20_000 && top < 20_150).length).toBeGreaterThanOrEqual(5);
  });

  it("keeps the row that has the focus, though it is scrolled away", () => {
    const { find, row, press } = open();
    row("transformer.wte")?.focus();
    press("*");
    const tree = find(".nnw-tree");
    tree.scrollTop = 20_000;
    tree.dispatchEvent(new Event("scroll"));
    expect(document.activeElement).toBe(row("transformer.wte"));
    press("ArrowDown");
    expect(document.activeElement).toBe(row("transformer.wpe"));
    expect(tree.scrollTop).toBeLessThan(100);
  });

  it("has one tab stop at all times", () => {
    const { all, find, press, row } = open();
    row("transformer.wte")?.focus();
    for (const key of ["*", "End", "Home", "PageDown", "ArrowLeft", "ArrowUp"]) {
      press(key);
      expect(all('.nnw-tree-row[tabindex="0"]')).toEqual([document.activeElement]);
    }
    find(".nnw-tree").dispatchEvent(new Event("scroll"));
    expect(all('.nnw-tree-row[tabindex="0"]')).toHaveLength(1);
  });
});

describe("keys", () => {
  it("walk, open, close and choose", async () => {
    const { model, press, row } = inspector({ network: residual(), selected: "" });
    row("conv1")?.focus();
    press("End");
    expect(document.activeElement).toBe(row("fc"));
    for (const letter of "layer1") press(letter);
    expect(document.activeElement).toBe(row("layer1"));
    expect(row("layer1")?.getAttribute("aria-expanded")).toBe("true");
    press("ArrowLeft");
    expect(row("layer1")?.getAttribute("aria-expanded")).toBe("false");
    expect(row("layer1.0")).toBeNull();
    press("ArrowRight");
    press("ArrowRight");
    expect(document.activeElement).toBe(row("layer1.0"));
    press("Enter");
    await settle();
    expect(requests(model)).toEqual([["select", { layer: "layer1.0" }]]);
  });

  it("a click on the arrow opens and closes, and chooses nothing", async () => {
    const { model, row } = inspector({ network: residual(), selected: "" });
    row("layer2")?.querySelector<HTMLElement>(".nnw-twisty")?.click();
    expect(row("layer2")?.getAttribute("aria-expanded")).toBe("false");
    row("layer2")?.dispatchEvent(new MouseEvent("dblclick", { bubbles: true }));
    expect(row("layer2")?.getAttribute("aria-expanded")).toBe("true");
    await settle();
    expect(requests(model)).toEqual([]);
  });
});

describe("search", () => {
  const type = (field: HTMLInputElement, text: string) => {
    field.value = text;
    field.dispatchEvent(new Event("input"));
  };

  it("marks what it finds, keeps what leads there, and says how many", async () => {
    const { all, find, row, text } = inspector({ network: residual(), selected: "" });
    type(find<HTMLInputElement>(".nnw-search"), "layer3 downs");
    await settle();
    expect(all(".nnw-tree-row").map((item) => item.dataset.name)).toEqual([
      "layer3",
      "layer3.0",
      "layer3.0.downsample",
      "layer3.0.downsample.0",
      "layer3.0.downsample.1",
    ]);
    expect(row("layer3.0.downsample")?.querySelector("mark")?.textContent).toBe("downs");
    expect(row("layer3")?.classList).toContain("nnw-kept");
    expect(text(".nnw-fault")).toBe("");
    expect(text(".nnw-found")).toBe("3 layers found");
  });

  it("Enter chooses the first found, Escape gives the tree back, nothing found is said", async () => {
    const { model, find, press, all, shown } = inspector({ network: residual(), selected: "" });
    const field = find<HTMLInputElement>(".nnw-search");
    type(field, "linear");
    await settle();
    press("Enter", field);
    await settle();
    expect(requests(model)).toEqual([["select", { layer: "fc" }]]);
    type(field, "quux");
    await settle();
    expect(all(".nnw-tree-row")).toHaveLength(0);
    expect(shown(".nnw-tree-nothing")).toBe(true);
    press("Escape", field);
    await settle();
    expect(field.value).toBe("");
    expect(all(".nnw-tree-row").length).toBeGreaterThan(5);
  });

  it("arrow down leads from the field into the rows", async () => {
    const { find, press, row } = inspector({ selected: "" });
    const field = find<HTMLInputElement>(".nnw-search");
    type(field, "pool");
    await settle();
    press("ArrowDown", field);
    expect(document.activeElement).toBe(row("3"));
  });
});

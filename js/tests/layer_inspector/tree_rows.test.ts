import { describe, expect, it } from "vitest";
import { digits, type Network, residual, transformer, treeMeta } from "../../demo/networks";
import { pack } from "../../demo/pack";
import { type ModuleRow, readTree } from "../../src/layer_inspector/state";
import {
  childrenOf,
  firstDepth,
  marks,
  moveOf,
  OPEN_AT_FIRST,
  Openness,
  terms,
  typedTo,
  visibleRows,
} from "../../src/layer_inspector/tree_rows";
import { unpack } from "../../src/wire";
import { randomFrom } from "../ui/chart_fixtures";

const rowsOf = (network: Network): ModuleRow[] =>
  readTree(unpack(pack(treeMeta(network, null, true)))).rows;

const shown = (rows: ModuleRow[], openness = new Openness(), search = "") =>
  visibleRows(rows, childrenOf(rows), openness, search);
const names = (rows: ModuleRow[], visible: { row: number }[]) =>
  visible.map(({ row }) => rows[row]?.name);

describe("flattening", () => {
  it("shows a flat model row by row", () => {
    const rows = rowsOf(digits());
    expect(names(rows, shown(rows))).toEqual(rows.map(({ name }) => name));
    expect(shown(rows)[3]).toEqual({
      row: 3,
      parent: false,
      open: false,
      level: 1,
      position: 4,
      siblings: 13,
      match: false,
    });
  });

  it("leaves out what lies in a closed module, and counts siblings as screen readers do", () => {
    const rows = rowsOf(residual());
    const openness = new Openness();
    for (const row of rows) if (row.depth === 0) openness.set(row, false);
    const visible = shown(rows, openness);
    expect(names(rows, visible)).toEqual([
      "conv1",
      "bn1",
      "relu",
      "maxpool",
      "layer1",
      "layer2",
      "layer3",
      "layer4",
      "avgpool",
      "fc",
    ]);
    expect(visible[4]).toMatchObject({ parent: true, open: false, position: 5, siblings: 10 });
    openness.set(rows[visible[4]?.row ?? -1] as ModuleRow, true);
    expect(names(rows, shown(rows, openness)).slice(4, 8)).toEqual([
      "layer1",
      "layer1.0",
      "layer1.0.conv1",
      "layer1.0.bn1",
    ]);
  });

  it("opens a deep model only as far as it can be taken in", () => {
    for (const network of [residual(), transformer(12), transformer(110)]) {
      const rows = rowsOf(network);
      const openness = new Openness();
      openness.startAt(firstDepth(rows));
      const top = rows.filter(({ depth }) => depth === 0).length;
      expect(shown(rows, openness).length).toBeLessThanOrEqual(Math.max(top, OPEN_AT_FIRST));
    }
    expect(firstDepth(rowsOf(digits()))).toBe(Number.POSITIVE_INFINITY);
  });

  it("reveals a row by opening what stands above it, and nothing else", () => {
    const rows = rowsOf(transformer(12));
    const openness = new Openness();
    openness.startAt(0);
    const row = rows.findIndex(({ name }) => name === "transformer.h.3.attn.c_proj");
    expect(openness.reveal(rows, row)).toBe(true);
    expect(openness.reveal(rows, row)).toBe(false);
    const visible = names(rows, shown(rows, openness));
    expect(visible).toContain("transformer.h.3.attn.c_proj");
    expect(visible).not.toContain("transformer.h.4.attn");
  });

  it("agrees with a slow rule on random trees: a row is seen if all above it are open", () => {
    for (let seed = 1; seed <= 30; seed++) {
      const random = randomFrom(seed);
      const template = rowsOf(digits())[0] as ModuleRow;
      const rows: ModuleRow[] = [];
      for (let i = 0; i < 40; i++) {
        const parent = i === 0 || random() < 0.2 ? -1 : Math.floor(random() * i);
        const depth = parent < 0 ? 0 : (rows[parent]?.depth ?? 0) + 1;
        rows.push({ ...template, name: `m${i}`, short: `m${i}`, parent, depth });
      }
      const openness = new Openness();
      for (const row of rows) openness.set(row, random() < 0.6);
      const isSeen = (row: number): boolean => {
        const above = rows[row]?.parent ?? -1;
        if (above < 0) return true;
        return openness.isOpen(rows[above] as ModuleRow) && isSeen(above);
      };
      const visible = shown(rows, openness);
      const expected = rows.flatMap((_, row) => (isSeen(row) ? [row] : []));
      expect(visible.map(({ row }) => row).sort((a, b) => a - b)).toEqual(expected);
      // Parents stand above their children, one level further out.
      visible.forEach(({ row, level }, place) => {
        const above = rows[row]?.parent ?? -1;
        const at = visible.findIndex((other) => other.row === above);
        expect(at).toBeLessThan(place);
        expect(level).toBe(above < 0 ? 1 : (visible[at]?.level ?? 0) + 1);
      });
    }
  });
});

describe("search", () => {
  const rows = rowsOf(residual());

  it("finds by name and by type, keeps what leads there, whatever is closed", () => {
    const openness = new Openness();
    openness.setAll(rows, false);
    const visible = shown(rows, openness, "layer2 downsample BATCH");
    expect(names(rows, visible)).toEqual([
      "layer2",
      "layer2.0",
      "layer2.0.downsample",
      "layer2.0.downsample.1",
    ]);
    expect(visible.map(({ match }) => match)).toEqual([false, false, false, true]);
    expect(visible.map(({ parent, open }) => [parent, open])).toEqual([
      [true, true],
      [true, true],
      [true, true],
      [false, false],
    ]);
    expect(visible.every(({ siblings }) => siblings === 1)).toBe(true);
  });

  it("finds nothing for what is not there, and everything for nothing", () => {
    expect(shown(rows, new Openness(), "transformer")).toEqual([]);
    expect(shown(rows, new Openness(), "  ")).toHaveLength(rows.length);
  });

  it("marks each place once, joined where words overlap", () => {
    expect(marks("c_attn.attn", terms("attn c_at"))).toEqual([
      [0, 6],
      [7, 11],
    ]);
    expect(marks("relu", terms("x"))).toEqual([]);
    expect(marks("aaa", terms("a"))).toEqual([[0, 3]]);
  });
});

describe("keys", () => {
  const rows = rowsOf(residual());
  const openness = new Openness();
  openness.setAll(rows, true);
  const visible = shown(rows, openness);
  const at = (name: string) => visible.findIndex(({ row }) => rows[row]?.name === name);

  it.each([
    ["ArrowDown", "conv1", { to: 1 }],
    ["ArrowUp", "conv1", { to: 0 }],
    ["End", "conv1", { to: visible.length - 1 }],
    ["ArrowDown", "fc", { to: visible.length - 1 }],
    ["Home", "fc", { to: 0 }],
    ["PageDown", "conv1", { to: 10 }],
    ["PageUp", "bn1", { to: 0 }],
    ["ArrowRight", "layer1", { to: at("layer1.0") }],
    ["ArrowLeft", "layer1", { close: at("layer1") }],
    ["ArrowLeft", "layer1.1.relu", { to: at("layer1.1") }],
    ["ArrowLeft", "conv1", null],
    ["ArrowRight", "conv1", null],
    ["*", "conv1", { openAll: true }],
    ["Enter", "bn1", { choose: 1 }],
    [" ", "bn1", { choose: 1 }],
    ["x", "bn1", null],
  ])("%s on %s", (key, name, expected) => {
    expect(moveOf(key, visible, at(name), 10)).toEqual(expected);
  });

  it("open a closed module before they go into it", () => {
    openness.set(rows[visible[4]?.row ?? -1] as ModuleRow, false);
    expect(moveOf("ArrowRight", shown(rows, openness), 4, 10)).toEqual({ open: 4 });
    openness.set(rows[visible[4]?.row ?? -1] as ModuleRow, true);
  });

  it("do nothing in an empty tree", () => {
    expect(moveOf("ArrowDown", [], 0, 10)).toBeNull();
    expect(typedTo("a", [], [], 0)).toBeNull();
  });

  it("typed letters go to the next row that begins with them, by name or by type", () => {
    expect(typedTo("max", rows, visible, 0)).toBe(at("maxpool"));
    expect(typedTo("f", rows, visible, at("conv1"))).toBe(at("fc"));
    // The same letter again goes on to the next.
    const first = typedTo("b", rows, visible, 0) as number;
    expect(first).toBe(at("bn1"));
    expect(typedTo("bb", rows, visible, first)).toBe(at("layer1.0"));
    // A longer word stays where it is as long as it fits.
    expect(typedTo("bn", rows, visible, first)).toBe(first);
    expect(typedTo("zzz", rows, visible, 0)).toBeNull();
  });
});

/** A layer as the drawing code sees it: what is shown of it, and the blocks that show it. */

import type { Json, JsonObject, NumberArray, Unpacked } from "../../wire";

export type Unit = number | number[];

/** A key of the catalogue, what stands in its gaps, and how the kernel wrote it. */
export interface Title {
  key: string;
  params: Record<string, string>;
  text: string;
}

/** One part of a picture; `nnwidgets/probe/blocks.py` makes it. */
export interface BlockData {
  kind: string;
  title: Title | null;
  meta: JsonObject;
  arrays: Record<string, NumberArray>;
  shapes: Record<string, number[]>;
}

export interface LayerPicture {
  seq: number;
  name: string;
  /** Of the tree; -1 if the layer stands in none. */
  row: number;
  tab: string;
  /** Null before the first step. */
  step: number | null;
  source: string;
  sampleIndex: number;
  unit: Unit | null;
  unitKind: string;
  /** With the batch, as it is written: "1×32×14×14". */
  shape: string;
  calls: number;
  sort: string;
  options: JsonObject;
  /** Names of the tabs that have something to show. */
  tabs: string[];
  blocks: BlockData[];
}

/** Reads the packed `_layer`; what is missing or of the wrong kind becomes its usual value. */
export function readLayer({ meta, arrays, shapes }: Unpacked): LayerPicture {
  const blocks = Array.isArray(meta.blocks) ? meta.blocks : [];
  return {
    seq: numberOr(meta.seq, 0),
    name: textOr(meta.name, ""),
    row: numberOr(meta.row, -1),
    tab: textOr(meta.tab, ""),
    step: typeof meta.step === "number" ? meta.step : null,
    source: textOr(meta.source, "probe"),
    sampleIndex: numberOr(meta.sample_index, 0),
    unit: readUnit(meta.unit),
    unitKind: textOr(meta.unit_kind, "unit"),
    shape: textOr(meta.shape, ""),
    calls: numberOr(meta.calls, 1),
    sort: textOr(meta.sort, ""),
    options: isObject(meta.options) ? meta.options : {},
    tabs: textsOf(meta.tabs),
    blocks: blocks.flatMap((block, index) =>
      isObject(block) ? [readBlock(block, `${index}.`, arrays, shapes)] : [],
    ),
  };
}

function readBlock(
  block: JsonObject,
  prefix: string,
  arrays: Unpacked["arrays"],
  shapes: Unpacked["shapes"],
): BlockData {
  const own = <T>(all: Record<string, T>): Record<string, T> =>
    Object.fromEntries(
      Object.entries(all).flatMap(([name, value]) =>
        name.startsWith(prefix) ? [[name.slice(prefix.length), value]] : [],
      ),
    );
  return {
    kind: textOr(block.kind, ""),
    title: readTitle(block),
    meta: isObject(block.meta) ? block.meta : {},
    arrays: own(arrays),
    shapes: own(shapes),
  };
}

function readTitle({ title, text }: JsonObject): Title | null {
  const written = textOr(text, "");
  if (!isObject(title)) return written === "" ? null : { key: "", params: {}, text: written };
  const params = isObject(title.params) ? title.params : {};
  return {
    key: textOr(title.key, ""),
    params: Object.fromEntries(Object.entries(params).map(([name, value]) => [name, `${value}`])),
    text: written,
  };
}

export function readUnit(unit: Json | undefined): Unit | null {
  if (typeof unit === "number") return unit;
  if (!Array.isArray(unit)) return null;
  const places = unit.filter((place) => typeof place === "number");
  return places.length === unit.length && places.length > 0 ? places : null;
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export const numberOr = <T>(value: Json | undefined, otherwise: T): number | T =>
  typeof value === "number" ? value : otherwise;

export const textOr = (value: Json | undefined, otherwise: string): string =>
  typeof value === "string" ? value : otherwise;

export const textsOf = (value: Json | undefined): string[] =>
  Array.isArray(value) ? value.map((item) => String(item ?? "")) : [];

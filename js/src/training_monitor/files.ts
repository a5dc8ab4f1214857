/** Export: the kernel writes the file, with every point; without one, what the page holds. */

import type { Chart } from "../ui/chart";
import { chartsToPng } from "../ui/picture";
import type { NamedFile } from "../ui/save";
import type { Curves, Series } from "./state";

export type ExportFormat = "png" | "svg" | "csv" | "json";

/** A file name made of a title: letters and figures of any script, nothing a system objects to. */
export function fileName(title: string, format: ExportFormat): string {
  const stem = title
    .normalize("NFC")
    .replace(/[^\p{L}\p{N}._-]+/gu, "_")
    .replace(/^[._]+|_+$/g, "");
  return `${stem === "" ? "training" : stem}.${format}`;
}

/** What the page holds, as a file: buckets of the curves, or the picture on the screen. */
export async function fileHeld(
  format: ExportFormat,
  title: string,
  curves: Curves,
  charts: Chart[],
): Promise<NamedFile> {
  const name = fileName(title, format);
  if (format === "png") return { name, content: await chartsToPng(charts, title) };
  if (format === "csv") return { name, content: new Blob([toCsv(curves)], { type: "text/csv" }) };
  if (format === "json") {
    return { name, content: new Blob([toJson(title, curves)], { type: "application/json" }) };
  }
  throw new Error("an SVG is drawn by the kernel");
}

const COLUMNS = ["x", "x1", "t", "lo", "hi", "mean"] as const;
const HEADINGS = ["first_step", "last_step", "seconds", "lowest", "highest", "mean"];

function* buckets(series: Series): Generator<number[]> {
  for (let i = 0; i < series.x.length; i++) yield COLUMNS.map((key) => series[key][i] as number);
}

const quoted = (text: string): string =>
  /[",\n\r]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;

/** One line per bucket and series; NaN and infinities as Python's float() reads them. */
export function toCsv(curves: Curves): string {
  const lines = [["series", ...HEADINGS].join(",")];
  const cell = (value: number) =>
    Number.isNaN(value) ? "nan" : String(value).replace("Infinity", "inf");
  for (const { series } of curves.panels.flatMap((panel) =>
    panel.series.map((s) => ({ series: s })),
  )) {
    for (const row of buckets(series))
      lines.push([quoted(series.name), ...row.map(cell)].join(","));
  }
  return `${lines.join("\r\n")}\r\n`;
}

/** Strict JSON: what is not finite becomes null. */
export function toJson(title: string, curves: Curves): string {
  const finite = (value: number) => (Number.isFinite(value) ? value : null);
  const series = curves.panels.flatMap((panel) =>
    panel.series.map((item) => ({
      name: item.name,
      points: item.points,
      best: item.best,
      columns: Object.fromEntries(
        COLUMNS.map((key, i) => [HEADINGS[i], Array.from(item[key], finite)]),
      ),
    })),
  );
  return JSON.stringify({ title, series }, null, 1);
}

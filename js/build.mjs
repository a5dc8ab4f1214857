/**
 * Builds one self-contained ES module and one style sheet per widget into ../nnwidgets/static.
 *
 *   node build.mjs            minified, sizes checked, licences collected
 *   node build.mjs --watch    rebuilds on change, with source maps
 *   node build.mjs --demo     the page that runs the widget without Python, into demo/dist
 */
import { readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { gzipSync } from "node:zlib";
import * as esbuild from "esbuild";

const root = import.meta.dirname;
const out = path.join(root, "../nnwidgets/static");
/** A widget's bundle crosses the comm whole and is saved with every notebook. */
const LIMIT = 60_000;
const entries = {
  training_monitor: "src/training_monitor/index.ts",
  offline: "src/offline.ts",
};
/**
 * Catalogue keys that views render. Python writes findings and messages itself: their long
 * sentences need not travel in every notebook. Of events it sends the keys, which a view
 * translates when it speaks another language.
 */
const PREFIXES = { en: ["ui.", "route."], zh: ["ui.", "route.", "event."] };

const catalogue = {
  name: "catalogue",
  setup(build) {
    build.onLoad({ filter: /catalogue[\\/](en|zh)\.json$/ }, async ({ path: file }) => {
      const all = Object.entries(JSON.parse(await readFile(file, "utf8")));
      const prefixes = PREFIXES[path.basename(file, ".json")];
      const kept = all.filter(([key]) => prefixes.some((prefix) => key.startsWith(prefix)));
      return { contents: JSON.stringify(Object.fromEntries(kept)), loader: "json" };
    });
  },
};

const common = {
  absWorkingDir: root,
  bundle: true,
  target: ["es2022"],
  charset: "utf8",
  logLevel: "warning",
  plugins: [catalogue],
  metafile: true,
};

/** The real licence file of every package that ended up in a bundle. */
async function licences(inputs) {
  const packages = new Set();
  for (const input of inputs) {
    const found = /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(input);
    if (found) packages.add(found[1]);
  }
  const parts = ["Third-party software contained in the files of this folder.\n"];
  for (const name of [...packages].sort()) {
    const folder = path.join(root, "node_modules", name);
    const { version, license } = JSON.parse(
      await readFile(path.join(folder, "package.json"), "utf8"),
    );
    const text = await readFile(path.join(folder, "LICENSE"), "utf8");
    parts.push(`${"-".repeat(80)}\n${name} ${version} (${license})\n\n${text.trim()}\n`);
  }
  return parts.join("\n");
}

async function build() {
  const result = await esbuild.build({
    ...common,
    entryPoints: entries,
    outdir: out,
    format: "esm",
    minify: true,
    legalComments: "none",
  });
  const tooBig = [];
  for (const file of Object.keys(result.metafile.outputs).sort()) {
    const size = gzipSync(await readFile(path.join(root, file)), { level: 9 }).length;
    console.log(`${path.basename(file).padEnd(24)} ${(size / 1000).toFixed(1)} kB gzipped`);
    if (size > LIMIT) tooBig.push(path.basename(file));
  }
  const text = await licences(Object.keys(result.metafile.inputs));
  await writeFile(path.join(out, "THIRD_PARTY_LICENSES.txt"), text);
  if (tooBig.length > 0) {
    console.error(`larger than ${LIMIT / 1000} kB gzipped: ${tooBig.join(", ")}`);
    process.exitCode = 1;
  }
}

async function demo() {
  const folder = path.join(root, "demo/dist");
  await rm(folder, { recursive: true, force: true });
  // A classic script: browsers refuse module scripts on file:// pages.
  await esbuild.build({
    ...common,
    entryPoints: { demo: "demo/demo.ts" },
    outdir: folder,
    format: "iife",
    sourcemap: "inline",
  });
  await writeFile(
    path.join(folder, "index.html"),
    await readFile(path.join(root, "demo/index.html")),
  );
  console.log(path.join("demo", "dist", "index.html"));
}

if (process.argv.includes("--demo")) {
  await demo();
} else if (process.argv.includes("--watch")) {
  const context = await esbuild.context({
    ...common,
    entryPoints: entries,
    outdir: out,
    format: "esm",
    sourcemap: "inline",
    logLevel: "info",
  });
  await context.watch();
} else {
  await build();
}

/**
 * Builds one self-contained ES module and one style sheet per widget into ../nnwidgets/static.
 *
 *   node build.mjs            minified, sizes checked, licences collected
 *   node build.mjs --watch    rebuilds on change, with source maps
 *   node build.mjs --demo     the pages that run the widgets without Python, into demo/dist
 */
import { copyFile, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { gzipSync } from "node:zlib";
import * as esbuild from "esbuild";
import { KEYS, kept, translated } from "./catalogue.mjs";
import { scoped } from "./scope.mjs";

const root = import.meta.dirname;
const out = path.join(root, "../nnwidgets/static");
/** A widget's bundle crosses the comm whole and is saved with every notebook. */
const LIMIT = 60_000;
const entries = {
  training_monitor: "src/training_monitor/index.ts",
  layer_inspector: "src/layer_inspector/index.ts",
  saliency_viewer: "src/saliency_viewer/index.ts",
  decision_boundary: "src/decision_boundary/index.ts",
  offline: "src/offline.ts",
};

/** Leaves of the catalogue what `entry` shows; all of it where no list is kept. */
const catalogue = (entry) => ({
  name: "catalogue",
  setup(build) {
    const part = async (file) => {
      const all = JSON.parse(await readFile(file, "utf8"));
      return entry in KEYS ? kept(all, entry, path.basename(file, ".json")) : all;
    };
    build.onLoad({ filter: /catalogue[\\/]en\.json$/ }, async ({ path: file }) => {
      return { contents: JSON.stringify(await part(file)), loader: "json" };
    });
    build.onLoad({ filter: /catalogue[\\/]zh\.json$/ }, async ({ path: file }) => {
      const english = path.join(path.dirname(file), "en.json");
      const contents = translated(await part(english), await part(file));
      return { contents, loader: "js", watchFiles: [english] };
    });
  },
});

/** Binds the styles of a widget to its root element (see scope.mjs). */
const styles = (entry) => ({
  name: "styles",
  setup(build) {
    build.onLoad({ filter: /\.css$/ }, async ({ path: file }) => {
      const css = await readFile(file, "utf8");
      return { contents: scoped(css, `nnw-${entry.replaceAll("_", "-")}`), loader: "css" };
    });
  },
});

const common = {
  absWorkingDir: root,
  bundle: true,
  target: ["es2022"],
  charset: "utf8",
  logLevel: "warning",
  metafile: true,
};

/** What esbuild is told for one widget: each has its own part of the catalogue. */
const bundle = (entry) => ({
  ...common,
  entryPoints: { [entry]: entries[entry] },
  outdir: out,
  format: "esm",
  plugins: [catalogue(entry), styles(entry)],
});

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
  const options = { minify: true, legalComments: "none" };
  const results = await Promise.all(
    Object.keys(entries).map((entry) => esbuild.build({ ...bundle(entry), ...options })),
  );
  const tooBig = [];
  const outputs = results.flatMap(({ metafile }) => Object.keys(metafile.outputs));
  for (const file of outputs.sort()) {
    const size = gzipSync(await readFile(path.join(root, file)), { level: 9 }).length;
    console.log(`${path.basename(file).padEnd(24)} ${(size / 1000).toFixed(1)} kB gzipped`);
    if (size > LIMIT) tooBig.push(path.basename(file));
  }
  const text = await licences(results.flatMap(({ metafile }) => Object.keys(metafile.inputs)));
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
    entryPoints: {
      demo: "demo/demo.ts",
      inspector: "demo/inspector.ts",
      saliency: "demo/saliency.ts",
      boundary: "demo/boundary.ts",
    },
    outdir: folder,
    format: "iife",
    sourcemap: "inline",
  });
  for (const page of ["index.html", "inspector.html", "saliency.html", "boundary.html"]) {
    await copyFile(path.join(root, "demo", page), path.join(folder, page));
    console.log(path.join("demo", "dist", page));
  }
}

if (process.argv.includes("--demo")) {
  await demo();
} else if (process.argv.includes("--watch")) {
  for (const entry of Object.keys(entries)) {
    const context = await esbuild.context({
      ...bundle(entry),
      sourcemap: "inline",
      logLevel: "info",
    });
    await context.watch();
  }
} else {
  await build();
}

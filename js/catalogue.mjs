/**
 * Which sentences of the catalogue each bundle carries.
 *
 * Python writes findings and messages itself: their long sentences need not travel in every
 * notebook, nor those of one widget with another. Of events Python sends the keys, which a view
 * translates when it speaks another language. An entry that ends in a dot stands for all keys that
 * begin with it, another for itself and what is below it. A test holds the lists against the code.
 */

/** What stands at the head of every widget, and its notices. */
const SHARED = [
  "route.",
  "ui.clicks.",
  "ui.cost",
  "ui.dismiss",
  "ui.export",
  "ui.fault",
  "ui.live",
  "ui.progress",
  "ui.queued.",
  "ui.severity.",
  "ui.state.",
  "ui.step_at",
  "ui.time",
  "ui.withdraw",
  "ui.working",
];

/** What pictures, scales and samples say, wherever they stand. */
const LOOKING = [
  "ui.inspector.cancel",
  "ui.inspector.field",
  "ui.inspector.keys",
  "ui.inspector.keys_pick",
  "ui.inspector.mark.",
  "ui.inspector.samples",
  "ui.inspector.scale",
];

export const KEYS = {
  training_monitor: {
    keep: ["route.", "ui."],
    leave: ["ui.inspector.", "ui.saliency.", "ui.boundary."],
    foreign: ["event."],
  },
  layer_inspector: {
    keep: [...SHARED, "ui.inspector."],
    leave: ["ui.export."],
    foreign: [],
  },
  saliency_viewer: {
    keep: [...SHARED, ...LOOKING, "ui.saliency."],
    leave: ["ui.export."],
    foreign: [],
  },
  decision_boundary: {
    keep: [...SHARED, ...LOOKING, "ui.boundary."],
    leave: ["ui.export.", "ui.inspector.samples", "ui.severity."],
    foreign: [],
  },
  offline: { keep: ["ui.connection.offline"], leave: [], foreign: [] },
};

const covers = (entry, key) =>
  entry.endsWith(".") ? key.startsWith(entry) : key === entry || key.startsWith(`${entry}.`);

/**
 * The part of a catalogue that an entry's bundle carries.
 *
 * @param {Record<string, string>} catalogue
 * @param {keyof typeof KEYS} entry
 * @param {string} language
 * @returns {Record<string, string>}
 */
export function kept(catalogue, entry, language) {
  const { keep, leave, foreign } = KEYS[entry];
  const wanted = language === "en" ? keep : [...keep, ...foreign];
  return Object.fromEntries(
    Object.entries(catalogue).filter(
      ([key]) => wanted.some((one) => covers(one, key)) && !leave.some((one) => covers(one, key)),
    ),
  );
}

/**
 * The module that stands for a translation: its sentences in the order of the English keys.
 *
 * To write all keys twice would be up to a kilobyte of each bundle.
 *
 * @param {Record<string, string>} english
 * @param {Record<string, string>} translation
 * @returns {string} its code, which imports the English one
 */
export function translated(english, translation) {
  const keys = Object.keys(english);
  const more = Object.entries(translation).filter(([key]) => !(key in english));
  return `import english from "./en.json";
const sentences = ${JSON.stringify(keys.map((key) => translation[key]))};
const pairs = Object.keys(english).map((key, i) => [key, sentences[i]]);
export default { ...Object.fromEntries(pairs), ...${JSON.stringify(Object.fromEntries(more))} };`;
}

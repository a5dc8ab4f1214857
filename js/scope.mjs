/**
 * Keeps the style sheet of one widget to that widget.
 *
 * Each bundle carries its own copy of the shared sheets, and a page may show several widgets: the
 * copy that is loaded last would win over the other widget's own rules, which follow the shared
 * ones only in their own file. So every selector is bound to the root element of its widget, which
 * has the classes `nnw` and `root`, and all of them gain one class, so that their order stays.
 */

/** What may hold brackets that mean nothing: comments and strings. */
const OPAQUE = /\/\*[\s\S]*?\*\/|"(?:\\[\s\S]|[^"])*"|'(?:\\[\s\S]|[^'])*'/y;
/** Blocks whose content is rules again. */
const GROUPS = /^@(media|container|supports|layer)\b/;

/** @returns `css` with every selector bound to elements at or below the class `root` */
export function scoped(css, root) {
  let result = "";
  let at = 0;
  while (at < css.length) {
    const open = find(css, at, "{;}");
    const prelude = css.slice(at, open);
    const head = prelude.replace(/\/\*[\s\S]*?\*\//g, "").trim();
    if (css[open] !== "{") {
      // The end of a group, a statement such as @import, or of the sheet.
      result += css.slice(at, open + 1);
      at = open + 1;
    } else if (GROUPS.test(head)) {
      result += `${prelude}{`;
      at = open + 1;
    } else {
      const close = blockEnd(css, open);
      const selectors = head.startsWith("@") ? prelude : `\n${bound(head, root)} `;
      result += selectors + css.slice(open, close);
      at = close;
    }
  }
  return result;
}

function bound(selectors, root) {
  const parts = [];
  let from = 0;
  while (from <= selectors.length) {
    const to = find(selectors, from, ",");
    parts.push(boundOne(selectors.slice(from, to).trim(), root));
    from = to + 1;
  }
  return parts.join(", ");
}

function boundOne(selector, root) {
  const own = new RegExp(`^(:where\\()?\\.(nnw|${root})(?![\\w-])`).exec(selector);
  if (own === null) return `.${root} ${selector}`;
  const other = own[2] === root ? "nnw" : root;
  return `${own[0]}.${other}${selector.slice(own[0].length)}`;
}

/** Place of the first of `wanted` outside of strings, comments and brackets; the end if none. */
function find(text, from, wanted) {
  let depth = 0;
  for (let at = from; at < text.length; at++) {
    OPAQUE.lastIndex = at;
    if (OPAQUE.test(text)) at = OPAQUE.lastIndex - 1;
    else if (depth === 0 && wanted.includes(text[at])) return at;
    else if ("([".includes(text[at])) depth++;
    else if (")]".includes(text[at])) depth--;
  }
  return text.length;
}

/** Place behind the brace that closes the one at `open`. */
function blockEnd(text, open) {
  let depth = 0;
  let at = open;
  do {
    if (text[at] === "{") depth++;
    else if (text[at] === "}") depth--;
    at = depth === 0 ? at + 1 : find(text, at + 1, "{}");
  } while (depth > 0 && at < text.length);
  return at;
}

#!/usr/bin/env bash
# remark-gfm 4.0.1 (GitHub's Markdown, as many dashboards show it): a backslash does not keep an address from becoming a link.
#
# Expected: "https\://..." stays text, as "\*" stays a star. Seen: addresses are looked for in the text that is left after escapes were
# taken out, so the link is made all the same. A word joiner inside the address keeps it text.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-fund --no-audit remark-parse@11.0.0 remark-gfm@4.0.1 unified@11.0.5 >/dev/null
cat > look.mjs <<'JS'
import remarkGfm from "remark-gfm";
import remarkParse from "remark-parse";
import { unified } from "unified";

const parser = unified().use(remarkParse).use(remarkGfm);
const isLink = (text) => {
  const tree = parser.runSync(parser.parse(text));
  return JSON.stringify(tree).includes('"type":"link"');
};
const cases = {
  "an escaped star": ["\\*not strong\\*", false],
  "an address": ["see https://example.org/a", true],
  "an escaped address": ["see https\\:\\/\\/example\\.org\\/a", true],
  "an address with a word joiner": ["see https\u2060://example.org/a", false],
};
let changed = 0;
for (const [name, [text, expected]] of Object.entries(cases)) {
  const seen = isLink(text);
  console.log("remark-gfm 4.0.1 |", name, "| link:", seen);
  if (seen !== expected) changed += 1;
}
process.exit(changed);
JS
node look.mjs

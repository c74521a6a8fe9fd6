#!/bin/sh
# Bundle CodeMirror into one file, as it is vendored for the rule editor: ./build.sh FOLDER
# Needs node and npm, here and now only. The same versions (package-lock.json) give the same bytes.
set -eu
out=$(realpath "${1:?where to: a folder}")
here=$(dirname "$(realpath "$0")")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$here"/package.json "$here"/package-lock.json "$here"/entry.js "$work"
cd "$work"
npm ci --ignore-scripts --no-audit --no-fund
npm rebuild esbuild --no-audit --no-fund
npx esbuild entry.js --bundle --format=esm --target=es2022 --minify --charset=utf8 --legal-comments=none \
  --outfile="$out/codemirror.js"
# One notice for all that went in: each package's own licence, the same text once.
node -e '
const fs = require("fs"), path = require("path"), by = new Map();
const walk = (dir) => fs.readdirSync(dir, {withFileTypes: true}).filter(d => d.isDirectory()).flatMap(d =>
  d.name.startsWith("@") ? walk(path.join(dir, d.name)) : d.name.startsWith(".") ? [] : [path.join(dir, d.name)]);
for (const dir of walk("node_modules").sort()) {
  const about = JSON.parse(fs.readFileSync(path.join(dir, "package.json")));
  if (/esbuild/.test(about.name)) continue;
  const text = fs.readFileSync(path.join(dir, "LICENSE"), "utf8").trim();
  by.set(text, [...(by.get(text) || []), `${about.name} ${about.version} (${about.license})`]);
}
let out = "";
for (const [text, names] of by) out += names.join("\n") + "\n\n" + text + "\n\n---\n\n";
fs.writeFileSync(process.argv[1], out.replace(/\n---\n\n$/, ""));
' "$out/codemirror.LICENSE.txt"
ls -l "$out"/codemirror*

// Bundles the page: `node build.mjs OUT`. The same sources and the same locked packages give the
// same bytes; build.json says which sources and which bytes belong together.

import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";

const SOURCES = [
  "build.mjs",
  "package-lock.json",
  "package.json",
  ...readdirSync("src")
    .sort()
    .map((name) => `src/${name}`),
];
const COPIED = ["index.html", "icon.svg"];
const LICENCES = /^(LICEN[CS]E|NOTICE)/i;

const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");
const digests = (folder, names) =>
  Object.fromEntries(names.map((name) => [name, sha256(readFileSync(join(folder, name)))]));

async function bundle(out) {
  const { metafile } = await build({
    entryPoints: ["src/main.js", "src/app.css"],
    entryNames: "app",
    outdir: out,
    bundle: true,
    minify: true,
    format: "iife",
    target: "es2022",
    charset: "utf8",
    legalComments: "none",
    metafile: true,
  });
  return Object.keys(metafile.inputs);
}

/** The packages that are part of the bundle, each with the licence under which it is passed on. */
function licences(inputs) {
  const names = inputs
    .map((path) => /^node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1])
    .filter(Boolean);
  return [...new Set(names)].sort().map(licence).join("\n\n");
}

function licence(name) {
  const folder = join("node_modules", name);
  const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const texts = readdirSync(folder)
    .filter((file) => LICENCES.test(file))
    .sort()
    .map((file) => readFileSync(join(folder, file), "utf8").trim());
  if (!texts.length)
    throw new Error(`${name} ${version} has no licence file: look how it may be passed on`);
  return `==== ${name} ${version} ====\n\n${texts.join("\n\n")}\n`;
}

const out = process.argv[2];
if (!out) throw new Error("say where to: node build.mjs OUT");
mkdirSync(out, { recursive: true });
const inputs = await bundle(out);
for (const name of COPIED) copyFileSync(join("src", name), join(out, name));
writeFileSync(join(out, "licences.txt"), licences(inputs));
const built = ["app.css", "app.js", ...COPIED, "licences.txt"].sort();
writeFileSync(
  join(out, "build.json"),
  `${JSON.stringify({ sources: digests(".", SOURCES), built: digests(out, built) }, null, 1)}\n`,
);

// Builds dist/: the compiled TypeScript, and beside each node what Node-RED reads there: its dialogue
// with the editor script inside, its locales, and the icons.
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const dist = path.join(root, 'dist');
const quiet = process.argv.includes('--quiet');

if (process.argv.includes('--clean')) {
  rmSync(dist, { recursive: true, force: true });
  process.exit(0);
}

let tsc;
try {
  tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
} catch {
  console.error('build: TypeScript is missing; run "npm ci" first');
  process.exit(1);
}

function compile(project) {
  try {
    execFileSync(process.execPath, [tsc, '-p', path.join(root, project)], { cwd: root, stdio: 'inherit' });
  } catch {
    console.error(`build: ${project} does not compile (see above)`);
    process.exit(1);
  }
}
compile('tsconfig.json');
compile('tsconfig.editor.json');

// What was compiled from a source that is gone would still be tested, or packed.
for (const file of readdirSync(dist, { recursive: true })) {
  const source = /^(editor[\\/])?(.+?)(\.d\.ts|\.js|\.js\.map)$/.exec(file);
  if (source && !existsSync(path.join(root, `${source[2]}.ts`))) rmSync(path.join(dist, file));
}

const nodesOut = path.join(dist, 'nodes');
for (const file of readdirSync(path.join(root, 'nodes')).filter((name) => name.endsWith('.html'))) {
  const type = file.slice(0, -'.html'.length);
  const dialogue = readFileSync(path.join(root, 'nodes', file), 'utf8');
  const script = readFileSync(path.join(dist, 'editor', 'nodes', `${type}.editor.js`), 'utf8')
    .replace(/^"use strict";\n/, '')
    .replace(/^\/\/# sourceMappingURL.*\n?/m, '');
  writeFileSync(
    path.join(nodesOut, file),
    `<script type="text/javascript">\n${script.trimEnd()}\n</script>\n\n${dialogue}`,
  );
}

function copyFolder(from, to) {
  if (!existsSync(from)) return;
  rmSync(to, { recursive: true, force: true });
  mkdirSync(path.dirname(to), { recursive: true });
  cpSync(from, to, { recursive: true });
}
copyFolder(path.join(root, 'nodes', 'locales'), path.join(nodesOut, 'locales'));
copyFolder(path.join(root, 'icons'), path.join(nodesOut, 'icons'));
if (!quiet) console.log('build: dist/ is up to date');

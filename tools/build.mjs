// Builds dist/: the compiled TypeScript, and beside each node what Node-RED reads there: its dialogue
// with the editor script inside, its locales, and the icons.
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
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

/**
 * An editor script in one piece, for it stands in the dialogue's HTML: each module that it imports, directly or not, is
 * a constant before it. Modules from node_modules and of Node.js are refused.
 */
function linkedScript(entry) {
  const names = new Map();
  const pieces = [];
  const link = (file) => {
    const code = readFileSync(file, 'utf8')
      .replace(/^"use strict";\n/, '')
      .replace(/^\/\/# sourceMappingURL.*\n?/m, '')
      .replace(/\brequire\("([^"]+)"\)/g, (_call, imported) => {
        if (!imported.startsWith('.'))
          throw new Error(`${file} imports ${imported}, which browsers do not have`);
        const target = path.join(path.dirname(file), `${imported}.js`);
        if (!names.has(target)) link(target);
        return names.get(target);
      });
    const name = `module${names.size + 1}`;
    names.set(file, name);
    const isEntry = file === entry;
    pieces.push(isEntry ? code : `const ${name} = ((exports) => {\n${code}return exports;\n})({});\n`);
  };
  link(entry);
  return `(() => {\n"use strict";\nconst exports = {};\n${pieces.join('')}})();\n`;
}

/**
 * A node's dialogue with the rows that it shares with others: `<!-- include NAME.html key=value -->` stands for
 * nodes/common/NAME.html, in which `{{key}}` stands for the value and `{{type}}` for the node's type.
 */
function dialogueOf(type) {
  const html = readFileSync(path.join(root, 'nodes', `${type}.html`), 'utf8');
  return html.replace(/^( *)<!-- include (\S+)((?: \S+=\S+)*) -->\n/gm, (_line, indent, name, given) => {
    const values = new Map([
      ['type', type],
      ...given
        .trim()
        .split(' ')
        .map((value) => value.split('=')),
    ]);
    return readFileSync(path.join(root, 'nodes', 'common', name), 'utf8')
      .replace(/\{\{(\w+)\}\}/g, (_tag, key) => {
        if (!values.has(key)) throw new Error(`nodes/${type}.html includes ${name} without ${key}`);
        return values.get(key);
      })
      .replace(/^(?=.)/gm, indent);
  });
}

const nodesOut = path.join(dist, 'nodes');
const { 'node-red': registered } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
for (const type of Object.keys(registered.nodes)) {
  const script = linkedScript(path.join(dist, 'editor', 'nodes', `${type}.editor.js`));
  writeFileSync(
    path.join(nodesOut, `${type}.html`),
    `<script type="text/javascript">\n${script}</script>\n\n${dialogueOf(type)}`,
  );
}
// The editor loads the files of all nodes; the styles are needed once.
const [first] = Object.keys(registered.nodes);
const styles = readFileSync(path.join(root, 'nodes', 'common', 'dialogue.css'), 'utf8');
appendFileSync(path.join(nodesOut, `${first}.html`), `\n<style>\n${styles}</style>\n`);

// A plugin's HTML holds its styles; its script is linked as those of the dialogues are.
for (const file of readdirSync(path.join(root, 'plugins')).filter((name) => name.endsWith('.html'))) {
  const script = linkedScript(path.join(dist, 'editor', 'plugins', file.replace(/\.html$/, '.editor.js')));
  const styles = readFileSync(path.join(root, 'plugins', file), 'utf8');
  writeFileSync(
    path.join(dist, 'plugins', file),
    `<script type="text/javascript">\n${script}</script>\n\n${styles}`,
  );
}

function copyFolder(from, to) {
  if (!existsSync(from)) return;
  rmSync(to, { recursive: true, force: true });
  mkdirSync(path.dirname(to), { recursive: true });
  cpSync(from, to, { recursive: true });
}
copyFolder(path.join(root, 'nodes', 'locales'), path.join(nodesOut, 'locales'));
copyFolder(path.join(root, 'plugins', 'locales'), path.join(dist, 'plugins', 'locales'));
copyFolder(path.join(root, 'icons'), path.join(nodesOut, 'icons'));
if (!quiet) console.log('build: dist/ is up to date');

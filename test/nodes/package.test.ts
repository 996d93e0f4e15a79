import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

const REPOSITORY = path.resolve(__dirname, '../../..');
const read = (...names: string[]): string => readFileSync(path.join(REPOSITORY, ...names), 'utf8');

interface PackageJson {
  keywords: string[];
  license: string;
  files: string[];
  engines: { node: string };
  dependencies: Record<string, string>;
  'node-red': { version: string; nodes: Record<string, string> };
}

/** What `node-red-dev validate` asks of a package, as far as that needs no network; see docs/architecture.md. */
describe('The package, to the palette', () => {
  const packageJson = JSON.parse(read('package.json')) as PackageJson;
  const types = Object.keys(packageJson['node-red'].nodes);

  it('is found by its keyword, and says for which Node-RED and Node.js it is', () => {
    assert.ok(packageJson.keywords.includes('node-red'));
    assert.equal(packageJson.license, 'Apache-2.0');
    assert.equal(packageJson['node-red'].version, '>=4.0.0');
    assert.equal(packageJson.engines.node, '>=20');
  });

  it('has six dependencies at most', () => {
    assert.ok(Object.keys(packageJson.dependencies).length <= 6);
  });

  it('has an example for each node', () => {
    const files = readdirSync(path.join(REPOSITORY, 'examples')).filter((file) => file.endsWith('.json'));
    const used = files.flatMap((file) => JSON.parse(read('examples', file)) as { type: string }[]);
    for (const type of types)
      assert.ok(
        used.some((node) => node.type === type),
        `an example has a ${type}`,
      );
  });

  it('registers each type by its literal name, with an icon that is there', () => {
    for (const type of types) {
      const html = read('dist', 'nodes', `${type}.html`);
      const [, definition = ''] = html.split(`registerType('${type}', {`);
      assert.ok(definition, `${type} is registered`);
      const category = /category: '([^']+)'/.exec(definition)?.[1];
      const icon = /icon: '([^']+)'/.exec(definition)?.[1];
      if (category !== 'config') assert.ok(icon?.endsWith('.svg'), `${type} has an icon of the package`);
      if (icon !== undefined) assert.ok(existsSync(path.join(REPOSITORY, 'icons', icon)), icon);
    }
  });

  it('has icons of one kind: 40 by 60, white, without a colour of their own', () => {
    for (const icon of readdirSync(path.join(REPOSITORY, 'icons'))) {
      const svg = read('icons', icon);
      assert.match(
        svg,
        /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" width="40" height="60" viewBox="0 0 40 60">/,
      );
      const colours = [...svg.matchAll(/(?:fill|stroke)="([^"]+)"/g)].map(([, colour]) => colour);
      assert.deepEqual(
        colours.filter((colour) => colour !== '#fff' && colour !== 'none'),
        [],
        icon,
      );
      assert.ok(!/<style|<script|href/.test(svg), icon);
    }
  });
});

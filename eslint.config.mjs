import js from '@eslint/js';
import tseslint from 'typescript-eslint';

/** A folder of lib/ and what it may not import; see docs/architecture.md. */
const mayNotImport = (files, patterns, message) => ({
  files,
  rules: { 'no-restricted-imports': ['error', { patterns: [{ group: patterns, message }] }] },
});
const NODE_RED = ['node-red', 'node-red/*', '@node-red/*', '**/nodes/*', '**/plugins/*'];
const SDK = ['@aws-sdk/*', '@smithy/*'];

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', 'examples/', '.services/'] },
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { project: ['tsconfig.json', 'tsconfig.editor.json'] } },
    rules: {
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      eqeqeq: 'error',
    },
  },
  {
    files: ['test/**/*.ts', 'bench/**/*.ts'],
    rules: { '@typescript-eslint/no-non-null-assertion': 'off' },
  },
  mayNotImport(
    ['lib/object/**/*.ts', 'lib/layout/**/*.ts'],
    [...NODE_RED, ...SDK, '../batch/*', '../query/*', '../store/*', '../journal/*', '../delivery/*'],
    'lib/object and lib/layout know nobody but lib/errors',
  ),
  mayNotImport(
    ['lib/batch/**/*.ts', 'lib/query/**/*.ts', 'lib/browse/**/*.ts'],
    [...NODE_RED, ...SDK, '../store/s3-*'],
    'lib/batch, lib/query and lib/browse know the ObjectStore port, never the S3 adapter',
  ),
  mayNotImport(
    ['lib/journal/**/*.ts'],
    [
      ...NODE_RED,
      ...SDK,
      '../batch/*',
      '../query/*',
      '../store/*',
      '../delivery/*',
      '../layout/*',
      '../object/*',
    ],
    'lib/journal keeps records and knows nothing of what they mean',
  ),
  mayNotImport(
    ['lib/delivery/**/*.ts'],
    [...NODE_RED, ...SDK, '../query/*', '../store/s3-*'],
    'lib/delivery knows batches, the journal and the layout, neither Node-RED nor the S3 adapter',
  ),
  mayNotImport(['lib/store/**/*.ts', 'lib/*.ts'], NODE_RED, 'nothing in lib/ knows Node-RED'),
  mayNotImport(['nodes/**/*.ts', 'plugins/**/*.ts'], SDK, 'only lib/store knows the AWS SDK'),
  {
    files: ['**/*.mjs', '**/*.cjs'],
    languageOptions: {
      globals: { process: 'readonly', console: 'readonly', Buffer: 'readonly', URL: 'readonly' },
    },
  },
);

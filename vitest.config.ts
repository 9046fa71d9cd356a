import { defineConfig } from 'vitest/config';

const isRoot = process.getuid?.() === 0;

/**
 * They prepare this machine as root may: other users, mounts, networks, an address for a server, a full disk; or run a second engine inside.
 * What has to hold for a normal user, too, they try as one.
 */
const forRoot = [
  'rootless',
  'crash',
  'stress',
  'host-trouble',
  'nested',
  'interoperability',
  'show',
  'verify',
  'reproducible',
  'lock',
  'diffoscope',
];

/** What they are about does not depend on who runs the engine: as a normal user in `npm run test:full` only. */
const forAnybody = [
  'changes',
  'examples',
  'travelling-cache',
  'local-images',
  'package',
  'transcript',
  'bad-input',
  'push',
  'images',
  'cache',
  'code',
  'extension',
  'extension-commands',
  'extension-trouble',
  'lock-bases',
  'watch',
];

const full = process.env['DEVENV_TEST_FULL'] === '1';
const left = isRoot ? [] : full ? forRoot : [...forRoot, ...forAnybody];

/** The long ones, and the others in their long form, are for who changes what they are about, too: `.ci/run` sets DEVENV_TEST_BROWSER then. */
const inBrowser = ['code', 'extension'];
const longInBrowser = ['extension-commands', 'extension-trouble'];
const fullInBrowser = full || process.env['DEVENV_TEST_BROWSER'] === '1';

const endToEnd = { globalSetup: ['test/seed.ts'], testTimeout: 120_000, hookTimeout: 120_000 };

/** Each test file gets a process of its own: mount namespaces, signal handlers and DEVENV_BASE_DIR belong to a process. */
export default defineConfig({
  test: {
    pool: 'forks',
    maxWorkers: 2,
    passWithNoTests: false,
    chaiConfig: { truncateThreshold: 4000 }, // what failed in a run that is over is told by its messages alone
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['packages/**/*.test.ts', 'extension/src/**/*.test.ts', 'resolver/src/**/*.test.ts', 'scripts/**/*.test.ts'],
          testTimeout: 20_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          include: ['test/**/*.test.ts'],
          exclude: ['test/projects/**', ...[...left, ...inBrowser, ...longInBrowser].map((name) => `test/${name}.test.ts`)],
          ...endToEnd,
        },
      },
      {
        extends: true,
        test: {
          name: 'browser',
          include: [...inBrowser, ...(fullInBrowser ? longInBrowser : [])]
            .filter((name) => !left.includes(name))
            .map((name) => `test/${name}.test.ts`),
          env: fullInBrowser ? { DEVENV_TEST_FULL: '1' } : {},
          ...endToEnd,
          testTimeout: 300_000, // on a busy machine a page of VS Code takes a minute
        },
      },
    ],
  },
});

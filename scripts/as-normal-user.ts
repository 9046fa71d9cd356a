// Runs a command as a fresh user without privileges, and removes the user afterwards: `node scripts/as-normal-user.ts COMMAND…`.
// With --mapped the command runs as root of that user's namespace, as devenv itself does.
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { makeNormalUser } from './setup/normal-user.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const [first = '', ...rest] = process.argv.slice(2);
const command = first === '--mapped' ? [process.execPath, join(root, 'scripts/setup/mapped.ts'), ...rest] : [first, ...rest];
const user = makeNormalUser();
try {
  process.exitCode = await run(user.wrap(command));
} finally {
  await user.remove();
}

function run(words: readonly string[]): Promise<number> {
  const [program = '', ...args] = canRead() ? words : atOwnPlace(words);
  const env = { ...process.env, ...user.env, DEVENV_TEST_CACHE: join(user.home, 'test-cache') };
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd: canRead() ? root : user.home, env, stdio: 'inherit' });
    child.on('close', (code) => resolve(code ?? 1));
  });
}

function canRead(): boolean {
  const [program = '', ...args] = user.wrap(['test', '-r', join(root, 'package.json')]);
  return spawnSync(program, args).status === 0;
}

/** Shows a checkout in somebody's private folder at a place that the user can reach, to this command alone. */
function atOwnPlace(words: readonly string[]): string[] {
  const place = join(user.home, 'checkout');
  mkdirSync(place, { recursive: true });
  const show = `mount --bind '${root}' '${place}' && cd '${place}' && exec "$@"`;
  return [
    'unshare',
    '--mount',
    '--propagation',
    'private',
    'sh',
    '-c',
    show,
    'sh',
    ...words.map((word) => word.replaceAll(root, `${place}/`)),
  ];
}

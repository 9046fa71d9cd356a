// Runs a command as a fresh user without privileges, and removes the user afterwards: `node scripts/as-normal-user.mjs COMMAND…`.
// With --mapped the command runs as root of that user's namespace, as devenv itself does.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { makeNormalUser } from './setup/normal-user.mjs';
import { workspaceNode } from './setup/workspace-packages.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const [first, ...rest] = process.argv.slice(2);
const command = first === '--mapped' ? [workspaceNode, join(root, 'scripts/setup/mapped.ts'), ...rest] : [first, ...rest];
const user = await makeNormalUser();
try {
  process.exitCode = await run(user.wrap(command));
} finally {
  await user.remove();
}

function run([program, ...args]) {
  const env = { ...process.env, ...user.env, DEVENV_TEST_CACHE: join(user.home, 'test-cache') };
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd: root, env, stdio: 'inherit' });
    child.on('close', (code) => resolve(code ?? 1));
  });
}

// Runs a command as root of the user's namespace: for tests of what runs in this process.
import { spawnSync } from 'node:child_process';
import process from 'node:process';
import { directories } from '../../packages/core/src/base/directories.ts';
import { becomeMappedRoot } from '../../packages/core/src/engine/embedded/user-namespace.ts';

await becomeMappedRoot(directories(process.env, process.getuid!()));
const [program = '', ...args] = process.argv.slice(2);
process.exitCode = spawnSync(program, args, { stdio: 'inherit' }).status ?? 1;

// Runs a command as root of the user's namespace: for tests of what runs in this process.
import { spawnSync } from 'node:child_process';
import process from 'node:process';
import { directories } from '../../packages/core/src/base/directories.ts';
import { idMapping } from '../../packages/core/src/base/user-namespace.ts';
import { becomeMappedRoot, holderOf, releaseHolder } from '../../packages/core/src/engine/embedded/user-namespace.ts';

const places = directories(process.env, idMapping().user.uid);
await becomeMappedRoot(places);
const holder = holderOf(places); // the command may remove all that there is
const [program = '', ...args] = process.argv.slice(2);
process.exitCode = spawnSync(program, args, { stdio: 'inherit' }).status ?? 1;
await releaseHolder(places, holder);

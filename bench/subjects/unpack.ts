import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, mkdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { outputOf, timed } from '../command.ts';
import type { Subject } from '../measure.ts';
import type { Ours } from '../ours.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** A large layer: Debian with a Node project's packages. Ours checks both digests, tar none. */
export async function unpack(ours: Ours): Promise<Subject[]> {
  const folder = join(ours.work, 'unpack');
  mkdirSync(folder);
  const tar = join(folder, 'layer.tar');
  // Names that fit into a header: how longer ones are written differs between formats.
  const script = `tar -C "$1" -cf "$3" .
    cd "$2" && find . -regextype posix-extended -not -regex '.{85,}' -not -path './node@*' |
      tar --no-recursion --transform 's,^\\.,./opt/packages,S' -rf "$3" -T -`;
  execFileSync('sh', ['-e', '-c', script, 'sh', ours.debianLayer, join(root, 'node_modules/.pnpm'), tar]);
  const diffId = await digestOf(tar);
  const entries = execFileSync('tar', ['-tf', tar], { encoding: 'utf8', maxBuffer: 2 ** 28 }).split('\n').length - 1;
  const size = `${Math.round(statSync(tar).size / 1e6)} MB, ${entries} entries`;
  const subjects = [];
  for (const { kind, compress, extract, goal } of kinds) {
    const blob = `${tar}.${kind}`;
    execFileSync('sh', ['-e', '-c', `${compress} < "$1" > "$2"`, 'sh', tar, blob]);
    const digest = await digestOf(blob);
    subjects.push(subject(ours, folder, { kind, size, extract, goal, blob, digest, diffId }));
  }
  rmSync(tar);
  return subjects;
}

const kinds = [
  { kind: 'gzip', compress: 'gzip', extract: '-xzf', goal: 0.7 },
  { kind: 'zstd', compress: 'zstd -q', extract: '--zstd -xf', goal: 1.4 },
] as const;

interface Archive {
  readonly kind: string;
  readonly size: string;
  readonly extract: string;
  readonly goal: number;
  readonly blob: string;
  readonly digest: string;
  readonly diffId: string;
}

function subject({ env, work }: Ours, folder: string, { kind, size, extract, goal, blob, digest, diffId }: Archive): Subject {
  // A folder of its own for every round, kept to the end: ext4 avoids the inodes of files that were deleted a moment ago, at a high price.
  const targetOf = (who: string, round: number): string => join(folder, `${kind}-${who}-${round}`);
  const prepare = (who: string) => async (round: number) => {
    mkdirSync(targetOf(who, round));
    await outputOf({ program: 'sync', args: [], cwd: work, env });
  };
  const once = join(import.meta.dirname, '../unpack-once.ts');
  const tar = `tar ${extract}`;
  return {
    title: `unpack a ${kind} layer (${size})`,
    unit: 'ms',
    maximumRounds: 5,
    contestants: [
      {
        name: 'devenv, verified',
        prepare: prepare('devenv'),
        run: async (round) =>
          Number(
            await outputOf({ program: process.execPath, args: [once, blob, digest, diffId, targetOf('devenv', round)], cwd: work, env }),
          ),
      },
      {
        name: tar,
        prepare: prepare('tar'),
        run: (round) => timed({ program: 'tar', args: [...extract.split(' '), blob, '-C', targetOf('tar', round)], cwd: work, env }),
      },
    ],
    goals: { [tar]: goal },
    async [Symbol.asyncDispose]() {
      rmSync(blob);
    },
  };
}

async function digestOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return `sha256:${hash.digest('hex')}`;
}

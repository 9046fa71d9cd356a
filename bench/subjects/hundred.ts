import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { outputOf, type Command } from '../command.ts';
import type { Subject } from '../measure.ts';
import type { Ours } from '../ours.ts';

const count = 100;

/** Many containers from one image, four at a time: ours with their log, init and record, against the bare runtime on mounts of the same layer. */
export async function hundred(ours: Ours): Promise<Subject[]> {
  const work = join(ours.work, 'hundred');
  mkdirSync(work);
  const bundle = await writeBundle(ours, work);
  const once = (...more: readonly string[]): Command => ({
    program: process.execPath,
    args: [join(import.meta.dirname, '../hundred-once.ts'), basename(ours.debianLayer), String(count), ...more],
    cwd: work,
    env: { ...ours.env, DEVENV_BASE_DIR: ours.base },
  });
  const crun = (script: string): Promise<string> =>
    outputOf({
      program: 'unshare',
      args: ['--mount', '--propagation', 'private', 'sh', '-e', '-c', script, 'sh', work, bundle, ours.debianLayer, String(count)],
      cwd: work,
      env: ours.env,
    });
  return [
    {
      title: `${count} containers from one image, four at a time`,
      unit: 'ms',
      maximumRounds: 3,
      contestants: [
        { name: 'devenv, by its engine', prepare: () => outputOf(once('remove')), run: async () => Number(await outputOf(once())) },
        { name: 'mount and crun run', run: async () => Number(await crun(bareRuntime)) },
      ],
      goals: { 'mount and crun run': 2 },
      async [Symbol.asyncDispose]() {
        await outputOf(once('remove'));
        rmSync(work, { recursive: true });
      },
    },
  ];
}

/** In a mount namespace of its own, without the control groups that crun refuses. Prints the milliseconds; removing them is not measured. */
const bareRuntime = `
  work=$1 bundle=$2 layer=$3 count=$4
  umount /sys/fs/cgroup/unified 2> /dev/null || :
  one='
    mkdir -p "$1/$4/upper" "$1/$4/work" "$1/$4/root" "$1/$4/bundle"
    mount -t overlay -o "lowerdir=$3,upperdir=$1/$4/upper,workdir=$1/$4/work" bench "$1/$4/root"
    sed "s,NUMBER,$4," "$2" > "$1/$4/bundle/config.json"
    exec crun --root "$1/state" run --detach --bundle "$1/$4/bundle" "bare-$4" < /dev/null > /dev/null 2> "$1/$4/errors"'
  started=$(date +%s%N)
  seq "$count" | xargs -P 4 -n 1 sh -e -c "$one" sh "$work" "$bundle" "$layer"
  ended=$(date +%s%N)
  for each in $(seq "$count"); do crun --root "$work/state" delete --force "bare-$each"; done
  for each in $(seq "$count"); do umount "$work/$each/root"; rm -r "$work/$each"; done
  echo $(((ended - started) / 1000000))
`;

/** The config of a container of ours, so that both make the same namespaces, mounts and filter. */
async function writeBundle(ours: Ours, work: string): Promise<string> {
  const folder = ours.project('bench-hundred', { 'devenv.json': { image: { debian: 'bookworm' } } });
  await outputOf(ours.command(folder, 'up'));
  const [found] = execFileSync('find', [join(ours.base, 'data/containers'), '-path', '*bench-hundred*/bundle/config.json'], {
    encoding: 'utf8',
  }).split('\n');
  const config = JSON.parse(readFileSync(found!, 'utf8')) as Record<string, any>;
  delete config['annotations'];
  config['process'].args = ['sleep', 'infinity'];
  config['process'].cwd = '/';
  config['root'] = { path: join(work, 'NUMBER/root') };
  config['mounts'] = config['mounts'].filter(({ source }: { source?: string }) => !source?.startsWith('/'));
  config['linux'].namespaces = config['linux'].namespaces.map(({ type }: { type: string }) => ({ type }));
  config['linux'].cgroupsPath = '/devenv-bench-NUMBER';
  const path = join(work, 'config.json');
  writeFileSync(path, JSON.stringify(config));
  await outputOf(ours.command(folder, 'down'));
  return path;
}

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Chance, isFull, isRoot, Machine, seedOf } from './crash-rig.ts';

/** Many commands at once on projects that share steps: each ends in a way that can be explained, and the store is whole. */
const seed = seedOf('stress');
const [seconds, processes] = isFull ? [60, 20] : [10, 8];

let machine: Machine;
beforeAll(() => {
  machine = new Machine();
});
afterAll(async () => machine.clear());

const projects = ['one', 'two', 'three'];

test.skipIf(!isRoot)(
  `${processes} processes of mixed commands leave a store that verifies and no strays`,
  async () => {
    const folders = projects.map((name) => project(name));
    const commands = [
    ['up'], ['up'], ['up', '--no-cache'], ['build'], ['build', '--no-cache'], ['exec', '--', 'true'], ['status'], ['ps'],
    ['down'], ['down', '--volumes'], ['stop'], ['run', '--', 'cat', '/shared'], ['gc'],
  ]; // prettier-ignore
    const unexplained: object[] = [];
    const count = new Map<string, number>();
    const end = performance.now() + seconds * 1000;
    await Promise.all(
      Array.from({ length: processes }, async (_, number) => {
        const chance = new Chance(seed + number);
        while (performance.now() < end) {
          const [command, cwd] = [chance.pick(commands), chance.pick(folders)];
          const { exitCode, stdout, stderr } = await machine.run(command, cwd);
          const outcome = `${command.join(' ')}: ${exitCode}`;
          count.set(outcome, (count.get(outcome) ?? 0) + 1);
          if (!isExplained(command, exitCode, stderr)) unexplained.push({ seed, command, exitCode, stdout, stderr });
        }
      }),
    );
    console.log(
      `stress: ${[...count]
        .toSorted(([a], [b]) => a.localeCompare(b))
        .map(([outcome, times]) => `${outcome} ×${times}`)
        .join(', ')}`,
    );
    expect(unexplained).toEqual([]);
    for (const cwd of folders) await machine.ok(['up'], cwd);
    await machine.ok(['doctor', '--store'], folders[0]!);
    for (const cwd of folders) {
      expect(await machine.ok(['exec', '--', 'cat', '/shared'], cwd)).toBe('shared\n');
      await machine.ok(['down', '--volumes'], cwd);
    }
    expect([machine.problems(), machine.leftovers()]).toEqual([[], []]);
  },
  400_000,
);

/** Somebody else's `down` may come between: what needs a running environment, or a volume, says that it is gone. Nothing else fails. */
function isExplained([verb]: readonly string[], exitCode: number, stderr: string): boolean {
  if (exitCode === 0 || (verb === 'status' && exitCode === 3)) return true;
  const gone = verb === 'exec' ? /is not running|devenv up/ : /volumes\/\S+: No such file/;
  return exitCode === 125 && ['exec', 'run'].includes(verb!) && gone.test(stderr);
}

/** The first steps are the same in all, the last one is each's own. */
function project(name: string): string {
  const folder = machine.path('projects', name);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'busybox'), readFileSync('/bin/busybox'), { mode: 0o755 });
  const steps = [
    { copy: 'busybox', to: '/bin/busybox', mode: '0755' },
    { run: ['/bin/busybox', '--install', '-s', '/bin'] },
    { run: 'echo shared > /shared', network: false },
    { run: `echo ${name} > /own` },
  ];
  const mounts = [{ type: 'volume', source: 'cache', target: '/cache' }];
  if (!existsSync(join(folder, 'devenv.json')))
    writeFileSync(join(folder, 'devenv.json'), JSON.stringify({ image: 'scratch', steps, mounts }));
  return folder;
}

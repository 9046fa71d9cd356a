import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { readText } from '../packages/core/src/base/files.ts';
import { startRealRegistry, type RealRegistry } from '../packages/core/src/registry/real-registry.suite.ts';
import { Chance, isFull, isRoot, kill, Machine, pause, seedOf, type Running } from './crash-rig.ts';
import { putImages, writeProject, writePulled } from './crash-projects.ts';

/**
 * Kills devenv and what it starts where they are at their most delicate, and holds what follows to three promises: the next
 * command works and clears up, nothing that was committed is lost, and no layer differs from an undisturbed build's. The seed
 * changes with every run, since the moments do so anyway: a machine is never as busy as it was the last time.
 */
const seed = seedOf('crash');
const chance = new Chance(seed);
const kills = { ofTransition: isFull ? 10 : 1, random: isFull ? 100 : 8 };
const images = isFull ? 48 : 6; // different ones with the same big layer: each is pulled and unpacked anew

let machine: Machine;
let registry: RealRegistry;
let expected: Map<string, string>;
let killed = 0;
let fresh = 0;
/** Where something may be up. */
const touched = new Set<string>();

beforeAll(async () => {
  if (!isRoot) return;
  machine = new Machine();
  registry = await startRealRegistry();
  putImages(registry, images);
  await using undisturbed = new Machine();
  for (const cwd of [writeProject(undisturbed, 'here'), ...Array.from({ length: images }, (_, number) => pulled(undisturbed, number))])
    await undisturbed.ok(['build'], cwd);
  expected = await undisturbed.diffIds();
}, 900_000);
afterAll(async () => {
  await registry?.[Symbol.asyncDispose]();
  await machine?.[Symbol.asyncDispose]();
});
/** What one test has left must not fail the next. */
afterEach(async ({ task }) => {
  if (task.result?.state !== 'fail') return;
  const broken = machine;
  machine = new Machine();
  touched.clear();
  fresh = 0;
  await broken.clear();
});

type Victim = 'devenv' | 'crun' | 'conmon' | 'pasta';

interface Transition {
  /** Brings the machine to where the command is interesting. Returns the folder to run it in. */
  readonly before: () => Promise<string>;
  readonly command: readonly string[];
  /** Whether the transition has begun. Called again and again, for one run of the command. */
  readonly begun: () => () => boolean;
  /** How long it may last, ms: the kill comes at a random time of it. */
  readonly lasts: number;
  readonly victims: readonly Victim[];
}

const here = (): string => writeProject(machine, 'here');
const pulled = (on: Machine, number: number): string => writePulled(on, registry.host, number);
const isUp = async (): Promise<string> => {
  const cwd = here();
  await machine.ok(['up'], cwd);
  return cwd;
};
const isDown = async (): Promise<string> => {
  const cwd = here();
  await machine.ok(['build'], cwd);
  await machine.ok(['down', '--volumes'], cwd);
  return cwd;
};
const bundles = (): string[] =>
  machine.names('runtime/builds').flatMap((build) => machine.names('runtime/builds', build).filter((name) => name.startsWith('step-')));
const containers = (): string[] => machine.names('data/containers');
const inContainer = (name: string) => (): boolean => containers().some((id) => existsSync(machine.path('data/containers', id, name)));
const isJournalled = (doing: string) => (): boolean =>
  containers().some((id) => readText(machine.path('data/containers', id, 'journal.json'))?.includes(`"doing":"${doing}"`) ?? false);

const transitions: Readonly<Record<string, Transition>> = {
  pull: {
    before: async () => pulled(machine, fresh++ % images),
    command: ['up'],
    begun: () => () => machine.names('data/drafts').length > 0,
    lasts: 30,
    victims: ['devenv'],
  },
  unpack: {
    before: async () => pulled(machine, fresh++ % images),
    command: ['build'],
    begun: () => () => machine.names('data/drafts').some((name) => machine.names('data/drafts', name, 'upper').length > 3),
    lasts: 60,
    victims: ['devenv'],
  },
  step: {
    before: isDown,
    command: ['build', '--no-cache'],
    begun: () => () => bundles().length > 0,
    lasts: 120,
    victims: ['devenv', 'devenv', 'crun', 'pasta'],
  },
  commit: {
    before: isDown,
    command: ['build', '--no-cache'],
    begun: () => {
      let ran = false;
      return () => (bundles().length > 0 ? !(ran = true) : ran);
    },
    lasts: 15,
    victims: ['devenv'],
  },
  'layer named': {
    before: isDown,
    command: ['build', '--no-cache'],
    begun: () => {
      const layers = machine.names('data/layers').length + Math.floor(chance.number(3));
      return () => machine.names('data/layers').length > layers;
    },
    lasts: 2,
    victims: ['devenv'],
  },
  create: { before: isDown, command: ['up'], begun: () => () => containers().length > 0, lasts: 30, victims: ['devenv'] },
  start: {
    before: isDown,
    command: ['up'],
    begun: () => inContainer('bundle'),
    lasts: 120,
    victims: ['devenv', 'devenv', 'crun', 'conmon', 'pasta'],
  },
  started: { before: isDown, command: ['up'], begun: () => inContainer('pids.json'), lasts: 40, victims: ['devenv', 'conmon', 'pasta'] },
  update: {
    before: async () => {
      const cwd = await isUp();
      const config = JSON.parse(readFileSync(join(cwd, 'devenv.json'), 'utf8')) as { ports: string[] };
      writeFileSync(join(cwd, 'devenv.json'), JSON.stringify({ ...config, ports: ['0:81'] }));
      return cwd;
    },
    command: ['up'],
    begun: () => isJournalled('update'),
    lasts: 50,
    victims: ['devenv', 'pasta'],
  },
  stop: {
    before: isUp,
    command: ['stop'],
    begun: () => {
      const [init] = machine.processes('conmon');
      return () => init === undefined || !existsSync(`/proc/${init.pid}/exe`) || !inContainer('netns.pid')();
    },
    lasts: 60,
    victims: ['devenv', 'crun', 'pasta'],
  },
  down: {
    before: isUp,
    command: ['down', '--volumes'],
    begun: () => isJournalled('remove'),
    lasts: 120,
    victims: ['devenv', 'crun', 'conmon', 'pasta'],
  },
  'commit of an image': {
    before: async () => {
      const cwd = await isUp();
      await machine.ok(['exec', '--', 'sh', '-c', 'echo by hand > /by-hand'], cwd);
      return cwd;
    },
    command: ['commit', 'by-hand:1'],
    begun: () => () => machine.names('data/drafts').length > 0,
    lasts: 30,
    victims: ['devenv'],
  },
  load: {
    before: async () => {
      const [cwd, image] = [here(), `${registry.host}/crash/image0:1`];
      for (const args of [['pull', image], ['save', '-o', 'image.tar', image], ['rmi', image], ['gc']]) await machine.ok(args, cwd);
      return cwd;
    },
    command: ['load', 'image.tar'],
    begun: () => () => machine.names('data/drafts').length > 0,
    lasts: 60,
    victims: ['devenv'],
  },
  gc: {
    before: async () => {
      const cwd = await isDown();
      await machine.ok(['build', '--no-cache'], cwd); // the layers before are garbage now
      return cwd;
    },
    command: ['gc'],
    begun: () => {
      const layers = machine.layers().length;
      return () => machine.layers().length < layers;
    },
    lasts: 20,
    victims: ['devenv'],
  },
  run: {
    before: isDown,
    command: ['run', '--', 'sh', '-c', 'sleep 0.1; echo ran'],
    begun: () => () => containers().some((id) => id.includes('-run-')),
    lasts: 300,
    victims: ['devenv', 'devenv', 'crun', 'conmon', 'pasta'],
  },
};

test.skipIf(!isRoot).each(Object.keys(transitions))(
  'a kill during %s leaves nothing that the next command does not clear up',
  async (name) => {
    const { before, command, begun, lasts, victims } = transitions[name]!;
    let hits = 0;
    // On a fast machine it is over sooner: after a miss the next one comes earlier.
    let within = lasts;
    for (let attempt = 0; hits < kills.ofTransition && attempt < 10 + 2 * kills.ofTransition; attempt++) {
      const cwd = await before();
      const running = machine.start(command, cwd);
      const victim = chance.pick(victims);
      const wait = chance.number(within);
      if (await running.until(begun())) {
        await pause(wait);
        if (await strike(victim, running)) hits++;
        else within /= 1.5;
      }
      await settle(running, cwd, `${name}: ${victim} after ${wait.toFixed(1)} ms`);
    }
    expect(hits).toBe(kills.ofTransition);
  },
  300_000,
);

test.skipIf(!isRoot)(
  'kills at random moments of a mix of commands do the same',
  async () => {
    const commands = [
    ['up'], ['up'], ['build', '--no-cache'], ['down'], ['stop'], ['run', '--', 'echo', 'ran'], ['exec', '--', 'sleep', '0.2'], ['status'], ['ps'], ['gc'],
  ]; // prettier-ignore
    for (let hits = 0, attempt = 0; hits < kills.random && attempt < 4 * kills.random; attempt++) {
      const cwd = chance.pick([here, here, () => pulled(machine, Math.floor(chance.number(images)))])();
      const command = chance.pick(commands);
      const [victim, wait] = [chance.pick(['devenv', 'devenv', 'devenv', 'crun', 'conmon', 'pasta'] as const), chance.number(500)];
      touched.add(cwd);
      const running = machine.start(command, cwd);
      await Promise.race([running.ended, pause(wait)]);
      if (await strike(victim, running)) hits++;
      if (chance.number(2) < 1) await settle(running, cwd, `${command.join(' ')}: ${victim} after ${wait.toFixed(1)} ms`);
      else await running.endedWithin(30);
    }
  },
  600_000,
);

test.skipIf(!isRoot)(
  'a disk that is full at such a moment is said as one; with space again the same command works and the store is whole',
  async () => {
    const [folder, usual] = [mkdtempSync(join(tmpdir(), 'devenv-full-')), machine];
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=100m', 'small', folder]);
    try {
      machine = new Machine(folder);
      const moments = ['pull', 'unpack', 'step', 'commit', 'create', 'start'] as const;
      for (const name of isFull ? moments : [chance.pick(moments), chance.pick(moments)]) {
        const { before, command, begun, lasts } = transitions[name]!;
        for (let round = 0; round < (isFull ? 5 : 1); round++) {
          const cwd = await before();
          const running = machine.start(command, cwd);
          const wait = chance.number(lasts);
          if (await running.until(begun())) await pause(wait);
          spawnSync('sh', ['-c', 'cat /dev/zero > "$1"', 'sh', join(folder, 'filler')]);
          const ended = await running.endedWithin(60);
          const said = { seed, what: `${name} after ${wait.toFixed(1)} ms`, said: running.output, ended };
          expect([said, running.exitCode === 0 || /no space left|disk may be full|No space/i.test(running.output)]).toEqual([
            { ...said, ended: true },
            true,
          ]);
          expect([said, running.output.includes('made a mistake')]).toEqual([said, false]);
          await machine.ok(['down'], cwd); // removing works without space
          rmSync(join(folder, 'filler'));
          await machine.ok(command, cwd);
          for (const each of [cwd, here()]) await machine.ok(['down', '--volumes'], each);
          expect([said, machine.problems(), machine.leftovers()]).toEqual([said, [], []]);
        }
      }
    } finally {
      await machine.clear();
      machine = usual;
      execFileSync('umount', ['-l', folder]);
      rmSync(folder, { recursive: true });
    }
  },
  300_000,
);

/** What a start of the machine finds: nothing in /run, no control groups, and records of another boot. */
function reboot(): void {
  machine.forgetRun();
  const own = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  for (const id of containers())
    for (const name of ['pids.json', 'journal.json', 'container.json']) {
      const path = machine.path('data/containers', id, name);
      if (existsSync(path)) writeFileSync(path, readFileSync(path, 'utf8').replaceAll(own, '00000000-0000-4000-8000-000000000000'));
    }
}

test.skipIf(!isRoot)(
  'after the machine went down, what was up comes up again, and nobody who has a recycled pid is harmed',
  async () => {
    await clearTouched(); // what was started outside is not seen inside, and could not be ended there
    const cwd = here();
    // Others that are alive under the pids of the former run: half of them before devenv's own, so that both overlap.
    const others = 'for i in $(seq 60); do sleep 300 & pids="$pids $!"; done';
    const unharmed = 'for pid in $pids; do kill -0 $pid || exit 9; done';
    for (const restart of [() => {}, reboot]) {
      expect(await machine.oneRun('"$1" up && "$1" exec -- sh -c "echo kept > /cache/kept; echo kept"', cwd)).toBe('kept\n');
      restart();
      expect(await machine.oneRun(`${others}; "$1" up && "$1" exec -- cat /cache/kept && ${unharmed}`, cwd)).toBe('kept\n');
      restart();
      await machine.oneRun(`${others}; "$1" down --volumes && ${unharmed}`, cwd);
      expect(machine.leftovers()).toEqual([]);
    }
    // The power fails while something is under way.
    for (let round = 0; round < (isFull ? 20 : 2); round++) {
      const [command, wait] = [chance.pick(['up', 'build --no-cache', 'up --no-cache']), chance.number(1.2)];
      await machine.oneRun(`"$1" ${command} > /dev/null 2>&1 & sleep ${wait.toFixed(3)}`, cwd);
      if (round % 2 === 0) reboot();
      const again = await machine.oneRun(`${others}; "$1" up && "$1" exec -- cat /work/40 && "$1" down --volumes && ${unharmed}`, cwd);
      const said = { seed, what: `${command} for ${wait.toFixed(3)} s` };
      expect([said, again, machine.problems(), machine.leftovers()]).toEqual([said, '40\n', [], []]);
    }
  },
  300_000,
);

test.skipIf(!isRoot)(
  'after all of it every layer, reference and key is whole, and no layer differs from an undisturbed build',
  async () => {
    console.log(`crash: ${killed} kills`);
    const cwd = here();
    await machine.ok(['up'], cwd);
    expect(await machine.ok(['exec', '--', 'cat', '/work/40'], cwd)).toBe('40\n');
    await machine.ok(['build'], pulled(machine, 0)); // a gc may have taken all of them
    for (let number = 0; number < images; number++) await machine.ok(['down', '--volumes'], pulled(machine, number));
    await machine.ok(['down', '--volumes'], cwd);
    await machine.ok(['doctor', '--store'], cwd);
    expect([machine.problems(), machine.leftovers()]).toEqual([[], []]);
    const made = await machine.diffIds();
    expect(made.size).toBeGreaterThan(4);
    for (const [key, diffId] of made) expect([key, diffId]).toEqual([key, expected.get(key)]);
  },
  120_000,
);

/** Kills the command, or one of the programs that it has started here. False when there was none. */
async function strike(victim: Victim, running: Running): Promise<boolean> {
  let struck = false;
  if (victim === 'devenv') struck = running.kill();
  else {
    for (let tries = 0; !struck && !running.hasEnded && tries < 20; tries++) {
      const found = machine.processes(victim);
      struck = found.length > 0 && kill(chance.pick(found));
      if (!struck) await pause(4);
    }
  }
  if (struck) killed++;
  return struck;
}

/** What follows a kill: the command's end, the next command, and a `down` after which there is nothing. */
async function settle(running: Running, cwd: string, what: string): Promise<void> {
  const said = (more: object): object => ({ seed, what, said: running.output, ...more });
  const ended = await running.endedWithin(30);
  expect(said({ ended, mistake: running.output.includes('made a mistake') })).toEqual(said({ ended: true, mistake: false }));
  const layers = machine.layers();
  if (chance.number(2) < 1) {
    await machine.ok(['up'], cwd);
    const echoed = await machine.ok(['exec', '--', 'echo', 'works'], cwd);
    const serving = (program: string): readonly string[] =>
      machine.processes(program).flatMap(({ command }) => (command.includes(`/containers/${basename(cwd)}-`) ? [command] : []));
    // A conmon that was killed takes the log with it; who works in the container is not disturbed for that.
    const [networks, logs] = [serving('pasta'), serving('conmon')];
    const one = [expect.any(String)];
    expect(said({ echoed, networks, logs })).toEqual(said({ echoed: 'works\n', networks: one, logs: logs.length > 0 ? one : [] }));
  }
  touched.add(cwd);
  await clearTouched();
  expect(said({ left: machine.leftovers() })).toEqual(said({ left: [] }));
  expect(machine.layers().filter((id) => layers.includes(id))).toEqual(layers);
}

async function clearTouched(): Promise<void> {
  for (const folder of touched) await machine.ok(['down', '--volumes'], folder);
  touched.clear();
}

// Measures devenv and its peers in turn and writes bench/results.md: `pnpm bench [--rounds 10] [--only running] [--note TEXT] [--no-write]`.
// As root, on Debian; `node bench/setup.ts` installs the peers, and one that is missing is left out. While it runs, Docker's daemon
// has a bridge and firewall rules on this machine.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { measure, type Measurement, type Subject } from './measure.ts';
import { makeOurs, type Ours } from './ours.ts';
import { openPeers, type Peers } from './peers.ts';
import { describeResults, type Circumstances, type Results } from './report.ts';
import { buildSteps } from './subjects/build-steps.ts';
import { hundred } from './subjects/hundred.ts';
import { growth } from './subjects/growth.ts';
import { idleMemory } from './subjects/idle-memory.ts';
import { inputs } from './subjects/inputs.ts';
import { newContainer } from './subjects/new-container.ts';
import { pull } from './subjects/pull.ts';
import { running } from './subjects/running.ts';
import { unpack } from './subjects/unpack.ts';

const subjects: Readonly<Record<string, (ours: Ours, peers: Peers) => Promise<Subject[]>>> = {
  running,
  'new-container': newContainer,
  'build-steps': buildSteps,
  unpack,
  pull,
  'idle-memory': idleMemory,
  growth,
  hundred,
  inputs,
};

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '10' },
    only: { type: 'string' },
    note: { type: 'string' },
    'no-write': { type: 'boolean', default: false },
  },
});
const interrupted = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => interrupted.abort());
const tell = (line: string): unknown => process.stderr.write(`${line}\n`);
const results = await measureAll(Number(values.rounds), values.only);
const page = describeResults(results);
process.stdout.write(page);
if (!values['no-write']) {
  writeFileSync(join(import.meta.dirname, 'results.md'), page);
  writeFileSync(join(import.meta.dirname, 'results.json'), `${JSON.stringify(results, undefined, 2)}\n`);
}

async function measureAll(rounds: number, only: string | undefined): Promise<Results> {
  const loadAtStart = loadavg()
    .map((value) => value.toFixed(2))
    .join(' ');
  await using ours = await makeOurs();
  await using peers = await openPeers(ours);
  const measurements: Measurement[] = [];
  for (const [name, open] of Object.entries(subjects)) {
    if (only !== undefined && only !== name) continue;
    interrupted.signal.throwIfAborted();
    tell(name);
    await using stack = new AsyncDisposableStack();
    for (const subject of (await open(ours, peers)).map((each) => stack.use(each))) {
      const measurement = await measure(subject, rounds, tell, interrupted.signal);
      measurements.push(measurement);
      for (const { name: who, median, absent } of measurement.rows) tell(`  ${subject.title}: ${who} ${absent ?? median?.toFixed(1)}`);
    }
  }
  const all: Results = { schema: 1, circumstances: circumstances(rounds, loadAtStart, peers), measurements };
  return JSON.parse(JSON.stringify(all).replaceAll(ours.work, '$WORK')) as Results; // messages of what failed name it
}

function circumstances(rounds: number, loadAtStart: string, { versions }: Peers): Circumstances {
  const firstLine = (program: string, ...args: readonly string[]): string =>
    execFileSync(program, args, { encoding: 'utf8' }).split('\n')[0]!.trim();
  return {
    date: new Date().toISOString().slice(0, 16),
    kernel: release(),
    processors: `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}`,
    memory: `${Math.round(totalmem() / 2 ** 30)} GB`,
    loadAtStart,
    rounds,
    ...(values.note === undefined ? {} : { note: values.note }),
    commit: firstLine('git', '-C', import.meta.dirname, 'rev-parse', '--short', 'HEAD'),
    versions: { node: process.versions.node, crun: firstLine('crun', '--version'), tar: firstLine('tar', '--version'), ...versions },
  };
}

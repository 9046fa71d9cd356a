import { globSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { debian, makeRig, type Result, type Rig } from './rig.ts';

/** Found nowhere else on this machine; made so that no source file holds it in one piece. */
const canary = ['canary', 'b7c1f2', process.pid].join('-');
const env = { TOKEN: canary };

let rig: Rig;
beforeAll(async () => {
  rig = await makeRig();
});
afterAll(() => rig[Symbol.asyncDispose]());

const project = (run: string | readonly string[], more: object = {}): string =>
  rig.project({ 'devenv.json': { image: debian, user: 'dev', steps: [{ name: 'secretive', run, secrets: ['TOKEN'], ...more }] } });

/** Files of devenv's that hold the text, and outputs of a command that do. */
function holding(text: string, result?: Result): string[] {
  const files = globSync('{data/{step-keys,layer-info,drafts,containers},state,cache,runtime,config}/**/*', { cwd: rig.base });
  const ownLayers = readdirSync(join(rig.base, 'data/layers')).filter((id) => id !== baseLayer());
  const inLayers = ownLayers.flatMap((id) => globSync(`data/layers/${id}/**/*`, { cwd: rig.base }));
  const found = [...files, ...inLayers].filter((path) => {
    const full = join(rig.base, path);
    return path.includes(text) || (statSync(full, { throwIfNoEntry: false })?.isFile() && readFileSync(full).includes(text));
  });
  const outputs = result ? [result.stdout, result.stderr].filter((output) => output.includes(text)) : [];
  return [...found, ...outputs];
}

/** The biggest file list is Debian's own. */
function baseLayer(): string {
  const lists = globSync('data/layer-info/*.files', { cwd: rig.base });
  const biggest = lists.toSorted((a, b) => statSync(join(rig.base, b)).size - statSync(join(rig.base, a)).size)[0]!;
  return /([^/]+)\.files$/.exec(biggest)![1]!;
}

/** Processes whose arguments or variables hold the text, by their command. */
function processesHolding(text: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => {
      try {
        const [command, variables] = [readFileSync(`/proc/${pid}/cmdline`, 'utf8'), readFileSync(`/proc/${pid}/environ`, 'utf8')];
        if (command.includes(text)) return [`arguments of ${command.replaceAll('\0', ' ')}`];
        return variables.includes(text) ? [`variables of ${command.replaceAll('\0', ' ')}`] : [];
      } catch {
        return []; // it ended while we looked
      }
    });
}

test("a step reads its secret as a file, its user only; the next step, the layer and the environment don't have it", async () => {
  const cwd = rig.project({
    'devenv.json': {
      image: debian,
      user: 'dev',
      steps: [
        {
          name: 'as dev',
          run: 'stat -c "%a %U" /run/secrets /run/secrets/TOKEN > /tmp/seen && test $(wc -c < /run/secrets/TOKEN) = $LENGTH && ! env | grep -q TOKEN',
          user: 'dev',
          secrets: ['TOKEN'],
          env: { LENGTH: String(canary.length) },
        },
        { name: 'others', run: 'cp /tmp/seen /seen; ls -A /run/secrets > /rest 2>&1 || true' },
        {
          name: 'other user',
          run: 'su nobody -s /bin/sh -c "cat /run/secrets/TOKEN" > /leaked 2>&1; test $(wc -c < /run/secrets/TOKEN) -gt 0',
          secrets: ['TOKEN'],
        },
      ],
    },
  });
  const result = await rig.ok(['up', '--json', '--progress', 'json'], { cwd, env });
  const inside = await rig.ok(
    ['exec', '-u', 'root', 'sh', '-c', 'cat /seen /rest /leaked; env | grep TOKEN; ls -A /run/secrets; ls -A /run'],
    { cwd },
  );
  expect(inside.stdout.split('\n').filter((line) => line.includes(canary))).toEqual([]);
  expect(inside.stdout.split('\n').slice(0, 2)).toEqual(['500 dev', '400 dev']);
  expect(inside.stdout).toContain('Permission denied');
  expect(holding(canary, result)).toEqual([]);
  await rig.ok(['down'], { cwd });
});

test('while a step runs, its secret is in no argument and no variable but those of the caller', async () => {
  const script = 'sleep 2.75; exit 3';
  const cwd = project(script);
  const building = rig.devenv(['build', '--progress', 'plain', '--verbose'], { cwd, env });
  for (let waited = 0; waited < 100 && processesHolding(script).length === 0; waited++) await delay(100);
  const seen = processesHolding(canary);
  expect(processesHolding(script)).not.toEqual([]); // it runs still
  const result = await building;
  expect(result.stderr).toContain('exit code 3');
  expect(seen.length).toBeGreaterThan(0); // the caller's own: we looked while it ran
  expect(seen.filter((line) => !/^variables of .*main\.js build/.test(line))).toEqual([]);
  expect(holding(canary, result)).toEqual([]);
});

test('what a step prints of its secret is masked in the progress, the log and the JSON, however it is cut', async () => {
  const pieces = `s=$(cat /run/secrets/TOKEN); echo "whole $s end"; printf '%s' "\${s%??????}"; sleep 0.3; printf '%s\\n' "\${s#"\${s%??????}"}"; echo last; exit 4`;
  const cwd = project(pieces);
  const results = [
    await rig.devenv(['build', '--progress', 'plain'], { cwd, env }),
    await rig.devenv(['build', '--progress', 'json', '--json'], { cwd, env }),
  ];
  for (const result of results) {
    expect(result.exitCode).toBe(1);
    expect(result.stderr).toContain('whole *** end');
    expect(holding(canary, result)).toEqual([]);
  }
  const { log } = results[1]!.json as { log: string };
  expect(readFileSync(log, 'utf8')).toBe('whole *** end\n***\nlast\n');
});

test('a value of several lines is masked line by line', async () => {
  const key = `-----BEGIN KEY-----\n${canary}-first\n${canary}-second\n-----END KEY-----\n`;
  const cwd = project('cat /run/secrets/TOKEN; sed -n 2p /run/secrets/TOKEN; exit 4');
  const result = await rig.devenv(['build', '--progress', 'plain'], { cwd, env: { TOKEN: key } });
  expect(holding(`${canary}-first`, result)).toEqual([]);
  expect(holding(`${canary}-second`, result)).toEqual([]);
});

test('a secret that is not set ends the build before any step runs, naming it and its place', async () => {
  const cwd = rig.project({
    'devenv.json': {
      image: debian,
      steps: [
        { name: 'before', run: 'echo ran > /before' },
        { run: 'true', secrets: ['TOKEN'] },
      ],
    },
  });
  const result = await rig.devenv(['up', '--json'], { cwd });
  expect([result.exitCode, result.json['code']]).toEqual([2, 'BAD_VALUE']);
  expect(result.stderr).toMatch(/TOKEN/);
  expect(result.stderr).not.toContain('before done');
  expect((await rig.ok(['plan', '--json'], { cwd })).json).toMatchObject({ steps: [{ state: 'runs' }, { state: 'runs' }] });
});

test("another value is the same step: it does not run again, and doesn't ask when it is cached", async () => {
  const cwd = project('cp /run/secrets/TOKEN /dev/null');
  expect((await rig.ok(['build', '--json'], { cwd, env })).json).toMatchObject({ built: 1 });
  expect((await rig.ok(['build', '--json'], { cwd, env: { TOKEN: 'another' } })).json).toMatchObject({ built: 0, cached: 1 });
  expect((await rig.ok(['build', '--json'], { cwd })).json).toMatchObject({ built: 0, cached: 1 });
});

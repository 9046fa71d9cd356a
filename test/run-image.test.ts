import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startRealRegistry, type RealRegistry } from '../packages/core/src/registry/real-registry.suite.ts';
import { makeEmptyRig, traces, type Rig } from './rig.ts';
import { writeBusyboxLayout } from './tiny-image.ts';

let rig: Rig;
let registry: RealRegistry;
let cwd: string; // without a devenv.json

const busy = (): string => `${registry.host}/team/busy:1`;

beforeAll(async () => {
  rig = await makeEmptyRig();
  registry = await startRealRegistry();
  cwd = rig.project({ 'a.txt': 'from the host\n' });
  writeBusyboxLayout(join(rig.base, 'source'));
  registry.skopeo('copy', '-q', '--dest-tls-verify=false', `oci:${join(rig.base, 'source')}:image`, `docker://${busy()}`);
});
afterAll(async () => {
  const { containers } = (await rig.ok(['ps', '-a', '--json'])).json as { containers: { name: string }[] };
  if (containers.length > 0) await rig.ok(['rm', '-f', ...containers.map(({ name }) => name)]);
  await rig[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
});

test('in a folder without devenv.json the first word is an image: pulled, run with a layer and an address of its own, and gone', async () => {
  const first = await rig.devenv(['run', busy(), 'sh', '-c', 'echo $FROM; pwd; cat /etc/greeting; echo x > /etc/greeting; exit 7'], {
    cwd,
  });
  expect([first.exitCode, first.stdout]).toEqual([7, 'image\n/tmp\nhello\n']);
  expect(first.stderr).toMatch(/no image .* on this machine; pulling/);
  const second = await rig.ok(['run', busy(), 'sh', '-c', 'cat /etc/greeting; busybox ip addr'], { cwd });
  expect(second.stdout).toMatch(/^hello\n[^]*inet (?!127)/);
  expect(second.stderr).not.toMatch(/pulling/);
  expect((await rig.ok(['ps', '-a', '--json'])).json['containers']).toEqual([]);
  expect(traces(join(rig.base, 'data/containers'))).toEqual([]);
});

test('what Docker users type is understood: variables, user, directory, folders read-only or not, stdin', async () => {
  mkdirSync(join(cwd, 'shared'), { recursive: true });
  const flags = ['-i', '-e', 'A=1', '-u', '1000', '-w', '/', '-v', `${cwd}/a.txt:/a.txt:ro`, '-v', './shared:/shared', '--rm'];
  const script = 'echo $A; busybox id -u; pwd; cat /a.txt; cat; echo no > /a.txt || echo refused';
  const { stdout } = await rig.ok(['run', ...flags, '--image', busy(), 'sh', '-c', script], { cwd, input: 'from stdin\n' });
  expect(stdout).toBe('1\n1000\n/\nfrom the host\nfrom stdin\nrefused\n');
  await rig.ok(['run', '-v', './shared:/shared', busy(), 'sh', '-c', 'echo written > /shared/out'], { cwd });
  expect(readFileSync(join(cwd, 'shared/out'), 'utf8')).toBe('written\n');
});

test('a container that is kept has its output, runs again, and is removed by its name', async () => {
  const run = await rig.devenv(
    ['run', '--keep', '--name', 'one', busy(), 'sh', '-c', 'echo out; echo err >&2; echo more >> /log; exit 3'],
    { cwd },
  );
  expect([run.exitCode, run.stdout]).toEqual([3, 'out\n']);
  expect(run.stderr).toMatch(/^err$/m);
  expect((await rig.ok(['ps', '-a', '--json'])).json['containers']).toMatchObject([
    { name: 'one', image: busy(), state: 'stopped', exitCode: 3 },
  ]);
  expect((await rig.ok(['ps', '--json'])).json['containers']).toEqual([]);
  expect((await rig.devenv(['run', '--keep', '--name', 'one', busy(), 'true'], { cwd })).stderr).toMatch(/container one already/);
  await rig.ok(['start', 'one']);
  expect((await rig.ok(['logs', '-f', 'one'])).stdout).toBe('out\nout\n');
  const used = await rig.devenv(['rmi', busy(), '--json']);
  expect(used.json).toMatchObject({ code: 'IMAGE_IN_USE', message: expect.stringContaining('container one') as string });
  const two = await rig.devenv(['rmi', 'none:1', busy(), '--json']);
  expect(two.json).toMatchObject({ code: 'IMAGE_NOT_FOUND', problems: [{ code: 'IMAGE_NOT_FOUND' }, { code: 'IMAGE_IN_USE' }] });
  const partly = await rig.devenv(['rm', 'none', 'one']);
  expect([partly.exitCode, partly.stderr]).toEqual([
    1,
    expect.stringMatching(/1 of 2 could not be removed; removed: one\.[^]*no container none/),
  ]);
  expect((await rig.devenv(['rm', 'one', '--json'])).json).toMatchObject({ code: 'CONTAINER_NOT_FOUND' });
});

test('of images with the same layers, only the one that a container was made of is in use, and of its names the last', async () => {
  const tree = join(rig.base, 'one.tar');
  await rig.ok(['run', '--keep', '--name', 'source', busy(), 'echo']);
  await rig.ok(['export', '-o', tree, 'source']);
  await rig.ok(['import', tree, 'made:1']);
  await rig.ok(['import', '--change', 'ENV A=1', tree, 'equal:1']);
  await rig.ok(['tag', 'made:1', 'made:2']);
  await rig.ok(['run', '--keep', '--name', 'user', 'made:1', '/bin/echo']);
  await rig.ok(['rmi', 'equal:1', 'made:1']);
  expect((await rig.devenv(['rmi', 'made:2', '--json'])).json).toMatchObject({ code: 'IMAGE_IN_USE' });
  await rig.ok(['rm', 'source', 'user']);
  await rig.ok(['rmi', 'made:2']);
});

test('one that runs in the background is reached by its port until it is stopped', async () => {
  const serve = 'echo hello > /tmp/index.html; exec busybox httpd -f -p 80 -h /tmp';
  const { stdout } = await rig.ok(['run', '-d', '--name', 'web', '-p', '0:80', busy(), 'sh', '-c', serve], { cwd });
  expect(stdout).toBe('web\n');
  const { containers } = (await rig.ok(['ps', '--json'])).json as { containers: { ports: string[] }[] };
  const [address] = containers[0]!.ports[0]!.split('->');
  await expect.poll(async () => (await fetch(`http://${address}/index.html`)).text(), { timeout: 10_000 }).toBe('hello\n');
  expect((await rig.devenv(['rm', 'web', '--json'])).json).toMatchObject({ code: 'CONTAINER_RUNNING' });
  expect((await rig.ok(['stats', '--json'])).json).toMatchObject({ environments: [], containers: [{ name: 'web', image: busy() }] });
  await rig.ok(['stop', 'web']);
  await rig.ok(['rm', 'web']);
});

test('a volume of run is named by du, stays while a container has it, and goes with gc --volumes', async () => {
  await rig.ok(['run', '--keep', '--name', 'keeper', '-v', 'kept:/data', busy(), 'sh', '-c', 'echo kept > /data/file'], { cwd });
  await rig.ok(['run', '-v', 'kept2:/data', busy(), 'sh', '-c', 'echo x > /data/file'], { cwd });
  expect((await rig.ok(['du'])).stdout).toMatch(/^ {2}kept +.*of a container\n {2}kept2 +.*gc --volumes removes it$/m);
  expect((await rig.ok(['gc', '--json'])).json['removed']).toMatchObject({ volumes: [] });
  expect((await rig.ok(['gc', '--volumes', '--dry-run', '--json'])).json['removed']).toMatchObject({ volumes: [{ name: 'kept2' }] });
  expect((await rig.ok(['gc', '--volumes'])).stdout).toMatch(/^Freed .*1 volume \(kept2\)/);
  const look = await rig.ok(['run', '-v', 'kept:/data', busy(), 'cat', '/data/file'], { cwd });
  expect(look.stdout).toBe('kept\n');
  await rig.ok(['rm', 'keeper']);
  expect((await rig.ok(['gc', '--volumes', '--json'])).json['removed']).toMatchObject({ volumes: [{ name: 'kept' }] });
  expect((await rig.ok(['du', '--json'])).json['otherVolumes']).toEqual([]);
});

test('one in the background keeps its terminal, and is stopped with the signal of its image', async () => {
  await rig.ok(['run', '-dit', '--name', 'it', busy(), 'cat'], { cwd });
  expect((await rig.ok(['ps', '--json'])).json['containers']).toMatchObject([{ name: 'it', state: 'running' }]);
  await rig.ok(['commit', '--change', 'STOPSIGNAL SIGUSR1', 'it', 'busy-usr1:1']);
  const script = 'trap "echo told; exit 5" USR1; echo ready; while :; do sleep 0.1; done';
  await rig.ok(['run', '-d', '--name', 'told', 'busy-usr1:1', 'sh', '-c', script], { cwd });
  await expect.poll(async () => (await rig.ok(['logs', 'told'])).stdout, { timeout: 10_000 }).toBe('ready\n');
  await rig.ok(['stop', 'told']);
  expect((await rig.ok(['logs', 'told'])).stdout).toBe('ready\ntold\n');
  await rig.ok(['start', 'told', 'it']);
  const both = await rig.ok(['stop', 'told', 'it', '--json']);
  expect(both.json['containers']).toMatchObject(['told', 'it'].map((name) => ({ name, state: 'stopped' })));
  await rig.ok(['rm', 'it', 'told']);
  await rig.ok(['rmi', 'busy-usr1:1']);
});

test('a start that is refused leaves no container, and what a command said that was connected with us is in its log', async () => {
  const refused = await rig.devenv(['run', '-it', '--keep', '--name', 'k', busy(), 'sh'], { cwd });
  expect([refused.exitCode, refused.stderr]).toEqual([125, expect.stringContaining('leave -t away')]);
  expect((await rig.devenv(['rm', 'k', '--json'], { cwd })).json).toMatchObject({ code: 'CONTAINER_NOT_FOUND' });
  const kept = await rig.devenv(['run', '-i', '--keep', '--name', 'k', busy(), 'cat'], { cwd, input: 'typed\n' });
  expect([kept.exitCode, kept.stdout]).toEqual([0, 'typed\n']);
  expect((await rig.ok(['logs', '-f', 'k'], { cwd })).stdout).toBe('typed\n');
  await rig.ok(['rm', 'k']);
  const both = ['run', '-i', '--keep', '--name', 'k', busy(), 'sh', '-c', 'printf unended; echo wrong >&2; sleep 0.1; echo " line"'];
  expect(await rig.ok(both, { cwd, input: '' })).toMatchObject({ stdout: 'unended line\n', stderr: expect.stringContaining('wrong\n') });
  const said = await rig.ok(['logs', 'k'], { cwd });
  expect([said.stdout, said.stderr]).toEqual(['unended line\n', 'wrong\n']);
  await rig.ok(['rm', 'k']);
});

test('a directory is meant from that of the image on, and made, however it runs', async () => {
  expect((await rig.ok(['run', '-w', 'deep/er', busy(), 'sh', '-c', 'pwd'], { cwd })).stdout).toBe('/tmp/deep/er\n');
  expect((await rig.ok(['run', '--keep', '--name', 'deep', '-w', 'deep/er', busy(), 'sh', '-c', 'pwd'], { cwd })).stdout).toBe(
    '/tmp/deep/er\n',
  );
  await rig.ok(['rm', 'deep']);
});

test('where there is a devenv.json the first word is a command, and flags for images are refused without one', async () => {
  const project = rig.project({ 'devenv.json': { image: 'scratch' } });
  writeFileSync(join(project, 'b'), '');
  const result = await rig.devenv(['run', '-p', '80', 'true', '--json'], { cwd: project });
  expect([result.exitCode, result.stderr]).toEqual([125, expect.stringMatching(/--publish is for running an image/)]);
  expect((await rig.ok(['run', '--image', busy(), 'echo', 'hi'], { cwd: project })).stdout).toBe('hi\n');
  const meant = await rig.devenv(['run', busy(), 'echo', 'hi'], { cwd: project });
  expect([meant.exitCode, meant.stderr]).toEqual([127, expect.stringContaining(`devenv run --image ${busy()} echo hi`)]);
  const nothing = await rig.devenv(['run'], { cwd });
  expect([nothing.exitCode, nothing.stderr]).toEqual([125, expect.stringMatching(/no image is named/)]);
});

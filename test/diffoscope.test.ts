import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { makeEmptyRig, runProcess } from './rig.ts';
import { writeBusyboxLayout } from './tiny-image.ts';

test('diffoscope names the same files', async () => {
  await using own = await makeEmptyRig();
  writeBusyboxLayout(join(own.base, 'source'));
  const image = { layout: '../../source' };
  const common =
    'mkdir -p /d/e; echo same > /d/same; echo old > "/d/ünï cödé"; echo x > /d/mode; echo x > /d/owner; ln -s a /d/link; busybox mkfifo /d/pipe';
  const changes =
    'echo new > "/d/ünï cödé"; busybox chmod 4711 /d/mode; busybox chown 7:8 /d/owner; ln -sfn b /d/link; busybox rm -r /d/e /d/pipe; echo > /d/new';
  const steps = [{ run: common }, { run: changes }];
  for (const name of ['a', 'b']) {
    const folder = own.project({ 'devenv.json': { image, steps: steps.slice(0, name === 'a' ? 1 : 2) } }, name);
    await own.ok(['build', '--tag', name], { cwd: folder });
    await own.ok(['save', '--format', 'oci-layout', '-o', join(own.base, name), name], { cwd: folder });
    const inside = (...words: string[]): string => execFileSync(words[0]!, words.slice(1), { cwd: own.base, encoding: 'utf8' });
    const [tag = ''] = inside('umoci', 'ls', '--layout', name).split('\n');
    inside('umoci', 'unpack', '--image', `${name}:${tag}`, `unpacked-${name}`);
    inside('tar', '--sort=name', '-C', `unpacked-${name}/rootfs`, '-cf', `${name}.tar`, '.');
  }
  const ours = await own.devenv(['diff', './a', './b', '--only', 'files', '--json'], { cwd: own.base });
  const { stdout } = await runProcess('diffoscope', ['--json', '-', 'a.tar', 'b.tar'], { cwd: own.base });
  const expected = ['e', 'link', 'mode', 'new', 'owner', 'pipe', 'ünï cödé'].map((name) => `/d/${name}`);
  expect([
    (ours.json['sections'] as { differences: { name: string }[] }[])[0]!.differences.map(({ name }) => name).toSorted(),
    namesOf(stdout),
  ]).toEqual([expected, expected]);
});

/** What diffoscope found of two archives: in their listings, and by contents. */
function namesOf(json: string): string[] {
  const { details } = JSON.parse(json) as { details: { source1: string; unified_diff: string | null }[] };
  const listed = details[0]!
    .unified_diff!.split('\n')
    .flatMap((line) => /^[-+](?!--|\+\+).* \.(\/.*?)\/?(?: -> .*)?$/.exec(line)?.[1] ?? []);
  const contents = details.slice(1).map(({ source1 }) => source1.slice(1).replace(/\/$/, ''));
  return [...new Set([...listed, ...contents])].toSorted();
}

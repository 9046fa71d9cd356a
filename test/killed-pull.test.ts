import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readdirSync, statSync } from 'node:fs';
import { createServer, request as forward } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { startRealRegistry, writeLayout } from '../packages/core/src/registry/real-registry.suite.ts';
import { tarOfOneFile } from '../packages/core/src/registry/registry.suite.ts';
import { launcher, makeEmptyRig } from './rig.ts';

test('a pull that is killed at some moment and repeated ends with the same image, and does not begin anew', async () => {
  await using rig = await makeEmptyRig();
  await using registry = await startRealRegistry();
  const layers = [1, 2, 3].map((index) => tarOfOneFile(`file${index}`, randomBytes(3_000_000).toString('hex')));
  const layout = join(rig.base, 'layout');
  mkdirSync(layout);
  writeLayout(layout, [{ platform: { os: 'linux', architecture: 'amd64' }, layers }], 1);
  registry.skopeo('copy', '-q', '--preserve-digests', '--dest-tls-verify=false', `oci:${layout}:image`, `docker://${registry.host}/big:1`);
  await using slow = await startSlowProxy(registry.host);
  const name = `${slow.host}/big:1`;

  const env = { ...rig.user.env };
  const child = spawn(launcher, ['pull', '--platform', 'linux/amd64', name], { env, stdio: 'ignore', detached: true });
  const ended = once(child, 'exit');
  while (slow.sent() < 5_000_000 && child.exitCode === null) await delay(20);
  process.kill(-child.pid!, 'SIGKILL');
  await ended;
  const before = slow.sent();
  slow.hurry();

  const pulled = await rig.ok(['pull', '--platform', 'linux/amd64', name, '--json']);
  const seen = JSON.parse(registry.skopeo('inspect', '--tls-verify=false', `docker://${registry.host}/big:1`)) as { Digest: string };
  expect(pulled.json).toMatchObject({ digest: seen.Digest, layers: 3 });
  // What had arrived does not travel again: but for what was on the way, and documents.
  const blobs = join(layout, 'blobs/sha256');
  const whole = readdirSync(blobs).reduce((sum, blob) => sum + statSync(join(blobs, blob)).size, 0);
  expect(slow.sent() - before).toBeLessThan(whole - 2_000_000);
  expect(readdirSync(join(rig.base, 'cache/downloads'))).toEqual([]);
});

/** Stands before a registry and lets through some 4 MB a second until it may hurry. */
async function startSlowProxy(registry: string): Promise<AsyncDisposable & { host: string; sent(): number; hurry(): void }> {
  const [hostname, port] = registry.split(':');
  let sent = 0;
  let slow = true;
  const server = createServer((request, response) => {
    const onwards = forward({ hostname, port, method: request.method, path: request.url, headers: request.headers });
    onwards.on('error', () => response.destroy());
    onwards.on('response', (answer) => {
      response.writeHead(answer.statusCode!, answer.headers);
      answer.on('data', (chunk: Buffer) => {
        sent += chunk.length;
        response.write(chunk);
        if (!slow) return;
        answer.pause();
        setTimeout(() => answer.resume(), chunk.length / 4000);
      });
      answer.on('end', () => response.end());
    });
    request.pipe(onwards);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    sent: () => sent,
    hurry: () => void (slow = false),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

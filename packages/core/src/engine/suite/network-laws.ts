import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { describe, expect, test } from 'vitest';
import { ask, textOf, type Rig } from './rig.ts';

export function networkLaws(rig: Rig): void {
  describe('network', () => {
    test('none is the loopback, up', async () => {
      expect(
        (
          await ask(rig.box, 'ls /sys/class/net; cat /sys/class/net/lo/operstate; ping -c1 -W1 127.0.0.1 | grep -c "1 packets received"', {
            user: 'root',
          })
        ).stdout,
      ).toBe('lo\nunknown\n1\n');
    });

    test('private reaches neither the loopback of the host nor is it reached, but for its ports', async () => {
      const server = createServer((socket) => socket.end('host secret')).listen(0, '127.0.0.1');
      await once(server, 'listening');
      const { port } = server.address() as { port: number };
      await using container = await rig.running({
        network: 'private',
        ports: [{ hostAddress: '127.0.0.1', hostPort: 0, containerPort: 80, protocol: 'tcp' }],
        command: ['sh', '-c', 'echo served > /work/index.html; exec httpd -f -p 80 -h /work'],
      });
      const gateway = (await ask(container, "ip route | sed -n 's/default via \\([0-9.]*\\).*/\\1/p'")).stdout.trim();
      for (const address of ['127.0.0.1', gateway, 'box']) {
        expect((await ask(container, `nc -w 1 ${address} ${port} < /dev/null 2>/dev/null; true`)).stdout).toBe('');
      }
      server.close();
      const published = container.ports[0]!.hostPort;
      expect(published).toBeGreaterThan(0);
      const answer = await retry(() => fetchText(published));
      expect(answer).toContain('served');
    });

    test('a port that is taken is named', async () => {
      const server = createServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      const { port } = server.address() as { port: number };
      const spec = rig.specOf({
        network: 'private',
        ports: [{ hostAddress: '127.0.0.1', hostPort: port, containerPort: 80, protocol: 'tcp' }],
      });
      await expect(rig.engine.create(spec)).rejects.toMatchObject({
        code: 'PORT_TAKEN',
        message: expect.stringContaining(String(port)) as string,
      });
      server.close();
    });

    test('a port that was taken while the container was stopped is named when it starts', async () => {
      await using container = await rig.running({
        network: 'private',
        ports: [{ hostAddress: '127.0.0.1', hostPort: 0, containerPort: 80, protocol: 'tcp' }],
      });
      const port = container.ports[0]!.hostPort;
      await container.stop();
      const server = createServer().listen(port, '127.0.0.1');
      await once(server, 'listening');
      await expect(container.start()).rejects.toMatchObject({
        code: 'PORT_TAKEN',
        message: expect.stringContaining(String(port)) as string,
      });
      await new Promise((resolve) => server.close(resolve));
      await container.start();
      expect((await container.inspect()).state).toBe('running');
    });

    test('names itself and localhost', async () => {
      expect(
        (await ask(rig.box, 'hostname; cat /etc/hostname; grep -c "localhost" /etc/hosts; grep -c "[[:space:]]box$" /etc/hosts')).stdout,
      ).toBe('box\nbox\n2\n1\n');
      expect(readFileSync('/etc/hostname', 'utf8')).not.toBe('box\n');
    });
  });
}

async function retry<T>(action: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return await action();
    } catch (error) {
      if (tries === 50) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

async function fetchText(port: number): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.write('GET / HTTP/1.0\r\n\r\n');
  const text = await textOf(socket);
  if (!text) throw new Error('no answer yet');
  return text;
}

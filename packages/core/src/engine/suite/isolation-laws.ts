import { describe, expect, test } from 'vitest';
import { ask, usual, type Rig } from './rig.ts';

export function isolationLaws(rig: Rig): void {
  describe('isolation', () => {
    test('shows no process of the host', async () => {
      const { stdout } = await ask(rig.box, 'ps -o pid,args');
      expect(stdout.trim().split('\n').length).toBeLessThan(6);
      expect(stdout).not.toContain('node');
    });

    test('has the capabilities that Docker gives, none effective for a user, and a filter of system calls', async () => {
      const status = (await ask(rig.box, 'cat /proc/self/status', { user: 'root' })).stdout;
      expect(status).toMatch(
        /CapPrm:\t00000000a80425fb\nCapEff:\t00000000a80425fb\nCapBnd:\t00000000a80425fb\nCapAmb:\t0000000000000000\nNoNewPrivs:\t0\nSeccomp:\t2/,
      );
      expect((await ask(rig.box, 'cat /proc/self/status')).stdout).toMatch(
        /CapPrm:\t0000000000000000\nCapEff:\t0000000000000000\nCapBnd:\t00000000a80425fb/,
      );
    });

    test('refuses what Docker refuses: mounts, new namespaces, kernel settings, hidden files', async () => {
      const script =
        'mount -t tmpfs x /mnt; unshare -U true; unshare -m true; hostname other; echo 1 > /proc/sys/kernel/sysrq; cat /proc/keys /proc/kcore | head -c 1 | wc -c; mknod /tmp/sda b 8 0 && cat /tmp/sda';
      const { stdout, stderr } = await ask(rig.box, `mkdir -p /mnt /tmp; ${script}`, { user: 'root' });
      expect(stdout.trim()).toBe('0');
      expect(stderr.trim().split('\n').length).toBeGreaterThanOrEqual(6);
    });

    test('can be given and denied more', async () => {
      await using some = await rig.running({
        user: 'root',
        security: {
          ...usual.security,
          capAdd: ['SYS_PTRACE'],
          capDrop: ['CAP_NET_RAW', 'mknod'],
          noNewPrivileges: true,
          readonlyRoot: true,
        },
      });
      const status = (await ask(some, 'cat /proc/self/status; touch /x 2>&1')).stdout;
      expect(status).toMatch(/CapEff:\t00000000a00[0-9a-f]+/);
      expect(status).toContain('NoNewPrivs:\t1');
      expect(status).toContain('Read-only file system');
      await using none = await rig.running({ user: 'root', security: { ...usual.security, capDrop: ['ALL'], seccomp: 'unconfined' } });
      expect((await ask(none, 'cat /proc/self/status')).stdout).toMatch(/CapBnd:\t0000000000000000\n[^]*Seccomp:\t0/);
      await expect(rig.engine.create(rig.specOf({ security: { ...usual.security, capAdd: ['FLY'] } }))).rejects.toMatchObject({
        code: 'BAD_VALUE',
      });
    });

    test('privileged means all that we have', async () => {
      await using container = await rig.running({ user: 'root', security: { ...usual.security, privileged: true } });
      expect(
        (await ask(container, 'mkdir -p /mnt && mount -t tmpfs x /mnt && grep Seccomp: /proc/self/status && ls /dev/net/tun')).stdout,
      ).toBe('Seccomp:\t0\n/dev/net/tun\n');
    });
  });
  describe('limits', () => {
    test('memory: the process is ended with 137, and it is told that it was memory', async () => {
      await using container = await rig.running({ limits: { memory: 32 * 1024 * 1024 } });
      expect(await ask(container, 'head -c 100000000 /dev/zero | tail > /dev/null; exit $?')).toMatchObject({
        exitCode: 137,
        oomKilled: true,
      });
      expect(await ask(container, 'kill -9 $$')).toMatchObject({ exitCode: 137, oomKilled: false });
    });

    test('processes: no more can be started', async () => {
      await using container = await rig.running({ limits: { pids: 12 } });
      const { stderr } = await ask(container, 'for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do sleep 1 & done; wait');
      expect(stderr).toMatch(/fork|Resource temporarily unavailable/);
    });

    test('processors and shared memory are as asked', async () => {
      await using container = await rig.running({ limits: { cpus: 0.5, shm: 8 * 1024 * 1024 } });
      const { stdout } = await ask(
        container,
        'cat /sys/fs/cgroup/cpu.max /sys/fs/cgroup/cpu/cpu.cfs_quota_us 2>/dev/null; df -k /dev/shm | tail -1',
      );
      expect(stdout).toMatch(/^50000/);
      expect(stdout).toMatch(/ 8192 /);
    });
  });
}

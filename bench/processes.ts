import { readdirSync, readFileSync } from 'node:fs';

interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
}

/** The memory, in MB, of the processes that `roots` picks and of all below them; what they share counts in proportion. */
export function memoryOf(roots: (process: Process) => boolean): number {
  const all = processes();
  const chosen = new Set(all.filter(roots).map(({ pid }) => pid));
  for (let size = -1; size !== chosen.size;) {
    size = chosen.size;
    for (const { pid, parent } of all) if (chosen.has(parent)) chosen.add(pid);
  }
  if (chosen.size === 0) throw new Error('no process was found');
  return [...chosen].reduce((sum, pid) => sum + proportionalKilobytes(pid), 0) / 1024;
}

function processes(): Process[] {
  return readdirSync('/proc').flatMap((name) => {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) return [];
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'latin1');
      const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
      return [{ pid, parent, command: readFileSync(`/proc/${name}/cmdline`, 'latin1').replaceAll('\0', ' ') }];
    } catch {
      return []; // it ended while we looked
    }
  });
}

function proportionalKilobytes(pid: number): number {
  return Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1'))?.[1] ?? 0);
}

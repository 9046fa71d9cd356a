import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { compiledFilter } from './compiled-filter.ts';
import type { SeccompFilter } from './seccomp.ts';

const filter = { defaultAction: 'SCMP_ACT_ERRNO', syscalls: [] } as unknown as SeccompFilter;
const program = Buffer.from('0600000000000000', 'hex');
let folder: string;
let runtime: { program: string; root: string };

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'filter-'));
  runtime = { program: join(folder, 'crun'), root: join(folder, 'state') };
  writeFileSync(runtime.program, '');
  mkdirSync(join(runtime.root, 'step'), { recursive: true });
  writeFileSync(join(runtime.root, 'step/seccomp.bpf'), program);
});
afterEach(() => rmSync(folder, { recursive: true }));

test('what the runtime made is kept when its container has a status, and handed in for the same filter and runtime only', () => {
  const first = compiledFilter(filter, runtime);
  expect(first.annotations).toEqual({});
  expect(first.keep('step')).toBe(false);
  writeFileSync(join(runtime.root, 'step/status'), '{}');
  expect(first.keep('step')).toBe(true);
  expect(compiledFilter(filter, runtime).annotations).toEqual({ 'run.oci.seccomp_bpf_data': program.toString('base64') });
  expect(compiledFilter({ ...filter, syscalls: [{}] } as never, runtime).annotations).toEqual({});
  writeFileSync(runtime.program, 'a newer one');
  expect(compiledFilter(filter, runtime).annotations).toEqual({});
});

test('a damaged one is not used', () => {
  writeFileSync(join(runtime.root, 'step/status'), '{}');
  compiledFilter(filter, runtime).keep('step');
  const path = join(folder, 'filters', readdirSync(join(folder, 'filters'))[0]!);
  writeFileSync(path, readFileSync(path, 'utf8').replace('BgAAAAAAAAA=', 'BwAAAAAAAAA='));
  expect(compiledFilter(filter, runtime).annotations).toEqual({});
});

test('a container that is gone before it is looked at costs only the gain', () => {
  writeFileSync(join(runtime.root, 'step/status'), '{}');
  rmSync(join(runtime.root, 'step/seccomp.bpf'));
  expect(compiledFilter(filter, runtime).keep('step')).toBe(true);
});

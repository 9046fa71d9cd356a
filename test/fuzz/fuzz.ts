/**
 * Feeds changed documents and archives to the parsers: `npm run fuzz -- TARGET [--seconds N] [--seed N]`, with a target of
 * `manifest` or `tar`, and N seconds of processor time (60). The corpus is written by skopeo, umoci and docker at each run. What
 * breaks a law is kept in .cache/fuzz/ and printed with the seed that makes it again; the exit code is 1 then.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { makeCorpus } from './corpus.ts';
import { Random } from './random.ts';
import { targets } from './targets.ts';

const kept = fileURLToPath(new URL('../../.cache/fuzz', import.meta.url));
const mostFindings = 10;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: 'string', default: '60' }, seed: { type: 'string', default: String(Date.now() % 2 ** 32) } },
});
const name = positionals[0] ?? '';
const target = targets[name];
if (!target) {
  console.error(`fuzz: name a target: ${Object.keys(targets).join(' or ')}`);
  process.exit(2);
}
const seed = Number(values.seed);
const folder = mkdtempSync(join(tmpdir(), 'devenv-fuzz-'));
const corpus = await makeCorpus(folder).finally(() => rmSync(folder, { recursive: true, force: true }));
console.log(`${corpus.documents.length} documents and ${corpus.archives.length} archives by ${corpus.writers.join(', ')}; seed ${seed}`);

const limit = Number(values.seconds) * 1e6;
const start = process.cpuUsage();
const used = (): number => {
  const { user, system } = process.cpuUsage(start);
  return user + system;
};
const findings = new Map<string, string>();
let count = 0;
for (; used() < limit && findings.size < mostFindings; count++) {
  const random = new Random((seed + count) >>> 0);
  const input = target.make(random, corpus);
  try {
    await target.check(input, random);
  } catch (error) {
    const { message, stack = '' } = error as Error;
    const place = stack.split('\n').slice(1, 3).join(' ').replace(/\s+/g, ' ');
    const key = `${message.replaceAll(/[0-9]+/g, '#').slice(0, 80)} ${place}`;
    if (findings.has(key)) continue;
    mkdirSync(kept, { recursive: true });
    const path = join(kept, `${name}-${(seed + count) >>> 0}`);
    writeFileSync(path, input);
    findings.set(key, path);
    console.error(`${message.slice(0, 500)}\n${place}\n  ${path} (--seed ${(seed + count) >>> 0})`);
  }
}
console.log(
  `${count} inputs in ${(used() / 1e6).toFixed(0)} s of processor time, ${findings.size} findings; at most ${Math.round(process.resourceUsage().maxRSS / 1024)} MB`,
);
process.exit(findings.size > 0 ? 1 : 0);

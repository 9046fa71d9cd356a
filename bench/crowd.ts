import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';

/**
 * Copies the state of the one environment of a base directory, stopped, until there are so many: each with a container, a
 * record, a step and a layer of its own. Nothing of them runs.
 */
export function makeCrowd(base: string, count: number): void {
  const [id] = readdirSync(join(base, 'state/environments'));
  const [container] = readdirSync(join(base, 'data/containers'));
  const top = (readJson(join(base, 'data/containers', container!, 'container.json')) as { spec: { layer: string } }).spec.layer;
  const step = readdirSync(join(base, 'data/step-keys'))
    .map((name) => readFileSync(join(base, 'data/step-keys', name), 'utf8'))
    .find((text) => text.includes(`"layer":"${top}"`))!;
  for (let number = 1; number < count; number++) {
    const own = createHash('sha256').update(`crowd ${number}`).digest('hex');
    const [ownId, layer] = [own.slice(0, 16), `z${number.toString(36).padStart(5, '0')}`];
    const rename = (text: string): string => text.replaceAll(id!, ownId).replaceAll(`"${top}"`, `"${layer}"`);
    const copy = (from: string, to: string): void => {
      cpSync(join(base, from), join(base, to), { recursive: true, force: false });
      for (const file of readdirSync(join(base, to)).filter((name) => name.endsWith('.json')))
        writeFileSync(join(base, to, file), rename(readFileSync(join(base, to, file), 'utf8')));
    };
    copy(`state/environments/${id}`, `state/environments/${ownId}`);
    mkdirSync(join(base, 'data/layers', layer));
    for (const end of ['json', 'files']) {
      const text = readFileSync(join(base, 'data/layer-info', `${top}.${end}`), 'utf8');
      writeFileSync(join(base, 'data/layer-info', `${layer}.${end}`), rename(text));
    }
    writeFileSync(join(base, 'data/step-keys', `${own}.json`), rename(step).replace(/"key":"[0-9a-f]+"/, `"key":"${own}"`));
    copy(`data/containers/${container}`, `data/containers/${rename(container!)}`);
    for (const kind of ['environments', 'containers', 'keys']) {
      mkdirSync(join(base, 'runtime', kind), { recursive: true });
      writeFileSync(join(base, 'runtime', kind, kind === 'keys' ? own : kind === 'containers' ? rename(container!) : ownId), '');
    }
  }
}

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(path, 'utf8'));
}

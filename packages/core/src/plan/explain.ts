import { canonicalJson, type Json } from '../base/canonical-json.ts';
import type { InputEntry, KeyParts, StepKey } from '../oci/step-key.ts';

/** A key that was made before, and whose step it was. */
export interface EarlierKey {
  readonly key: StepKey;
  readonly parts: KeyParts;
  readonly step: { readonly project: string; readonly name: string };
}

/**
 * Why a key is not one that is here: one line for each component that differs from the nearest earlier key of the step.
 * `nameOf` names the step that a key belongs to.
 */
export function explainKey(
  key: StepKey,
  parts: KeyParts,
  step: { readonly project: string; readonly name: string },
  earlier: readonly EarlierKey[],
  parentName: string | undefined,
): string[] {
  const nearest = nearestKey(key, parts, step, earlier);
  if (!nearest) return ['it has never run here'];
  return differences(nearest.parts, parts, parentName);
}

/**
 * The fewest differing components; among equals the first of `earlier`, which is the newest. A step is known by its name; one
 * that was renamed (an unnamed step's name is its text) by the key it stood on.
 */
function nearestKey(
  key: StepKey,
  parts: KeyParts,
  step: { readonly project: string; readonly name: string },
  earlier: readonly EarlierKey[],
): EarlierKey | undefined {
  let nearest: EarlierKey | undefined;
  let fewest = Infinity;
  for (const candidate of earlier) {
    if (candidate.key === key || candidate.parts.definition['kind'] !== parts.definition['kind']) continue;
    const sameName = candidate.step.name === step.name;
    const sameProject = candidate.step.project === step.project;
    // Another project's step is this one only when it is the same to the letter, as in a clone by another name.
    if (!(sameProject ? sameName || candidate.parts.parent === parts.parent : sameName && sameDefinition(candidate.parts, parts))) continue;
    const distance = differences(candidate.parts, parts, undefined).length + (sameName ? 0 : 1) + (sameProject ? 0 : 2);
    if (distance < fewest) [nearest, fewest] = [candidate, distance];
  }
  return nearest;
}

function sameDefinition(a: KeyParts, b: KeyParts): boolean {
  return canonicalJson(a.definition) === canonicalJson(b.definition);
}

/** One line for each component that differs. */
export function differences(before: KeyParts, after: KeyParts, parentName: string | undefined): string[] {
  const lines: string[] = [];
  if (before.parent !== after.parent)
    lines.push(parentName === undefined ? 'what it stands on changed' : `it stands on "${parentName}", which changed`);
  lines.push(
    ...compareRecords('', before.definition, after.definition, (value) =>
      shorten(typeof value === 'string' ? value : canonicalJson(value)),
    ),
  );
  lines.push(...compareRecords('input ', before.inputs, after.inputs, showInput));
  lines.push(...compareRecords('argument ', before.args, after.args, shorten));
  if (before.platform !== after.platform) lines.push(`platform changed: ${before.platform} → ${after.platform}`);
  if (before.format !== after.format) lines.push(`layer format changed: ${before.format} → ${after.format}`);
  return lines;
}

function compareRecords<T>(
  prefix: string,
  before: Readonly<Record<string, T>>,
  after: Readonly<Record<string, T>>,
  show: (value: T) => string,
): string[] {
  const lines: string[] = [];
  for (const name of new Set([...Object.keys(before), ...Object.keys(after)].toSorted())) {
    const [old, current] = [before[name], after[name]];
    if (old === undefined) lines.push(`${prefix}${name} added: ${show(current!)}`);
    else if (current === undefined) lines.push(`${prefix}${name} removed`);
    else if (canonicalJson(old as Json) !== canonicalJson(current as Json))
      lines.push(`${prefix}${name} changed: ${show(old)} → ${show(current)}`);
  }
  return lines;
}

function showInput(entry: InputEntry): string {
  if (entry.type === 'symlink') return `link to ${entry.target}`;
  return `${entry.sha256.slice(0, 8)}…${entry.executable ? ' (executable)' : ''}`;
}

function shorten(text: string): string {
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
}

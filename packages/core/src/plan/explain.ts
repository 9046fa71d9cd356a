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
  lines.push(...compareRecords('', before.definition, after.definition, showValue));
  lines.push(...compareRecords('input ', before.inputs, after.inputs, showInput));
  lines.push(...compareRecords('argument ', before.args, after.args, showValue));
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
    if (old === undefined) lines.push(`${prefix}${name} added: ${excerpt(show(current!), 0)}`);
    else if (current === undefined) lines.push(`${prefix}${name} removed`);
    else if (canonicalJson(old as Json) !== canonicalJson(current as Json))
      lines.push(`${prefix}${name} changed: ${contrast(show(old), show(current))}`);
  }
  return lines;
}

function showInput(entry: InputEntry): string {
  if (entry.type === 'symlink') return `link to ${entry.target}`;
  return `${entry.sha256.slice(0, 8)}…${entry.executable ? ' (executable)' : ''}`;
}

/** In one line; a shell's command line as the file has it. */
function showValue(value: Json): string {
  const isShell = Array.isArray(value) && value.length === 3 && value[0] === '/bin/sh' && value[1] === '-c';
  const shown: Json = isShell ? value[2]! : value;
  return typeof shown === 'string' ? shown.replaceAll('\n', '\\n') : canonicalJson(shown);
}

const longest = 60;
const lead = 10;

/** Of two long texts, the part in which they differ and a little before it. */
function contrast(before: string, after: string): string {
  let same = 0;
  while (same < before.length && before[same] === after[same]) same++;
  const from = Math.max(before.length, after.length) <= longest || same <= longest / 2 ? 0 : same - lead;
  return `${excerpt(before, from)} → ${excerpt(after, from)}`;
}

function excerpt(text: string, from: number): string {
  const rest = text.slice(from);
  const shown = rest.length > longest ? `${rest.slice(0, longest - 1)}…` : rest;
  return `${from > 0 ? '…' : ''}${shown.toWellFormed()}`;
}

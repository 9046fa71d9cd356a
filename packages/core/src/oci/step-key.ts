import { canonicalJson, sha256, type Json } from '../base/canonical-json.ts';

/** Identity of what a step makes: 64 hexadecimal digits, the hash of its KeyParts. */
export type StepKey = string & { readonly __brand: 'StepKey' };

/** Changes when the same components must give another layer (normalisation rules, layer layout). Part of every key. */
export const layerFormat = 2;

/** Version 1 of what an input contributes: kind and content, never times, owners or the umask. */
export type InputEntry =
  { readonly type: 'file'; readonly sha256: string; readonly executable: boolean } | { readonly type: 'symlink'; readonly target: string };

/** The components of a step key. They are stored with it, so that a miss can be explained by comparing. */
export interface KeyParts {
  /** The key this step stands on; null for a base. */
  readonly parent: StepKey | null;
  /** The step's normalised definition. */
  readonly definition: { readonly [name: string]: Json };
  /** Workspace-relative path to content, for each file the step reads. */
  readonly inputs: Readonly<Record<string, InputEntry>>;
  readonly args: Readonly<Record<string, string>>;
  readonly platform: string;
  readonly format: number;
}

export function stepKey(parts: KeyParts): StepKey {
  return sha256(canonicalJson(parts as unknown as Json)) as StepKey;
}

import { hasStrings, isObject } from '../base/shape.ts';
import type { LayerId, LayerInfo, StepRecord } from './layer-store.ts';

// The store's files name directories that are mounted: what is not as we write it counts as absent, which costs time only.

export function isLayerId(id: unknown): id is LayerId {
  return typeof id === 'string' && /^[0-9a-z]{6}$/.test(id);
}

export function isLayerInfo(info: unknown, id: LayerId): info is LayerInfo {
  if (!isObject(info) || info['id'] !== id) return false;
  const { parent, chainId, diffId, entries, bytes }: Partial<Record<keyof LayerInfo, unknown>> = info;
  const digests = [chainId, diffId].every((digest) => digest === undefined || typeof digest === 'string');
  return digests && (parent === undefined || isLayerId(parent)) && typeof entries === 'number' && typeof bytes === 'number';
}

export function isStepRecord(record: unknown): record is StepRecord {
  if (!isObject(record) || !hasStrings(record, 'key', 'createdAt') || typeof record['seconds'] !== 'number') return false;
  const { layer, step, parts }: Partial<Record<keyof StepRecord, unknown>> = record;
  return isLayerId(layer) && isObject(step) && hasStrings(step, 'project', 'name') && isKeyParts(parts);
}

function isKeyParts(parts: unknown): boolean {
  if (!isObject(parts) || !isObject(parts['definition']) || !isObject(parts['inputs']) || !isObject(parts['args'])) return false;
  return Object.values(parts['inputs']).every(
    (entry) => isObject(entry) && hasStrings(entry, entry['type'] === 'symlink' ? 'target' : 'sha256'),
  );
}

import type { Place } from './config.ts';
import { positionAt } from '../base/code-frame.ts';

/** A file that was read, for saying where things stand in it. */
export interface Source {
  /** Absolute. */
  readonly file: string;
  readonly text: string;
  readonly starts: readonly number[];
}

/** A place in a file. */
export interface Spot {
  readonly source: Source;
  /** In UTF-16 units from 0. */
  readonly offset: number;
}

/** A JSON value that knows where it stands. */
export type Node = ObjectNode | ArrayNode | StringNode | NumberNode | BooleanNode | NullNode;

export interface ObjectNode extends Spot {
  readonly kind: 'object';
  readonly members: ReadonlyMap<string, Member>;
  /** Keys whose value devenv.local.json took away with null. */
  readonly removed: readonly Key[];
}

export interface Key extends Spot {
  readonly name: string;
}

export interface Member {
  readonly key: Key;
  readonly value: Node;
}

export interface ArrayNode extends Spot {
  readonly kind: 'array';
  readonly items: readonly Node[];
}

export interface StringNode extends Spot {
  readonly kind: 'string';
  readonly value: string;
}

export interface NumberNode extends Spot {
  readonly kind: 'number';
  readonly value: number;
}

export interface BooleanNode extends Spot {
  readonly kind: 'boolean';
  readonly value: boolean;
}

export interface NullNode extends Spot {
  readonly kind: 'null';
}

export function placeOf(spot: Spot): Place {
  return { file: spot.source.file, ...positionAt(spot.source.starts, spot.offset) };
}

/** The place of a part of a string; the string's own place when it is written with escapes. */
export function spotInside(node: StringNode, index: number): Spot {
  const start = node.offset + 1; // after the quote
  const asWritten = node.source.text.startsWith(node.value, start);
  return { source: node.source, offset: asWritten ? start + index : node.offset };
}

/** The plain value. Own members only, whatever they are called (`__proto__` too). */
export function plainValue(node: Node): unknown {
  switch (node.kind) {
    case 'object':
      return Object.fromEntries([...node.members].map(([name, member]) => [name, plainValue(member.value)]));
    case 'array':
      return node.items.map(plainValue);
    case 'null':
      return null;
    default:
      return node.value;
  }
}

import type { Problems } from './problems.ts';
import type { Node, ObjectNode, StringNode } from './tree.ts';

/**
 * Reads the members of one object that the schema has checked. What is absent or bad reads as undefined, so that the rest
 * can still be read and all problems found.
 */
export class Members {
  readonly node: ObjectNode | undefined;
  readonly problems: Problems;

  constructor(node: Node | undefined, problems: Problems) {
    this.node = node?.kind === 'object' ? node : undefined;
    this.problems = problems;
  }

  get(name: string): Node | undefined {
    const value = this.node?.members.get(name)?.value;
    return value && !this.problems.isBad(value) ? value : undefined;
  }

  object(name: string): Members {
    return new Members(this.get(name), this.problems);
  }

  string(name: string): StringNode | undefined {
    const value = this.get(name);
    return value?.kind === 'string' ? value : undefined;
  }

  text(name: string): string | undefined {
    return this.string(name)?.value;
  }

  number(name: string): number | undefined {
    const value = this.get(name);
    return value?.kind === 'number' ? value.value : undefined;
  }

  flag(name: string, otherwise: boolean): boolean {
    const value = this.get(name);
    return value?.kind === 'boolean' ? value.value : otherwise;
  }

  items(name: string): readonly Node[] {
    const value = this.get(name);
    return value?.kind === 'array' ? value.items.filter((item) => !this.problems.isBad(item)) : [];
  }

  strings(name: string): readonly StringNode[] {
    return this.items(name).filter((item) => item.kind === 'string');
  }

  texts(name: string): readonly string[] {
    return this.strings(name).map((item) => item.value);
  }

  /** The texts of an object, in the order written. */
  textsByName(name: string): Readonly<Record<string, string>> {
    const members = [...(this.object(name).node?.members ?? [])];
    return Object.fromEntries(members.flatMap(([key, { value }]) => (value.kind === 'string' ? [[key, value.value]] : [])));
  }
}

import { parseTree, printParseErrorCode, type Node as JsonNode, type ParseError } from 'jsonc-parser';
import { lineStarts } from '../base/code-frame.ts';
import type { Problems } from './problems.ts';
import type { Key, Member, Node, Source } from './tree.ts';

const mostSyntaxProblems = 10;
/** Far deeper than the format goes; only `customizations` may nest freely. */
const deepest = 64;
const longest = 1024 * 1024; // UTF-16 units

/**
 * JSON with comments and trailing commas, or undefined when the text is not that (the problems say where).
 * Safe on hostile text: bounded in size and depth.
 */
export function parseSource(file: string, content: string, problems: Problems, limit: number = longest): Node | undefined {
  const text = content.startsWith('\ufeff') ? content.slice(1) : content; // a byte order mark is no part of line 1
  const source: Source = { file, text, starts: lineStarts(text) };
  const start = { source, offset: 0 };
  if (text.length > limit) {
    problems.add('SYNTAX', { source: { file, text: '', starts: [0] }, offset: 0 }, `The file is larger than ${limit / 1024 / 1024} MiB.`);
    return undefined;
  }
  if (text.trim() === '') {
    problems.add('SYNTAX', start, 'The file is empty.', 'start it with { "image": … }');
    return undefined;
  }
  const errors: ParseError[] = [];
  const root = parse(text, errors);
  if (root === 'too deep') {
    problems.add('SYNTAX', start, `The text is nested deeper than ${deepest} levels.`);
    return undefined;
  }
  if (errors.length > 0) {
    reportSyntax(source, errors, problems);
    return undefined;
  }
  return root && toTree(root, source, problems);
}

function parse(text: string, errors: ParseError[]): JsonNode | undefined | 'too deep' {
  try {
    const root = parseTree(text, errors, { allowTrailingComma: true });
    return root && isDeeper(root, deepest) ? 'too deep' : root;
  } catch (error) {
    if (error instanceof RangeError) return 'too deep'; // jsonc-parser recurses
    throw error;
  }
}

function isDeeper(node: JsonNode, levels: number): boolean {
  if (levels === 0) return true;
  return node.children?.some((child) => isDeeper(child, node.type === 'property' ? levels : levels - 1)) ?? false;
}

/** One mistake often makes several errors on its line: the first of a line is the one that helps. */
function reportSyntax(source: Source, errors: readonly ParseError[], problems: Problems): void {
  const lines = new Set<number>();
  for (const error of errors) {
    const line = source.starts.findLastIndex((start) => start <= error.offset);
    if (lines.has(line) || lines.size === mostSyntaxProblems) continue;
    lines.add(line);
    const symbol = source.text.slice(error.offset, error.offset + Math.max(error.length, 1));
    const name = printParseErrorCode(error.error);
    problems.add('SYNTAX', { source, offset: error.offset }, syntaxMessage(name, symbol), syntaxHint(name, symbol));
  }
}

const syntaxMessages: Readonly<Record<string, string>> = {
  InvalidNumberFormat: 'This number is not written as JSON writes numbers.',
  PropertyNameExpected: 'The name of a member is expected here, in double quotes.',
  ValueExpected: 'A value is expected here.',
  ColonExpected: 'A colon is missing before this.',
  CommaExpected: 'A comma is missing before this.',
  CloseBraceExpected: 'A closing } is missing.',
  CloseBracketExpected: 'A closing ] is missing.',
  EndOfFileExpected: 'The file should end here.',
  UnexpectedEndOfComment: 'This comment has no end.',
  UnexpectedEndOfString: 'This string has no closing quote on its line.',
  UnexpectedEndOfNumber: 'This number has no end.',
  InvalidUnicode: 'A \\u escape needs four hexadecimal digits.',
  InvalidEscapeCharacter: 'JSON has no such escape.',
  InvalidCharacter: 'A control character stands in this string.',
};

function syntaxMessage(error: string, symbol: string): string {
  if (error === 'InvalidSymbol') return `${JSON.stringify(symbol.slice(0, 40))} is not JSON.`;
  return syntaxMessages[error] ?? 'This is not JSON.';
}

function syntaxHint(error: string, symbol: string): string | undefined {
  if (symbol.startsWith("'")) return 'strings stand in double quotes';
  if (error === 'InvalidEscapeCharacter') return 'write \\\\ for a backslash';
  if (error === 'InvalidCharacter') return 'write \\t for a tab, \\n for a new line';
  return undefined;
}

function toTree(node: JsonNode, source: Source, problems: Problems): Node {
  const spot = { source, offset: node.offset };
  switch (node.type) {
    case 'object':
      return { ...spot, kind: 'object', members: members(node.children ?? [], source, problems), removed: [] };
    case 'array':
      return { ...spot, kind: 'array', items: (node.children ?? []).map((item) => toTree(item, source, problems)) };
    case 'string':
      return { ...spot, kind: 'string', value: node.value as string };
    case 'number':
      return { ...spot, kind: 'number', value: node.value as number };
    case 'boolean':
      return { ...spot, kind: 'boolean', value: node.value as boolean };
    default:
      return { ...spot, kind: 'null' };
  }
}

function members(properties: readonly JsonNode[], source: Source, problems: Problems): ReadonlyMap<string, Member> {
  const result = new Map<string, Member>();
  for (const property of properties) {
    const [name, value] = property.children as [JsonNode, JsonNode];
    const key: Key = { source, offset: name.offset, name: name.value as string };
    // JSON leaves the meaning open and most parsers drop the first silently.
    if (result.has(key.name)) problems.add('BAD_VALUE', key, `${JSON.stringify(key.name)} stands here a second time.`);
    else result.set(key.name, { key, value: toTree(value, source, problems) });
  }
  return result;
}

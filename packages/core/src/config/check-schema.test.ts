import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import Ajv from 'ajv/dist/2020.js';
import { parse } from 'jsonc-parser';
import { expect, test } from 'vitest';
import json from '../../../../schemas/devenv.schema.json' with { type: 'json' };
import { checkSchema } from './check-schema.ts';
import { parseSource } from './parse-source.ts';
import { Problems } from './problems.ts';
import { devenvSchema } from './schema.ts';

const ajv = new Ajv.Ajv2020({ allErrors: true, strict: true, strictTypes: false, allowUnionTypes: true });
ajv.addVocabulary(['patternErrorMessage', 'allowComments', 'allowTrailingCommas']);
const validate = ajv.compile(json);

test('the schema uses only the keywords that the checker knows', () => {
  const known = [
    ...[
      '$ref',
      'title',
      'type',
      'const',
      'enum',
      'oneOf',
      'properties',
      'required',
      'additionalProperties',
      'propertyNames',
      'minProperties',
    ],
    ...['items', 'minItems', 'minLength', 'pattern', 'minimum', 'maximum', 'exclusiveMinimum', 'examples', 'patternErrorMessage'],
    ...['description', 'default', 'allowComments', 'allowTrailingCommas'], // say nothing about what is valid
  ];
  const { $schema, $defs, ...root } = json;
  expect($schema).toBe('https://json-schema.org/draft/2020-12/schema');
  const used = new Set([...Object.values($defs), root].flatMap(keywords));
  expect([...used].filter((keyword) => !known.includes(keyword))).toEqual([]);
});

test('every member of the format is described, for the editor', () => {
  const undescribed = Object.values({ ...json.$defs, root: json }).flatMap((schema) => withoutDescription(schema as Raw));
  expect(undescribed).toEqual([]);
});

test('every example and default in the schema fits its own place', () => {
  for (const schema of Object.values({ ...json.$defs, root: json })) checkExamples(schema);
});

test('the checker and ajv agree on thousands of mutilated files', () => {
  const random = numbers(7);
  let invalid = 0;
  for (const text of exampleTexts()) {
    for (let round = 0; round < 150; round++) {
      const value = mutilate(parse(text), 1 + Math.floor(random() * 2), random);
      const expected = validate(value);
      const problems = new Problems();
      const tree = parseSource('/devenv.json', JSON.stringify(value), problems)!;
      checkSchema(tree, devenvSchema, problems);
      if (!expected) invalid++;
      expect(
        problems.count === 0,
        `${JSON.stringify(value)}\nours: ${JSON.stringify(problems.list([]))}\najv: ${JSON.stringify(validate.errors)}`,
      ).toBe(expected);
    }
  }
  expect(invalid).toBeGreaterThan(1000);
});

type Raw = Record<string, unknown>;

function exampleTexts(): string[] {
  return ['valid', 'invalid'].flatMap((kind) => {
    const folder = fileURLToPath(new URL(`../../../../schemas/${kind}/`, import.meta.url));
    return readdirSync(folder)
      .filter((file) => file.endsWith('.json'))
      .map((file) => readFileSync(folder + file, 'utf8'))
      .filter((text) => text.trim() !== '' && !text.includes('\\u0000')); // NUL is a rule of ours, not of the schema
  });
}

function children(schema: Raw): Raw[] {
  const several = [schema['oneOf'] ?? [], Object.values(schema['properties'] ?? {})].flat() as Raw[];
  return [...several, schema['items'], schema['additionalProperties'], schema['propertyNames']].filter(
    (child): child is Raw => typeof child === 'object' && child !== null,
  );
}

function keywords(schema: Raw): string[] {
  return [...Object.keys(schema), ...children(schema).flatMap(keywords)];
}

function withoutDescription(schema: Raw): string[] {
  const members = Object.entries((schema['properties'] ?? {}) as Record<string, Raw>);
  const bare = members.filter(([, member]) => !member['description'] && !member['const'] && !resolved(member)['description']);
  return [...bare.map(([name]) => name), ...children(schema).flatMap(withoutDescription)];
}

function resolved(schema: Raw): Raw {
  const name = (schema['$ref'] as string | undefined)?.replace('#/$defs/', '');
  return name ? json.$defs[name as keyof typeof json.$defs] : schema;
}

function checkExamples(schema: Raw): void {
  const values = [...((schema['examples'] ?? []) as unknown[]), ...('default' in schema ? [schema['default']] : [])];
  for (const value of values) {
    const valid = ajv.validate({ ...schema, $defs: json.$defs }, value);
    expect(valid, `${JSON.stringify(value)} in ${JSON.stringify(schema['description'])}: ${ajv.errorsText()}`).toBe(true);
  }
  for (const child of children(schema)) checkExamples(child);
}

/** mulberry32: the same numbers in every run. */
function numbers(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

const odd: readonly unknown[] = [
  null,
  0,
  -1,
  1.5,
  70000,
  3000,
  true,
  false,
  '',
  'x',
  '/x',
  '../x',
  'bind',
  'a b',
  '${x}',
  '2g',
  '30s',
  '8080:80',
  [],
  ['x'],
  [1],
  [['x']],
  {},
  { x: 'y' },
  { run: 'x' },
  { type: 'tmpfs', target: '/x' },
  { '1': '1' },
];
const names = ['run', 'copy', 'to', 'apt', 'env', 'type', 'source', 'size', 'x', 'name', '', '__proto__', 'toString'];

function mutilate(value: unknown, times: number, random: () => number): unknown {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
  const root = { root: value };
  for (let time = 0; time < times; time++) {
    const places = containers(root);
    const place = pick(places);
    const keys = Object.keys(place);
    const key = keys.length > 0 ? pick(keys) : undefined;
    const action = random();
    if (Array.isArray(place)) {
      if (action < 0.3 || key === undefined) place.push(structuredClone(pick(odd)));
      else if (action < 0.5) place.splice(Number(key), 1);
      else place[Number(key)] = structuredClone(pick(odd));
    } else if (place !== root && (action < 0.25 || key === undefined)) define(place, pick(names), structuredClone(pick(odd)));
    else if (place !== root && action < 0.45) delete place[key!];
    else if (place !== root && action < 0.55) define(place, `${key}x`, place[key!]);
    else define(place, key!, structuredClone(pick(odd)));
  }
  return root.root;
}

function define(object: Raw, name: string, value: unknown): void {
  Object.defineProperty(object, name, { value, enumerable: true, writable: true, configurable: true });
}

function containers(value: unknown): (Raw & unknown[])[] {
  if (typeof value !== 'object' || value === null) return [];
  return [value as Raw & unknown[], ...Object.values(value).flatMap(containers)];
}

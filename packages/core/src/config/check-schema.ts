import { didYouMean, nearest } from '../base/did-you-mean.ts';
import { unreachable } from '../base/errors.ts';
import type { Problems } from './problems.ts';
import { definition, type Schema, type TypeName } from './schema.ts';
import type { Node, ObjectNode, Spot } from './tree.ts';

/*
 * Why not ajv: it answers a union with the failures of every branch and knows no places, so that its answer would have to
 * be undone and redone as large as this; and as a program that makes programs it is slow to start or a generated file. This
 * reads the part of JSON Schema that devenv.schema.json uses. A test compares the two on thousands of values.
 */

export interface CheckOptions {
  /** The value is a part of a whole that could not be read: what is missing may stand there. */
  readonly partial?: boolean;
  /** What is known about a name that does not exist here: `use "ports"`. */
  readonly hintFor?: (unknownKey: string) => string | undefined;
}

/** Reports everything in the value that the schema does not allow, each mistake once. Leaves values alone that are bad already. */
export function checkSchema(value: Node, schema: Schema, problems: Problems, options: CheckOptions = {}): void {
  check(value, schema, { name: '', title: undefined }, { problems, options });
}

interface Context {
  readonly problems: Problems;
  readonly options: CheckOptions;
}

/** What messages call the value. */
interface Subject {
  /** `"steps"`, or empty for the whole file. */
  readonly name: string;
  /** `a run step`. */
  readonly title: string | undefined;
}

function check(value: Node, written: Schema, subject: Subject, context: Context): void {
  const schema = definition(written);
  if (context.problems.isBad(value)) return;
  if (schema.oneOf) return checkUnion(value, schema.oneOf.map(definition), subject, context);
  const allowed = schema.type === undefined ? undefined : [schema.type].flat();
  if (allowed && !allowed.some((type) => hasType(value, type))) return wrongType(value, allowed, subject, context);
  if (schema.enum && value.kind === 'string' && !schema.enum.includes(value.value))
    return unknownName(value, value.value, schema.enum, subject, context);
  if (schema.enum && value.kind !== 'string') return wrongType(value, ['string'], subject, context);
  switch (value.kind) {
    case 'object':
      return checkObject(value, schema, { ...subject, title: schema.title ?? subject.title }, context);
    case 'array':
      if (schema.minItems !== undefined && value.items.length < schema.minItems) {
        return context.problems.add('BAD_VALUE', value, `${called(subject)} cannot be empty.`);
      }
      if (schema.items)
        for (const item of value.items) check(item, schema.items, { ...subject, name: `an item of ${subject.name}` }, context);
      return;
    case 'string':
      return checkString(value, value.value, schema, subject, context);
    case 'number':
      return checkNumber(value, value.value, schema, subject, context);
    case 'boolean':
    case 'null':
      return;
    default:
      return unreachable(value);
  }
}

function checkString(value: Spot, text: string, schema: Schema, subject: Subject, { problems }: Context): void {
  if (text.includes('\0')) problems.add('BAD_VALUE', value, `${called(subject)} cannot hold a NUL character.`);
  else if (schema.const !== undefined && text !== schema.const)
    problems.add('BAD_VALUE', value, `${called(subject)} must be ${JSON.stringify(schema.const)}.`);
  else if (schema.minLength !== undefined && text.length < schema.minLength)
    problems.add('BAD_VALUE', value, `${called(subject)} cannot be empty.`);
  else if (schema.pattern !== undefined && !pattern(schema.pattern).test(text)) {
    problems.add(
      'BAD_VALUE',
      value,
      `${quoted(text)} cannot be used${schema.patternErrorMessage ? `. ${schema.patternErrorMessage}` : '.'}`,
    );
  }
}

function checkNumber(value: Node, number: number, schema: Schema, subject: Subject, { problems }: Context): void {
  if (schema.minimum !== undefined && schema.maximum !== undefined && (number < schema.minimum || number > schema.maximum)) {
    problems.add('BAD_VALUE', value, `${called(subject)} must be from ${schema.minimum} to ${schema.maximum}.`);
  } else if (schema.minimum !== undefined && number < schema.minimum) {
    problems.add('BAD_VALUE', value, `${called(subject)} must be at least ${schema.minimum}.`);
  } else if (schema.exclusiveMinimum !== undefined && number <= schema.exclusiveMinimum) {
    problems.add('BAD_VALUE', value, `${called(subject)} must be more than ${schema.exclusiveMinimum}.`);
  }
}

function checkObject(value: ObjectNode, schema: Schema, subject: Subject, context: Context): void {
  const { problems, options } = context;
  const properties = schema.properties ?? {};
  const keys = [...[...value.members.values()].map((member) => member.key), ...value.removed];
  for (const key of keys) {
    if (Object.hasOwn(properties, key.name)) continue;
    if (schema.additionalProperties === false) {
      const absent = Object.keys(properties).filter((name) => !value.members.has(name));
      problems.add(
        'UNKNOWN_KEY',
        key,
        `There is no ${quoted(key.name)}${inside(subject)}.`,
        hintFor(key.name, [absent, Object.keys(properties)], options),
      );
    } else if (schema.propertyNames && !value.removed.includes(key)) {
      checkString(key, key.name, definition(schema.propertyNames), { name: 'a name', title: undefined }, context);
    }
  }
  for (const name of options.partial ? [] : (schema.required ?? [])) {
    if (value.members.has(name)) continue;
    // Not at the object itself: the rest of it can still be checked.
    const spot = { source: value.source, offset: value.offset };
    problems.add('MISSING_KEY', spot, `${quoted(name)} is missing${inside(subject)}.`, exampleOf(schema, name));
  }
  if (schema.minProperties !== undefined && value.members.size < schema.minProperties) {
    problems.add('BAD_VALUE', value, `${called(subject)} cannot be empty.`);
  }
  for (const [name, member] of value.members) {
    const inner = Object.hasOwn(properties, name) ? properties[name] : schema.additionalProperties;
    if (inner) check(member.value, inner, { name: quoted(name), title: undefined }, context);
  }
}

/** Finds which branch was meant and reports against that one only. */
function checkUnion(value: Node, branches: readonly Schema[], subject: Subject, context: Context): void {
  const { problems } = context;
  const fitting = branches.filter((branch) => [branch.type!].flat().some((type) => hasType(value, type)));
  if (value.kind !== 'object' || fitting.length === 0) {
    if (fitting[0]) return check(value, fitting[0], subject, context);
    return wrongType(
      value,
      branches.flatMap((branch) => branch.type!),
      subject,
      context,
    );
  }
  const tag = tagOf(fitting);
  if (tag) return checkTagged(value, fitting, tag, subject, context);
  // Each kind has a member of its own, the first of `required`; `env` comes last since a run step may have one, too.
  const distinguishing = fitting.map((branch) => branch.required![0]!);
  const present = distinguishing.filter((name) => value.members.has(name));
  const chosen = fitting.find((branch) => present.includes(branch.required![0]!));
  if (!chosen) return noBranch(value, fitting, distinguishing, subject, context);
  const second = present.find((name) => name !== chosen.required![0]! && !Object.hasOwn(chosen.properties ?? {}, name));
  if (second === undefined) return check(value, chosen, subject, context);
  const key = value.members.get(second)!.key;
  problems.add('UNKNOWN_KEY', key, `${capital(chosen.title!)} cannot have "${second}", too.`, 'write two, one after the other');
  const members = new Map(value.members);
  members.delete(second);
  check({ ...value, members }, chosen, subject, context);
}

/** None of the distinguishing members is there: perhaps one is misspelt. */
function noBranch(
  value: ObjectNode,
  branches: readonly Schema[],
  distinguishing: readonly string[],
  subject: Subject,
  context: Context,
): void {
  const { problems, options } = context;
  const known = branches.flatMap((branch) => Object.keys(branch.properties ?? {}));
  const unknownKeys = [...value.members.values()].map((member) => member.key).filter((key) => !known.includes(key.name));
  const misspelt = unknownKeys.find((key) => nearest(key.name, distinguishing) !== undefined);
  if (misspelt) {
    const meant = nearest(misspelt.name, distinguishing)!;
    problems.add('UNKNOWN_KEY', misspelt, `There is no ${quoted(misspelt.name)}${inside(subject)}.`, `did you mean ${quoted(meant)}?`);
    const members = new Map(value.members);
    members.set(meant, { key: { ...misspelt, name: meant }, value: members.get(misspelt.name)!.value });
    members.delete(misspelt.name);
    return check({ ...value, members }, branches[distinguishing.indexOf(meant)]!, subject, context);
  }
  for (const key of unknownKeys) {
    problems.add(
      'UNKNOWN_KEY',
      key,
      `There is no ${quoted(key.name)}${inside(subject)}.`,
      hintFor(key.name, [known, distinguishing], options),
    );
  }
  if (unknownKeys.length === 0) problems.add('MISSING_KEY', value, `${capital(subject.name)} needs one of ${distinguishing.join(', ')}.`);
  problems.markBad(value);
}

/** The member whose constant tells the branches apart, when they have one. */
function tagOf(branches: readonly Schema[]): string | undefined {
  return Object.keys(branches[0]?.properties ?? {}).find((name) =>
    branches.every((branch) => branch.properties?.[name]?.const !== undefined),
  );
}

function checkTagged(value: ObjectNode, branches: readonly Schema[], tag: string, subject: Subject, context: Context): void {
  const tagged = value.members.get(tag)?.value;
  const names = branches.map((branch) => branch.properties![tag]!.const as string);
  if (!tagged) {
    return context.problems.add('MISSING_KEY', value, `${quoted(tag)} is missing in ${subject.name}.`, `one of ${names.join(', ')}`);
  }
  if (tagged.kind !== 'string') return wrongType(tagged, ['string'], { ...subject, name: quoted(tag) }, context);
  if (!names.includes(tagged.value)) unknownName(tagged, tagged.value, names, { ...subject, name: quoted(tag) }, context);
  const meant = nearest(tagged.value, names);
  if (meant === undefined) context.problems.markBad(value);
  else check(value, branches[names.indexOf(meant)]!, subject, context);
}

function unknownName(value: Node, text: string, names: readonly string[], subject: Subject, { problems }: Context): void {
  problems.add(
    'BAD_VALUE',
    value,
    `${called(subject)} cannot be ${quoted(text)}.`,
    didYouMean(text, names) ?? `one of ${names.join(', ')}`,
  );
}

function wrongType(value: Node, allowed: readonly TypeName[], subject: Subject, { problems }: Context): void {
  const wanted = [...new Set(allowed.filter((type) => type !== 'null'))].map((type) => typeNames[type]);
  const found = value.kind === 'number' && allowed.includes('integer') ? `the number ${value.value}` : typeNames[value.kind];
  const quote =
    allowed.every((type) => type === 'string') && (value.kind === 'number' || value.kind === 'boolean')
      ? `write "${value.value}"`
      : undefined;
  const list = allowed.includes('array') && value.kind === 'string' ? `write [${JSON.stringify(value.value)}]` : undefined;
  problems.add('WRONG_TYPE', value, `${called(subject)} must be ${alternatives(wanted)}, not ${found}.`, quote ?? list);
}

const typeNames = {
  object: 'an object',
  array: 'an array',
  string: 'a string',
  number: 'a number',
  integer: 'a whole number',
  boolean: 'true or false',
  null: 'null',
} as const;

function hasType(value: Node, type: TypeName): boolean {
  if (type === 'integer') return value.kind === 'number' && Number.isInteger(value.value);
  return value.kind === type;
}

const patterns = new Map<string, RegExp>();

function pattern(source: string): RegExp {
  let compiled = patterns.get(source);
  if (!compiled) patterns.set(source, (compiled = new RegExp(source, 'u')));
  return compiled;
}

function exampleOf(schema: Schema, name: string): string | undefined {
  const property = schema.properties?.[name];
  const member = property && definition(property);
  const example = member?.examples?.[0] ?? member?.oneOf?.map(definition)[0]?.examples?.[0];
  return example === undefined ? undefined : `for example ${JSON.stringify(name)}: ${JSON.stringify(example)}`;
}

function called(subject: Subject): string {
  return subject.name ? capital(subject.name) : 'The file';
}

function quoted(name: string): string {
  return JSON.stringify(name.length > 60 ? `${name.slice(0, 60)}…` : name);
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function inside(subject: Subject): string {
  const place = subject.title ?? subject.name;
  return place ? ` in ${place}` : '';
}

/** What other tools' word it is, or what it nearly is, or what there is. */
function hintFor(name: string, [near, all]: readonly [readonly string[], readonly string[]], options: CheckOptions): string {
  return options.hintFor?.(name) ?? didYouMean(name, near) ?? `there are ${all.filter((each) => !each.startsWith('$')).join(', ')}`;
}

function alternatives(names: readonly string[]): string {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`;
}

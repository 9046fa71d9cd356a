import json from '../../../../schemas/devenv.schema.json' with { type: 'json' };

export type TypeName = 'object' | 'array' | 'string' | 'number' | 'integer' | 'boolean' | 'null';

/** The keywords of JSON Schema (draft 2020-12) that devenv.schema.json uses; a test holds it to them. */
export interface Schema {
  readonly $ref?: string;
  readonly title?: string;
  readonly type?: TypeName | readonly TypeName[];
  readonly const?: string;
  readonly enum?: readonly string[];
  readonly oneOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: false | Schema;
  readonly propertyNames?: Schema;
  readonly minProperties?: number;
  readonly items?: Schema;
  readonly minItems?: number;
  readonly minLength?: number;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly examples?: readonly unknown[];
  /** What to say when `pattern` does not match; editors show it, too. */
  readonly patternErrorMessage?: string;
}

/** The format of devenv.json. */
export const devenvSchema: Schema = json as unknown as Schema;

const definitions = json.$defs as unknown as Readonly<Record<string, Schema>>;

/** The schema that a `$ref` names, with what stands beside the `$ref` over it. */
export function definition(schema: Schema): Schema {
  if (schema.$ref === undefined) return schema;
  const { $ref, ...beside } = schema;
  const named = definitions[$ref.slice('#/$defs/'.length)];
  if (!named) throw new Error(`the schema has no ${$ref}`);
  return { ...definition(named), ...beside };
}

import { UserError } from '../base/errors.ts';
import { formatPlatform, type Platform } from '../oci/platform.ts';
import { formatReference, parseReference } from '../oci/reference.ts';
import type { Registry } from '../registry/registry.ts';
import { acceptableUser, acceptableVariable, acceptableWorkspace, isProductionMode, literal, shellText } from './acceptable.ts';
import { parseExposed } from './port.ts';
import type { Finding, Sourced } from './proposal.ts';

export interface BaseImage extends Finding {
  readonly image: Sourced<string>;
  /** Everything it sets: says what is in it (`NODE_VERSION`). */
  readonly variables: Readonly<Record<string, string>>;
}

/** An image that production runs as the base, pinned to what its name means now, with its settings. @throws UserError as Registry does */
export async function readBaseImage(name: string, registry: Registry, platform: Platform): Promise<BaseImage> {
  const reference = parseReference(name);
  const meaning = await registry.resolve(reference, platform);
  if (!meaning) {
    throw new UserError('IMAGE_NOT_FOUND', `There is no image ${formatReference(reference)}.`, {
      hint: 'Check its spelling, and that you may read it.',
    });
  }
  const pinned = { ...reference, digest: meaning.manifest };
  const { config } = await registry.get(pinned, platform);
  const from = `the image ${name}`;
  const notes: string[] = [];
  const env: Record<string, Sourced<string>> = {};
  for (const [variable, value] of Object.entries(config.env)) {
    if (isProductionMode(variable, value))
      notes.push(`The image sets ${variable}=${value}: "env": { "${variable}": "development" } changes that.`);
    else if (acceptableVariable(variable) && !isOfTheImage(variable)) env[variable] = { value: literal(value), from };
  }
  const user = acceptableUser(config.user);
  const workspace = acceptableWorkspace(config.workdir);
  const command = shellText({ value: config.command, from });
  if (config.entrypoint.length > 0)
    notes.push(`Before the command stands the image's own entrypoint: ${JSON.stringify(config.entrypoint)}`);
  if (config.user !== '' && user === undefined) notes.push(`The image runs as ${config.user}, as whom nobody can work well.`);
  return {
    image: { value: formatReference(pinned), from: `${from}, pinned to what the name meant for ${formatPlatform(platform)}` },
    variables: config.env,
    env,
    ...(user === undefined ? {} : { user: { value: user, from } }),
    ...(workspace === undefined ? {} : { workspace: { value: workspace, from } }),
    ...(command ? { command } : {}),
    ports: config.exposedPorts.flatMap((port) => {
      const value = parseExposed(port);
      return value === undefined ? [] : [{ value, from }];
    }),
    notes,
  };
}

/** What describes the image's own contents: repeated in the file, it would be wrong after an update of the image. */
function isOfTheImage(variable: string): boolean {
  return /^(?:PATH|HOME|HOSTNAME|LANG|LC_ALL|GPG_KEYS?|JAVA_HOME|GOPATH|GOTOOLCHAIN|(?:RUSTUP|CARGO|GEM|BUNDLE)_\w+)$|_(?:VERSION|SHA\d*|CHECKSUM|URL|ASC_URL|DIR|DEPS)$|^PYTHON_GET_PIP/.test(
    variable,
  );
}

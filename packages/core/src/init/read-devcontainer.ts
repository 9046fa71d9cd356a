import { acceptableImage, acceptableUser, acceptableVariable, literal, shellText } from './acceptable.ts';
import { entriesAt, itemsAt, textAt, valueAt } from './document.ts';
import { portValue } from './port.ts';
import type { Finding, HookValue, Sourced } from './proposal.ts';

/** What devcontainer.json says, in our words. `container` is its value. */
export function readDevcontainer(container: unknown, file: string): Finding {
  const notes: string[] = [];
  const env: Record<string, Sourced<string>> = {};
  for (const member of ['containerEnv', 'remoteEnv']) {
    for (const [name, value] of entriesAt(container, member)) {
      if (typeof value !== 'string' || !acceptableVariable(name)) continue;
      const ours = ourVariables(value);
      if (ours === undefined) notes.push(`${member}.${name} of ${file} uses a variable that devenv does not have.`);
      else env[name] = { value: ours, from: `${member} in ${file}` };
    }
  }
  const features = entriesAt(container, 'features').map(([name]) => name);
  if (features.length > 0) notes.push(`${file} has features, which become steps that you write: ${features.join(', ')}`);
  const others = ['onCreateCommand', 'updateContentCommand', 'postStartCommand', 'postAttachCommand'].filter(
    (name) => valueAt(container, name) !== undefined,
  );
  if (others.length > 0) notes.push(`${others.join(', ')} of ${file}: see "hooks".`);
  const image = textAt(container, 'image');
  const user = acceptableUser(textAt(container, 'remoteUser') ?? textAt(container, 'containerUser') ?? '');
  const create = hook(valueAt(container, 'postCreateCommand'), `postCreateCommand in ${file}`);
  const extensions = itemsAt(container, 'customizations', 'vscode', 'extensions').filter((item) => typeof item === 'string');
  return {
    ...(image !== undefined && acceptableImage(image) ? { image: { value: image, from: `image in ${file}` } } : {}),
    ...(user === undefined ? {} : { user: { value: user, from: `remoteUser in ${file}` } }),
    ...(create ? { create } : {}),
    ...(extensions.length === 0 ? {} : { extensions: { value: extensions, from: file } }),
    env,
    ports: itemsAt(container, 'forwardPorts').flatMap((port) => {
      const value = portValue(Number(port));
      return value === undefined ? [] : [{ value, from: `forwardPorts in ${file}` }];
    }),
    notes,
  };
}

const renamed: Readonly<Record<string, string>> = {
  localWorkspaceFolder: 'workspaceFolder',
  containerWorkspaceFolder: 'containerWorkspaceFolder',
};

/** With its variables by our names; undefined when there is one that has none. A variable of this machine that is not set is empty, as there. */
function ourVariables(text: string): string | undefined {
  let known = true;
  const result = text.replace(/\$\{([^}]*)\}|\$\{/g, (match: string, inside?: string) => {
    const [name = '', ...argument] = (inside ?? '').split(':');
    if (renamed[name] && argument.length === 0) return `\${${renamed[name]}}`;
    if (name === 'containerEnv' && argument[0]) return match;
    if ((name === 'localEnv' || name === 'env') && argument[0]) return `\${localEnv:${argument[0]}:${argument.slice(1).join(':')}}`;
    if (inside === undefined || !/^[a-z]/.test(name)) return literal(match);
    known = false;
    return '';
  });
  return known ? result : undefined;
}

function hook(value: unknown, from: string): Sourced<HookValue> | undefined {
  if (typeof value === 'string') return shellText({ value, from });
  if (isWords(value)) return shellText({ value, from });
  const named = entriesAt(value).filter(
    (entry): entry is [string, string | readonly string[]] => entry[0] !== '' && (typeof entry[1] === 'string' || isWords(entry[1])),
  );
  const usable = named.filter(([, command]) => shellText({ value: command, from }));
  return usable.length === 0 ? undefined : { value: Object.fromEntries(usable), from };
}

function isWords(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.length > 0 && value.every((word) => typeof word === 'string');
}

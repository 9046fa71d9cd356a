/** Which variables a text may hold. */
export interface Uses {
  /** What messages call the place: `steps`. */
  readonly place: string;
  readonly localEnv: boolean;
  readonly workspaceFolder: boolean;
  readonly containerWorkspaceFolder: boolean;
  /** It stays in the text until the image is known. */
  readonly containerEnv: boolean;
  /** A shell may read the text: `${HOME}` is its own affair. */
  readonly shell: boolean;
  readonly localEnvHint?: (name: string) => string;
  readonly workspaceFolderHint?: string;
}

/**
 * The rules of the place that a path of member names leads to. What enters a step key takes nothing from this machine,
 * except through `args`, where everyone sees it.
 */
export function usesOf(path: readonly string[]): Uses | 'untouched' {
  const [first, second] = path;
  switch (first) {
    case undefined:
    case '$schema':
    case 'customizations': // `${…}` there belongs to the tool that reads them
      return 'untouched';
    case 'image':
    case 'platform':
      return { ...nothing, place: `"${first}"`, localEnvHint: () => 'write it out: everyone stands on the same image' };
    case 'user':
    case 'workspace':
      return { ...nothing, place: `"${first}"`, localEnvHint: () => 'write it out, or set it in devenv.local.json' };
    case 'args':
      return {
        ...nothing,
        place: '"args"',
        localEnv: true,
        containerWorkspaceFolder: true,
        workspaceFolderHint: 'use ${containerWorkspaceFolder}',
      };
    case 'steps':
      return { ...step, containerEnv: second === 'env', shell: second === 'run' };
    case 'env':
      return { ...running, place: '"env"', containerEnv: true };
    case 'command':
    case 'entrypoint':
    case 'hooks':
    case 'healthcheck':
      return { ...running, place: `"${first}"`, shell: true };
    default:
      return { ...running, place: `"${first}"` };
  }
}

const nothing: Uses = {
  place: '',
  localEnv: false,
  workspaceFolder: false,
  containerWorkspaceFolder: false,
  containerEnv: false,
  shell: false,
};

const running: Uses = { ...nothing, localEnv: true, workspaceFolder: true, containerWorkspaceFolder: true };

const step: Uses = {
  ...nothing,
  place: '"steps"',
  containerWorkspaceFolder: true,
  localEnvHint: (name) =>
    `give it to all steps: "args": { "${name || 'NAME'}": "\${localEnv:${name || 'NAME'}:}" }, and use $${name || 'NAME'} in the command`,
  workspaceFolderHint: 'use ${containerWorkspaceFolder}',
};

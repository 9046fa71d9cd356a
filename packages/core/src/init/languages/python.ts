import { posix } from 'node:path';
import { satisfies, validRange } from 'semver';
import { unreachable } from '../../base/errors.ts';
import { itemsAt, parseToml, textAt, valueAt } from '../document.ts';
import type { ProposedStep, Sourced } from '../proposal.ts';
import type { Repository } from '../repository.ts';
import { minorVersion, present, versionFrom, type Found, type Place } from './language.ts';

export function python(repository: Repository): Found | undefined {
  const [from] = present(repository, 'pyproject.toml', 'requirements.txt', 'poetry.lock', 'uv.lock', 'setup.py', 'Pipfile');
  if (from === undefined) return undefined;
  const project = parseToml(repository.text('pyproject.toml') ?? '');
  const version = wantedVersion(repository, project);
  const installer = installerOf(repository);
  return {
    name: 'Python',
    from,
    version,
    image: `docker.io/library/python:${version?.value ?? newest}-bookworm`,
    images: /(?:^|\/)(?:python|universal)$/,
    packages: ['python3', 'python3-venv', 'python3-pip'],
    steps: (place) => installSteps(repository, installer, place),
    env: {
      PATH: { value: '${containerWorkspaceFolder}/.venv/bin:${containerEnv:PATH}', from: 'programs of the virtual environment' },
      VIRTUAL_ENV: { value: '${containerWorkspaceFolder}/.venv', from: 'where it is' },
    },
    // The project itself is no dependency: it is linked, so that changes of the sources count at once.
    ...(installer === 'pip' &&
    (repository.has('setup.py') || valueAt(project, 'project') !== undefined) &&
    !repository.has('requirements.txt')
      ? {
          create: {
            value: '.venv/bin/pip install --editable .',
            from: `the project of ${repository.has('setup.py') ? 'setup.py' : 'pyproject.toml'}`,
          },
        }
      : {}),
    test: testCommand(repository, project),
  };
}

const newest = '3.13';
const minors = ['3.13', '3.12', '3.11', '3.10', '3.9', '3.14', '3.8'];

function wantedVersion(repository: Repository, project: unknown): Sourced<string> | undefined {
  const written = versionFrom(repository, '.python-version', 'python');
  const exact = /^(?:python-?)?(3\.\d+(?:\.\d+)?)$/.exec(written?.value ?? '')?.[1];
  if (written && exact) return { value: exact, from: written.from };
  const range = textAt(project, 'project', 'requires-python') ?? textAt(project, 'tool', 'poetry', 'dependencies', 'python');
  const value = range === undefined ? undefined : newestIn(range);
  if (value === undefined) return undefined;
  return { value, from: `Python ${range} in pyproject.toml` };
}

/** PEP 440 ranges and poetry's, as far as semver knows their like; of the rest the first version they name. */
function newestIn(range: string): string | undefined {
  const alike = range
    .split(',')
    .map((part) => part.trim())
    .filter((part) => !part.startsWith('!='))
    .map((part) =>
      part
        .replace(/^~=\s*(\d+\.\d+)$/, '^$1')
        .replace(/^~=/, '~')
        .replace(/^===?/, '='),
    )
    .join(' ');
  if (validRange(alike) === null) return minorVersion(range);
  return minors.find((minor) => satisfies(`${minor}.999`, alike)) ?? minorVersion(range);
}

type Installer = 'uv' | 'poetry' | 'pip';

function installerOf(repository: Repository): Installer {
  return repository.has('uv.lock') ? 'uv' : repository.has('poetry.lock') ? 'poetry' : 'pip';
}

function installSteps(repository: Repository, installer: Installer, place: Place): readonly ProposedStep[] {
  const comment = '.venv appears inside the workspace; the folder on this machine stays clean.';
  const outputs = ['.venv'];
  switch (installer) {
    case 'uv':
      return [
        tool('uv'),
        {
          comment,
          step: {
            name: 'deps',
            run: 'uv sync --frozen --no-install-project',
            inputs: present(repository, 'pyproject.toml', 'uv.lock', '.python-version'),
            outputs,
            env: { UV_LINK_MODE: 'copy' },
            cache: [`${place.home}/.cache/uv`],
          },
        },
      ];
    case 'poetry':
      return [
        tool('poetry'),
        {
          comment,
          step: {
            name: 'deps',
            run: 'poetry install --no-root --no-interaction',
            inputs: present(repository, 'pyproject.toml', 'poetry.lock', 'poetry.toml'),
            outputs,
            env: { POETRY_VIRTUALENVS_IN_PROJECT: 'true' },
            cache: [`${place.home}/.cache/pypoetry`],
          },
        },
      ];
    case 'pip': {
      const lists = requirementLists(repository);
      const install = lists.length === 0 ? '' : ` && .venv/bin/pip install ${lists.map((file) => `-r ${file}`).join(' ')}`;
      const step = {
        name: 'deps',
        run: `python3 -m venv .venv${install}`,
        ...(lists.length === 0 ? {} : { inputs: withNamedLists(repository, lists) }),
        outputs,
        cache: [`${place.home}/.cache/pip`],
      };
      return [{ comment, step }];
    }
    default:
      return unreachable(installer);
  }
}

function requirementLists(repository: Repository): readonly string[] {
  return present(repository, 'requirements.txt', 'requirements-dev.txt', 'dev-requirements.txt');
}

/** The lists, and the lists and constraints that they name in turn (`-r base.txt`, `-c constraints.txt`). */
function withNamedLists(repository: Repository, lists: readonly string[]): readonly string[] {
  const all = new Set(lists);
  for (const list of all) {
    for (const match of (repository.text(list) ?? '').matchAll(/^\s*(?:-r|--requirement|-c|--constraint)[ =]\s*([\w./-]+)/gm)) {
      const path = posix.join(posix.dirname(list), match[1]!);
      if (!path.startsWith('../') && repository.has(path)) all.add(path);
    }
  }
  return [...all];
}

/** In a place of its own, so that it shares nothing with the project, and works where Debian keeps pip from its own Python. */
function tool(name: 'uv' | 'poetry'): ProposedStep {
  return {
    comment: `Write ${name}==VERSION to pin it.`,
    step: {
      name,
      run: `python3 -m venv /opt/${name} && /opt/${name}/bin/pip install ${name} && ln -s /opt/${name}/bin/${name} /usr/local/bin/`,
    },
  };
}

function testCommand(repository: Repository, project: unknown): string | undefined {
  const asked = ['requirements.txt', 'requirements-dev.txt', 'dev-requirements.txt', 'pyproject.toml', 'uv.lock', 'poetry.lock'];
  if (repository.has('pytest.ini') || repository.has('conftest.py') || valueAt(project, 'tool', 'pytest') !== undefined) return 'pytest';
  if (asked.some((file) => /\bpytest\b/.test(repository.text(file) ?? ''))) return 'pytest';
  if (repository.has('manage.py')) return 'python manage.py test';
  const tested =
    repository.hasFolder('tests') ||
    repository.hasFolder('test') ||
    itemsAt(project, 'project', 'optional-dependencies', 'test').length > 0;
  return tested ? 'python -m unittest discover' : undefined;
}

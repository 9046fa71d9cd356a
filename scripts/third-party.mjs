// Which packages a bundle holds, and the licence texts that have to go with it.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { SetupError } from './setup/setup-error.mjs';

/** Licences that allow what we do as long as their text goes along. */
const allowed = new Set(['MIT', 'ISC', 'BSD-2-Clause', 'BSD-3-Clause', 'Apache-2.0', 'BlueOak-1.0.0', '0BSD', 'CC0-1.0', 'Unlicense']);

/**
 * The text that names every package of a bundle with its licence, in order of names.
 * @param inputs paths of esbuild's metafile, relative to `root`
 * @throws SetupError for a licence that is not known to allow it
 */
export function licenceTexts(inputs, root) {
  const folders = new Set(inputs.flatMap((path) => packageFolder(path) ?? []));
  const packages = [...folders].map((folder) => readPackage(join(root, folder)));
  const refused = packages.filter(({ license }) => !allowed.has(license));
  if (refused.length > 0)
    throw new SetupError(
      `The bundle would hold packages under other licences: ${refused.map(({ name, license }) => `${name} (${license})`).join(', ')}`,
      'look whether their terms allow it, then add the licence to scripts/third-party.mjs, or do without them.',
    );
  const sections = packages
    .toSorted((a, b) => a.name.localeCompare(b.name) || a.version.localeCompare(b.version))
    .map(({ name, version, license, text }) => `${name} ${version} (${license})\n\n${text}\n`);
  return [`The program files of devenv contain the following packages.\n`, ...sections].join(`\n${'-'.repeat(80)}\n\n`);
}

/** `a/node_modules/@scope/name` of a file in that package; undefined for our own files. */
function packageFolder(path) {
  return /^(.*\bnode_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1];
}

function readPackage(folder) {
  const { name, version, license, author } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const files = readdirSync(folder).filter((file) => /^(?:licen[cs]e|copying|notice)(?:[.-].*)?$/i.test(file));
  const texts = files.map((file) => readFileSync(join(folder, file), 'utf8').trim());
  const by = typeof author === 'string' ? author : author?.name;
  return { name, version, license, text: texts.join('\n\n') || `${by ? `Copyright ${by}. ` : ''}${standardText(license, folder)}` };
}

/** For a package that names its licence without its text. */
function standardText(license, folder) {
  const path = join(import.meta.dirname, '..', 'LICENSE');
  if (license !== 'MIT' || !existsSync(path)) throw new SetupError(`${folder} has no licence text.`);
  return readFileSync(path, 'utf8')
    .replace(/^.*?(?=Permission is hereby granted)/su, '')
    .trim();
}

/** The files of which something is left in the bundle. */
export function bundled(metafile) {
  const inputs = Object.values(metafile.outputs).flatMap((part) => Object.entries(part.inputs));
  return inputs.filter(([, { bytesInOutput }]) => bytesInOutput > 0).map(([path]) => path);
}

import { parseToml, textAt, valueAt } from '../document.ts';
import type { Sourced } from '../proposal.ts';
import type { Repository } from '../repository.ts';
import { present, type Found } from './language.ts';

export function rust(repository: Repository): Found | undefined {
  if (!repository.has('Cargo.toml')) return undefined;
  const manifest = parseToml(repository.text('Cargo.toml') ?? '');
  const version = wantedVersion(repository, manifest);
  // cargo wants to see a target; with the usual ones an empty file will do. Otherwise the hook, which sees the sources.
  const usual = ['workspace', 'lib', 'bin', 'example', 'bench', 'test'].every((name) => valueAt(manifest, name) === undefined);
  const simple =
    usual && repository.has('Cargo.lock') && ['build', 'default-run'].every((name) => valueAt(manifest, 'package', name) === undefined);
  return {
    name: 'Rust',
    from: 'Cargo.toml',
    version,
    image: `docker.io/library/rust:${version?.value ?? '1'}-bookworm`,
    images: /(?:^|\/)(?:rust|universal)$/,
    packages: ['cargo', 'rustc'],
    steps: ({ user }) =>
      simple
        ? [
            {
              comment: 'Fetches the crates into the layer; cargo wants to see a source file, so it gets an empty one meanwhile.',
              step: {
                name: 'deps',
                run: 'mkdir src && touch src/lib.rs && cargo fetch --locked && rm -r src',
                inputs: present(repository, 'Cargo.toml', 'Cargo.lock', 'rust-toolchain.toml', 'rust-toolchain'),
                user,
              },
            },
          ]
        : [],
    ...(simple ? {} : { create: { value: 'cargo fetch', from: 'Cargo.toml' } }),
    test: 'cargo test',
  };
}

function wantedVersion(repository: Repository, manifest: unknown): Sourced<string> | undefined {
  const channels = {
    'rust-toolchain.toml': textAt(parseToml(repository.text('rust-toolchain.toml') ?? ''), 'toolchain', 'channel'),
    'rust-toolchain': repository.text('rust-toolchain')?.trim(),
    'rust-version in Cargo.toml': textAt(manifest, 'package', 'rust-version'),
  };
  const named = Object.entries(channels).find(([, value]) => /^1\.\d+(?:\.\d+)?$/.test(value ?? ''));
  return named && { value: named[1]!, from: named[0] };
}

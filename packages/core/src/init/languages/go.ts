import { satisfies } from 'semver';
import type { Repository } from '../repository.ts';
import { present, type Found } from './language.ts';

export function go(repository: Repository): Found | undefined {
  const manifest = repository.text('go.mod');
  if (manifest === undefined) return undefined;
  const toolchain = /^toolchain\s+go(\d+\.\d+(?:\.\d+)?)/m.exec(manifest)?.[1];
  const language = /^go\s+(\d+\.\d+(?:\.\d+)?)/m.exec(manifest)?.[1];
  const written = toolchain ?? language;
  // What go.mod names is the least that will do; images on bookworm begin with 1.21, toolchains that fetch others, too.
  const enough = written !== undefined && satisfies(written.split('.').length < 3 ? `${written}.0` : written, '>=1.21.0');
  return {
    name: 'Go',
    from: 'go.mod',
    version: enough ? { value: written, from: `${toolchain ? 'toolchain' : 'go'} in go.mod` } : undefined,
    image: `docker.io/library/golang:${enough ? written : '1'}-bookworm`,
    images: /(?:^|\/)(?:golang|go|universal)$/,
    packages: ['golang'],
    steps: ({ user }) =>
      /^\s*require\b/m.test(manifest)
        ? [
            {
              comment: 'The modules stay in the layer: builds need no network.',
              step: { name: 'deps', run: 'go mod download', inputs: present(repository, 'go.mod', 'go.sum'), user },
            },
          ]
        : [],
    test: 'go test ./...',
  };
}

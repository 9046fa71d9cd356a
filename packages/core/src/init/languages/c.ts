import type { Repository } from '../repository.ts';
import { present, type Found } from './language.ts';

/** C and C++, and any project that has a Makefile. */
export function c(repository: Repository): Found | undefined {
  const [cmake] = present(repository, 'CMakeLists.txt');
  const [make] = present(repository, 'Makefile', 'makefile', 'GNUmakefile');
  const source = ['.', 'src'].flatMap((folder) => repository.list(folder)).find((name) => /\.(?:c|cc|cpp|cxx)$/.test(name));
  const from = cmake ?? source ?? make;
  if (from === undefined) return undefined;
  const targets = make === undefined ? '' : (repository.text(make) ?? '');
  const target = ['test', 'check'].find((name) => new RegExp(`^${name}\\s*:(?!=)`, 'm').test(targets));
  const built = cmake ? 'sh -c "cmake -B build && cmake --build build && ctest --test-dir build --output-on-failure"' : undefined;
  return {
    name: cmake || source ? 'C/C++' : 'Make',
    from,
    version: undefined,
    image: undefined,
    // The full official images of languages stand on buildpack-deps, which has a compiler and make, but no cmake.
    images: cmake ? /(?!)/ : /^docker\.io\/library\/(?:gcc|buildpack-deps|node|python|golang|rust|ruby)$/,
    packages: [...(cmake || source ? ['build-essential', 'gdb'] : ['make']), ...(cmake ? ['cmake'] : [])],
    steps: () => [],
    test: target ? `make ${target}` : built,
  };
}

import { entriesAt, parseJson, textAt } from '../document.ts';
import type { Repository } from '../repository.ts';
import { minorVersion, present, type Found } from './language.ts';

export function php(repository: Repository): Found | undefined {
  if (!repository.has('composer.json')) return undefined;
  const manifest = parseJson(repository.text('composer.json') ?? '');
  const minor = minorVersion(textAt(manifest, 'config', 'platform', 'php') ?? textAt(manifest, 'require', 'php'));
  const tested = entriesAt(manifest, 'require-dev').some(([name]) => name === 'phpunit/phpunit');
  return {
    name: 'PHP',
    from: 'composer.json',
    version: minor === undefined ? undefined : { value: minor, from: 'composer.json' },
    image: `docker.io/library/php:${minor ?? '8.4'}-cli-bookworm`,
    images: /(?:^|\/)(?:php|universal)$/,
    packages: ['php-cli', 'php-curl', 'php-mbstring', 'php-xml', 'php-zip', 'composer'],
    steps: ({ image, home }) => [
      ...(image === undefined
        ? []
        : [
            {
              comment: 'The official image has no Composer.',
              step: {
                name: 'composer',
                run: 'curl -fsSL https://getcomposer.org/download/latest-2.x/composer.phar -o /usr/local/bin/composer && chmod 755 /usr/local/bin/composer',
              },
            },
            { comment: 'Composer unpacks archives with it.', step: { name: 'unzip', apt: ['git', 'unzip'] } },
          ]),
      {
        comment: 'vendor appears inside the workspace; the folder on this machine stays clean.',
        step: {
          name: 'deps',
          run: 'composer install --no-interaction --no-scripts',
          inputs: present(repository, 'composer.json', 'composer.lock'),
          outputs: ['vendor'],
          cache: [`${home}/.cache/composer`],
        },
      },
    ],
    test: tested ? 'vendor/bin/phpunit' : undefined,
  };
}

import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import markdown from 'markdown-it';

/** HTML of a Markdown text; HTML in it stays text. */
export function render(text) {
  return markdown({ html: false, linkify: true }).render(text);
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) process.stdout.write(render(readFileSync(process.argv[2], 'utf8')));

import type { FoundRepository, HistoryLine, ImageSummary, KeptContainer, LoadedImage, RemovedImage } from '@devenv/core';
import { painter } from './color.ts';
import { bytes, duration, plural } from './format.ts';
import { printableLine } from './printable.ts';
import { table } from './table.ts';

export function describeImages(images: readonly ImageSummary[], color: boolean, now: Date): string {
  const paint = painter(color);
  const heading = ['NAME', 'ID', 'CREATED', 'SIZE', 'SHARED'].map((name) => paint('bold', name));
  const rows = images.map(({ name, id, createdAt, size, sharedSize }) => [
    name === undefined ? '<none>' : printableLine(name),
    id.slice('sha256:'.length, 'sha256:'.length + 12),
    ago(createdAt, now),
    bytes(size),
    bytes(sharedSize),
  ]);
  return table([heading, ...rows]).join('\n');
}

/** `3 layers, 2 already there, 1.2 MB fetched · 0.4 s`. */
export function describeTransfer(
  {
    layers,
    reused,
    bytes: count,
    seconds,
  }: { readonly layers: number; readonly reused: number; readonly bytes: number; readonly seconds: number },
  verb: 'fetched' | 'sent',
): string {
  const rate = seconds > 0.5 && count > 100_000 ? ` (${bytes(count / seconds)}/s)` : '';
  return `${plural(layers, 'layer')}, ${reused} already there, ${bytes(count)} ${verb}${rate} · ${duration(seconds)}`;
}

export function describeLoaded(images: readonly LoadedImage[]): string {
  return images
    .map(({ names, id, layers, reused }) => {
      const name = names.length === 0 ? id.slice(7, 19) : names.map(printableLine).join(', ');
      return `Loaded ${name} · ${plural(layers, 'layer')}, ${reused} already there`;
    })
    .join('\n');
}

export function describeRemoved(removed: readonly RemovedImage[]): string {
  const lines = removed.map(({ name, id }) => `Removed ${printableLine(name)} (${id.slice(7, 19)})`);
  return removed.some(({ last }) => last) ? [...lines, 'Its layers go with the next collection.'].join('\n') : lines.join('\n');
}

export function describeContainers(containers: readonly KeptContainer[], color: boolean, now: Date): string {
  const paint = painter(color);
  const heading = ['CONTAINER', 'STATE', 'IMAGE', 'SINCE', 'PORTS'].map((name) => paint('bold', name));
  const rows = containers.map(({ name, image, state, startedAt, exitCode, networkLost, ports }) => [
    name,
    networkLost
      ? paint('yellow', `${state} without its network: devenv start ${name}`)
      : state === 'running'
        ? paint('green', state)
        : exitCode === undefined
          ? state
          : `${state} (exit code ${exitCode})`,
    printableLine(image),
    startedAt === undefined ? '' : ago(startedAt, now),
    ports.join(', '),
  ]);
  return table([heading, ...rows]).join('\n');
}

export function describeFound(repositories: readonly FoundRepository[], color: boolean): string {
  const paint = painter(color);
  const rows = repositories.map(({ name, stars, official, description }) => [
    printableLine(name.replace(/^docker\.io\/(?:library\/)?/, '')),
    stars === undefined ? '' : String(stars),
    official ? 'official' : '',
    printableLine(description ?? '').slice(0, 80),
  ]);
  return table([['NAME', 'STARS', '', 'DESCRIPTION'].map((name) => paint('bold', name)), ...rows]).join('\n');
}

export function describeHistory(lines: readonly HistoryLine[], color: boolean, now: Date): string {
  const paint = painter(color);
  const rows = lines.map(({ created, createdBy, size, comment }) => [
    created === undefined ? '' : ago(created, now),
    bytes(size),
    // What Docker's builder writes around the words of a Dockerfile.
    printableLine(createdBy.replace(/^\/bin\/sh -c #\(nop\) +/, '')).slice(0, 100) +
      (comment === undefined ? '' : ` # ${printableLine(comment)}`),
  ]);
  return table([['CREATED', 'SIZE', 'BY'].map((name) => paint('bold', name)), ...rows]).join('\n');
}

/** `5 min ago`, `4 d ago`. */
function ago(time: string, now: Date): string {
  const seconds = Math.max(0, (now.getTime() - Date.parse(time)) / 1000);
  if (Number.isNaN(seconds)) return '';
  return seconds < 86_400 ? `${duration(Math.round(seconds))} ago` : `${Math.floor(seconds / 86_400)} d ago`;
}

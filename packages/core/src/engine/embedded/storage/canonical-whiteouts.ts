import { lstatSync, unlinkSync } from 'node:fs';
import { listAttributes, makeNode, setAttribute } from '../../../base/system-calls.ts';
import { overlayAttributes } from '../../../base/user-namespace.ts';
import { pathOf } from '../../../oci/file-name.ts';
import { namesIn } from '../../../store/merged.ts';
import { copyTimes } from './copy-entry.ts';

/**
 * fuse-overlayfs marks what is gone in one of several ways, by what it may do. Brings them into the kernel's form: whiteouts
 * are 0:0 character devices, a directory that hides what is below has overlayfs' attribute.
 */
export function canonicalWhiteouts(directory: string): void {
  const names = namesIn(directory);
  const before = lstatSync(pathOf(directory), { bigint: true });
  let opaque = listAttributes(pathOf(directory)).some((name) => opaqueAttribute.test(name));
  for (const name of names) {
    const path = `${directory}/${name}`;
    if (lstatSync(pathOf(path)).isDirectory()) canonicalWhiteouts(path);
    else if (name.startsWith(prefix)) {
      unlinkSync(pathOf(path));
      const hidden = name.slice(prefix.length);
      if (opaqueMarkers.includes(name)) opaque = true;
      else if (!names.includes(hidden)) makeNode(pathOf(`${directory}/${hidden}`), characterDevice, 0, 0);
    }
  }
  copyTimes(before, directory); // the markers were in no tree
  if (opaque) setAttribute(pathOf(directory), `${overlayAttributes()}.overlay.opaque`, Buffer.from('y'));
}

const prefix = '.wh.';
const opaqueMarkers = ['.wh..wh..opq', '.wh..opq']; // the second one is of its older versions
const opaqueAttribute = /^(?:trusted\.overlay|user\.overlay|user\.fuseoverlayfs)\.opaque$/;
const characterDevice = 0o20000; // S_IFCHR

import { c } from './c.ts';
import { go } from './go.ts';
import { java } from './java.ts';
import type { Detector } from './language.ts';
import { node } from './node.ts';
import { php } from './php.ts';
import { python } from './python.ts';
import { ruby } from './ruby.ts';
import { rust } from './rust.ts';

/** The first that a repository has gives the base, the others come from Debian: so those come first that Debian has in old versions. */
export const languages: readonly Detector[] = [go, rust, node, python, ruby, php, java, c];

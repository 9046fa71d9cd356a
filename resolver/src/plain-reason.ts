/** Why a connection ended, from what its program said, as one paragraph. */
export function plainReason(said: string): string {
  return said
    .replace(/^exec: .*\n(?=Error: )/, '') // the runtime's own word for what follows
    .replace(/^Error: /, '')
    .trim()
    .replaceAll(/:\s*\n\s*/g, ': ')
    .replaceAll(/\.?\s*\n\s*/g, '. ');
}
